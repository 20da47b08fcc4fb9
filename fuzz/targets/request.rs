//! Whatever a request says in its path, its query, `Accept` and `Last-Event-ID`: it is answered, never with 500, and whoever
//! asks to go on from somewhere gets exactly what was missed, or the reason why not.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use axum::extract::State;
use axum::http::{HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sse_runtime::testing::{Item, Parser, ReceivedEvent, TestClient, TestResponse};
use sse_runtime::wire::last_event_id;
use sse_runtime::{Hub, Result, Sse, Topic, routes, sse_route};
use tokio::runtime::Runtime;
use tokio::time::timeout;

const PUBLISHED: u64 = 8;
/// The oldest position from which everything is still there.
const OLDEST: u64 = 4;

#[derive(Arbitrary, Debug)]
struct Input {
    part: Part,
    query: Vec<(Key, Id)>,
    header: Option<Id>,
    accept: Option<Vec<Range>>,
}

#[derive(Arbitrary, Debug)]
enum Part {
    Number(u8),
    Text(String),
}

#[derive(Arbitrary, Debug)]
enum Key {
    LastEventId,
    Other(String),
}

#[derive(Arbitrary, Debug)]
enum Id {
    /// Of this log, near its ends.
    Known(u8),
    /// Something before it and after it.
    Around(String, u8, String),
    Any(u64, u64),
    End,
    Text(String),
}

/// One of those that `Accept` lists.
#[derive(Arbitrary, Debug)]
struct Range {
    media: Media,
    weight: Option<u16>,
    upper: bool,
}

#[derive(Arbitrary, Debug)]
enum Media {
    EventStream,
    AnyText,
    Any,
    Text(String),
}

/// What a client must be told.
#[derive(Debug, PartialEq)]
enum Outcome {
    New,
    After(u64),
    Reset(&'static str),
    /// It has seen the end.
    Stop,
}

#[sse_route("/follow/{part}")]
async fn follow(sse: Sse, part: u8, State(topic): State<Topic>) -> Result<()> {
    let _ = part;
    // Long enough for all that was missed: the clock only moves when nothing else does.
    match timeout(Duration::from_millis(1), sse.follow(&topic)).await {
        Ok(followed) => Ok(followed?),
        Err(_) => Ok(()),
    }
}

struct App {
    runtime: Runtime,
    client: TestClient,
    epoch: u64,
}

impl App {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let topic: Topic = {
            let _inside = runtime.enter();
            let kept = usize::try_from(PUBLISHED - OLDEST).expect("a few");
            Hub::in_memory().topic_events(kept).build().topic("events")
        };
        for n in 1..=PUBLISHED {
            runtime.block_on(async { topic.publish(n.to_string()).await }).expect("published");
        }
        let epoch = parse(topic.position().as_str()).expect("a position").0;
        Self { runtime, client: TestClient::new(routes![follow].with_state(topic)), epoch }
    }

    fn id(&self, id: &Id) -> String {
        match id {
            Id::Known(seq) => format!("{:x}-{}", self.epoch, seq % 16),
            Id::Around(before, seq, after) => format!("{before}{:x}-{}{after}", self.epoch, seq % 16),
            Id::Any(epoch, seq) => format!("{epoch:x}-{seq}"),
            Id::End => "sse-end".to_owned(),
            Id::Text(text) => text.clone(),
        }
    }

    fn outcome(&self, asked: &str) -> Outcome {
        if asked.is_empty() {
            return Outcome::New;
        }
        match last_event_id(asked.as_bytes()).as_deref() {
            Some("sse-end") => Outcome::Stop,
            readable => match readable.and_then(parse) {
                None => Outcome::Reset("malformed"),
                Some((epoch, _)) if epoch != self.epoch => Outcome::Reset("epoch"),
                Some((_, seq)) if seq > PUBLISHED => Outcome::Reset("ahead"),
                Some((_, seq)) if seq < OLDEST => Outcome::Reset("evicted"),
                Some((_, seq)) => Outcome::After(seq),
            },
        }
    }

    fn answer(&self, path: &str, header: Option<&str>, accept: Option<&str>) -> TestResponse {
        let mut request = self.client.get(path);
        if let Some(id) = header {
            request = request.last_event_id(id);
        }
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        self.runtime.block_on(request.response())
    }
}

/// There is one way to write a position: as it would be written again.
fn parse(id: &str) -> Option<(u64, u64)> {
    let (epoch, seq) = id.split_once('-')?;
    let (epoch, seq) = (u64::from_str_radix(epoch, 16).ok()?, seq.parse().ok()?);
    (format!("{epoch:x}-{seq}") == id).then_some((epoch, seq))
}

fn events(stream: &str) -> Vec<ReceivedEvent> {
    let mut parser = Parser::new();
    parser.feed(stream.as_bytes());
    std::iter::from_fn(|| parser.next_item())
        .filter_map(|item| match item {
            Item::Event(event) => Some(event),
            Item::Comment(_) => None,
        })
        .collect()
}

fn check(outcome: &Outcome, asked: &str, stream: &str) {
    let mut events = events(stream).into_iter();
    let mut next = |name: &str| -> Value {
        let event = events.next().unwrap_or_else(|| panic!("no {name} in {stream:?}"));
        assert_eq!(event.name, name, "{stream:?}");
        serde_json::from_str(&event.data).expect("JSON")
    };
    if let Outcome::Reset(reason) = outcome {
        let reset = next("sse-reset");
        assert_eq!(reset["reason"], *reason);
        assert_eq!(reset["asked"].as_str(), last_event_id(asked.as_bytes()).as_deref());
    }
    let open = next("sse-open");
    let from = match outcome {
        Outcome::After(seq) => *seq,
        _ => PUBLISHED,
    };
    assert_eq!(open["resumed"], matches!(outcome, Outcome::After(_)));
    let missed: Vec<_> = events.map(|event| event.data).collect();
    assert_eq!(missed, (from + 1..=PUBLISHED).map(|n| n.to_string()).collect::<Vec<_>>());
}

thread_local! {
    static APP: App = App::new();
}

fuzz_target!(|input: Input| {
    APP.with(|app| {
        let header = input.header.as_ref().map(|id| app.id(id));
        let query: Vec<_> = input.query.iter().map(|(key, id)| (key.as_str(), app.id(id))).collect();
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&query).finish();
        let path = format!("/follow/{}?{encoded}", input.part.text());
        let accept =
            input.accept.as_ref().map(|ranges| ranges.iter().map(Range::text).collect::<Vec<_>>().join(", "));
        let is_request = path.parse::<Uri>().is_ok_and(|uri| uri.query() == Some(encoded.as_str()))
            && [&header, &accept]
                .into_iter()
                .flatten()
                .all(|value| HeaderValue::from_bytes(value.as_bytes()).is_ok());
        if !is_request {
            return;
        }

        let in_query = query.iter().find(|(key, _)| *key == "last_event_id").map(|(_, id)| id.as_str());
        let asked = header.as_deref().filter(|id| !id.is_empty()).or(in_query).unwrap_or_default();
        let outcome = app.outcome(asked);
        let answer = app.answer(&path, header.as_deref(), accept.as_deref());
        match answer.status.as_u16() {
            200 => {
                assert_ne!(outcome, Outcome::Stop);
                check(&outcome, asked, &answer.text);
            }
            204 => assert_eq!(outcome, Outcome::Stop),
            400 | 404 => assert!(matches!(input.part, Part::Text(_)), "{answer:?}"),
            406 => assert!(accept.is_some()),
            _ => panic!("{answer:?}"),
        }
        if let Some(accept) = &accept {
            let upper = app.answer(&path, header.as_deref(), Some(&accept.to_ascii_uppercase()));
            assert_eq!(upper.status, answer.status);
        }
    });
});

impl Key {
    fn as_str(&self) -> &str {
        match self {
            Self::LastEventId => "last_event_id",
            Self::Other(text) => text,
        }
    }
}

impl Range {
    fn text(&self) -> String {
        let media = match &self.media {
            Media::EventStream => "text/event-stream",
            Media::AnyText => "text/*",
            Media::Any => "*/*",
            Media::Text(text) => text,
        };
        let media = if self.upper { media.to_ascii_uppercase() } else { media.to_owned() };
        match self.weight {
            Some(weight) => format!("{media};q={}.{:03}", weight / 1000 % 2, weight % 1000),
            None => media,
        }
    }
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}
