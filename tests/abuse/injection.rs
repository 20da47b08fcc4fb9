//! What an attacker writes stays what it is: text in a field. Through every door that text can come in by, the bytes are
//! read by two parsers that share no code with us, and no event and no field is there that the program did not send.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::{Json, Router};
use bytes::Bytes;
use eventsource_stream::Eventsource as _;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};
use sse_runtime::testing::TestClient;
use sse_runtime::{
    Error, Event, Hub, Registry, Result, Shutdown, Sse, SseEvent, StatusCode, Topic, routes, sse_route,
};

use crate::peer::exchange;
use crate::target::{App, Target};

const CASES: u32 = 150;

/// Everything an attacker may choose, each text for itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Attack {
    name: Option<String>,
    id: Option<String>,
    retry: Option<u64>,
    data: String,
    comment: String,
    key: String,
    topic: String,
    header: (String, String),
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "\n", "\r", "\r\n", "\n\n", "\r\r", " ", "\t", ":", "\0", "data", "data: forged", "event: forged", "id: 666",
            "retry: 1", ": forged", "\u{feff}", "\u{2028}", "\u{85}", "\u{b}", "\u{c}", "\"}", "\\n", "%0A", "x",
            "0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "😀",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn attack() -> impl Strategy<Value = Attack> {
    let fields = (
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(any::<u64>()),
        text(),
        text(),
        text(),
        text(),
        (text(), text()),
    );
    fields.prop_map(|(name, id, retry, data, comment, key, topic, header)| Attack {
        name,
        id,
        retry,
        data,
        comment,
        key,
        topic,
        header,
    })
}

impl Attack {
    fn event(&self) -> Event {
        let mut event = Event::default().data(&*self.data);
        if let Some(name) = &self.name {
            event = event.name(&**name);
        }
        if let Some(id) = &self.id {
            event = event.id(id);
        }
        if let Some(millis) = self.retry {
            event = event.retry(Duration::from_millis(millis));
        }
        event
    }
}

/// An event as both parsers read it: name and data.
type Read = (String, String);

/// Reads a whole body by both, which have to agree.
fn read(body: &str) -> Vec<Read> {
    let pieces = || stream::iter([Ok::<_, Infallible>(Bytes::from(body.to_owned()))]);
    let one: Vec<Read> = pieces()
        .eventsource()
        .map(|event| event.map(|event| (event.event, event.data)).expect("it can be read"))
        .collect::<Vec<_>>()
        .now_or_never()
        .expect("never waits");
    // This one takes no field that it does not know.
    let other: Vec<Read> = sse_stream::SseByteStream::new(pieces())
        .map(|event| event.expect("no unknown field"))
        .map(|event| (event.event.unwrap_or("message".to_owned()), event.data.expect("every block has data")))
        .collect::<Vec<_>>()
        .now_or_never()
        .expect("never waits");
    assert_eq!(one, other, "{body:?}");
    one
}

fn message(data: &str) -> Read {
    ("message".to_owned(), data.to_owned())
}

/// As every client reads it: all line ends are `\n`.
fn as_read(data: &str) -> String {
    data.replace("\r\n", "\n").replace('\r', "\n")
}

/// Runs attacks against a route in this process; `expected` says what it has to come to.
fn against(app: Router, path: &'static str, expected: impl Fn(&Attack, &[Read])) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = TestClient::new(app);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let holds = runner.run(&attack(), |attack| {
        let answer = runtime.block_on(client.post(path).json(&attack).response());
        assert_eq!(answer.status, 200);
        expected(&attack, &read(&answer.text));
        Ok(())
    });
    holds.expect("holds");
}

/// What is left when the word before and the word after are taken off.
fn between(events: &[Read]) -> &[Read] {
    let [first, between @ .., last] = events else { panic!("{events:?}") };
    assert_eq!((first, last), (&message("before"), &message("after")));
    between
}

#[sse_route("/events", methods = ["POST"])]
async fn events(sse: Sse, Json(attack): Json<Attack>) -> Result<()> {
    sse.send("before").await?;
    sse.comment(&attack.comment).await?;
    let sent = sse.send(attack.event()).await;
    sse.send_json(sent.is_ok()).await?;
    sse.send(attack.data.clone()).await?;
    sse.send_json(&attack.data).await?;
    sse.comment(&attack.data).await?;
    sse.send("after").await?;
    Ok(())
}

#[test]
fn names_ids_data_and_comments_make_no_events_and_no_fields() {
    against(routes![events], "/events", |attack, events| {
        let mut expected = Vec::new();
        let name = attack.name.clone().unwrap_or("message".to_owned());
        let is_clean = |text: &String| !text.contains(['\r', '\n', '\0']);
        let sent = between(events).len() == 4;
        if sent {
            assert!(attack.name.as_ref().is_none_or(is_clean) && attack.id.as_ref().is_none_or(is_clean));
            expected.push((name, as_read(&attack.data)));
        }
        expected.push(message(if sent { "true" } else { "false" }));
        expected.push(message(&as_read(&attack.data)));
        expected.push(message(&serde_json::to_string(&attack.data).expect("JSON")));
        assert_eq!(between(events), expected);
    });
}

/// Its names are the program's; id, values and the keys of a map are the attacker's.
#[derive(Serialize, SseEvent)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Typed {
    #[sse(id = "key")]
    Said { key: String, text: String, map: BTreeMap<String, String> },
}

#[sse_route("/typed", methods = ["POST"])]
async fn typed(sse: Sse<Typed>, Json(attack): Json<Attack>) -> Result<()> {
    for key in [attack.key.clone(), "clean".to_owned()] {
        let map = BTreeMap::from([(attack.key.clone(), attack.data.clone())]);
        // Refused, where the id cannot be one.
        drop(sse.send(Typed::Said { key, text: attack.data.clone(), map }).await);
    }
    Ok(())
}

#[test]
fn values_of_typed_events_stay_values() {
    against(routes![typed], "/typed", |attack, events| {
        assert!((1..=2).contains(&events.len()), "{events:?}");
        for (name, data) in events {
            let told: serde_json::Value = serde_json::from_str(data).expect("JSON");
            assert_eq!((name.as_str(), told["text"].as_str()), ("said", Some(attack.data.as_str())));
            assert_eq!(told["map"][&attack.key], attack.data.as_str());
        }
    });
}

#[sse_route("/topics", methods = ["POST"])]
async fn topics(sse: Sse, State(hub): State<Hub>, Json(attack): Json<Attack>) -> Result<()> {
    let snapshot = attack.clone();
    let topic: Topic = hub.topic(&attack.topic).snapshot(move || {
        let event = Event::default().data(snapshot.data.clone());
        async move { Ok([event]) }
    });
    let anonymous = Attack { id: None, ..attack.clone() };
    let publish = async {
        // In the topic's stream only once it is followed.
        while topic.subscribers() == 0 {
            tokio::task::yield_now().await;
        }
        let published = topic.publish(anonymous.event()).key(&*attack.key).await;
        assert_eq!(
            topic.publish(attack.event()).key(&*attack.key).await.is_ok(),
            attack.id.is_none() && published.is_ok()
        );
        topic.publish("after").await.expect("it is clean");
        sse.finish().await
    };
    let (followed, finished) = tokio::join!(sse.follow(&topic), publish);
    finished?;
    drop(followed);
    Ok(())
}

#[test]
fn what_is_published_and_the_names_of_topics_make_no_events_and_no_fields() {
    let app = routes![topics].with_state(Hub::default());
    against(app, "/topics", |attack, events| {
        let is_sent = |name: &String| !name.is_empty() && !name.contains(['\r', '\n', '\0']);
        let name = attack.name.clone().unwrap_or("message".to_owned());
        let event = (name, as_read(&attack.data));
        let times =
            if attack.name.as_ref().is_none_or(is_sent) { 1 + usize::from(attack.id.is_none()) } else { 0 };
        let [(open, _), snapshot, published @ .., after, (end, _)] = events else { panic!("{events:?}") };
        assert_eq!((open.as_str(), end.as_str()), ("sse-open", "end"));
        assert_eq!(snapshot, &message(&as_read(&attack.data)));
        assert_eq!(after, &message("after"));
        assert_eq!(published, vec![event; times]);
    });
}

#[sse_route("/failures", methods = ["POST"])]
async fn failures(sse: Sse, Json(attack): Json<Attack>) -> Result<()> {
    sse.send("before").await?;
    Err(Error::from(attack.comment).public(attack.data))
}

#[test]
fn messages_of_failures_stay_messages() {
    against(routes![failures], "/failures", |attack, events| {
        let [before, (name, data)] = events else { panic!("{events:?}") };
        assert_eq!((before, name.as_str()), (&message("before"), "failure"));
        let told: serde_json::Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(told, serde_json::json!({ "reason": "HandlerError", "message": attack.data }));
    });
}

#[sse_route("/kicked", methods = ["POST"])]
async fn kicked(sse: Sse, State(streams): State<Registry>, Json(attack): Json<Attack>) -> Result<()> {
    sse.set_principal(&attack.key);
    sse.send("before").await?;
    streams.kick(|stream| stream.principal.as_deref() == Some(&*attack.key), attack.data);
    std::future::pending().await
}

#[test]
fn whom_a_stream_belongs_to_is_not_sent_and_why_it_was_ended_stays_text() {
    let shutdown = Shutdown::new();
    let app = routes![kicked].with_state(shutdown.registry()).layer(shutdown);
    against(app, "/kicked", |attack, events| {
        let [before, (name, data)] = events else { panic!("{events:?}") };
        assert_eq!((before, name.as_str()), (&message("before"), "sse-bye"));
        let told: serde_json::Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(told, serde_json::json!({ "reason": "Kicked", "message": attack.data }));
    });
}

/// What an attacker writes as header and as error, over a socket: the head is what can be split there.
#[sse_route("/heads", methods = ["POST"])]
async fn heads(sse: Sse, Json(attack): Json<Attack>) -> Result<()> {
    let (name, value) = &attack.header;
    drop(sse.set_header("x-value", value.as_str()));
    drop(sse.append_header("x-value", value.as_str()));
    drop(sse.set_header(name.as_str(), "x"));
    if attack.retry.is_some() {
        return Err(Error::from(attack.comment).public(attack.data).with_status(StatusCode::CONFLICT));
    }
    sse.send("x").await?;
    Ok(())
}

#[test]
fn headers_of_handlers_and_texts_of_errors_do_not_split_the_response() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let target = runtime.block_on(async {
        let app: Router<App> = routes![heads];
        Target::with(app, Hub::default(), |serve| serve).await
    });
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let holds = runner.run(&attack(), |attack| {
        let json = serde_json::to_string(&attack).expect("JSON");
        let request = format!(
            "POST /heads HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{json}",
            json.len()
        );
        let answer = runtime.block_on(exchange(target.address, request));
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.starts_with(if attack.retry.is_some() { "HTTP/1.1 409 " } else { "HTTP/1.1 200 " }),
            "{head}"
        );
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("it is short");
        assert_eq!(length.parse(), Ok(body.len()), "{answer:?}");
        if attack.retry.is_some() {
            assert_eq!(body, attack.data);
            assert!(head.contains("content-type: text/plain"), "no browser takes it for a page: {head}");
        } else {
            assert_eq!(body, "data: x\n\n");
        }
        // Of what can be set, a name is one line, and the value of `x-value` is at most the attacker's, on two.
        let ours = [
            "content-type",
            "cache-control",
            "x-accel-buffering",
            "x-content-type-options",
            "connection",
            "date",
        ];
        for line in head.split("\r\n").skip(1) {
            let (name, value) = line.split_once(':').expect("a header");
            let name_given = name == attack.header.0.to_lowercase() && value == " x";
            let value_given = name == "x-value" && value.trim() == attack.header.1.trim();
            let known = ours.contains(&name) || name == "content-length";
            assert!(known || name_given || value_given, "{line:?} in {head:?}");
        }
        Ok(())
    });
    holds.expect("holds");
}

#[sse_route("/echo/{text}")]
async fn echo(sse: Sse, text: String) -> Result<()> {
    sse.send("before").await?;
    drop(sse.send(Event::new(&*text).data("as a name")).await);
    drop(sse.send(Event::default().id(&text).data("as an id")).await);
    sse.send(Event::new("echo").data(&*text)).await?;
    sse.comment(&text).await?;
    sse.send("after").await?;
    Ok(())
}

#[tokio::test]
async fn what_is_echoed_from_the_path_makes_no_events() {
    let target = Target::with(routes![echo], Hub::default(), |serve| serve).await;
    for (encoded, decoded) in [
        ("a%0A%0Adata:%20forged%0A%0A", "a\n\ndata: forged\n\n"),
        ("a%0Ddata:%20forged", "a\rdata: forged"),
        ("a%0D%0Aevent:%20forged", "a\r\nevent: forged"),
        ("a%0Aid:%20666", "a\nid: 666"),
        ("a%0Aretry:%201", "a\nretry: 1"),
        ("%EF%BB%BFdata:%20forged", "\u{feff}data: forged"),
        ("a%E2%80%A8data:%20forged", "a\u{2028}data: forged"),
        ("a%250Adata:%20forged", "a%0Adata: forged"),
        ("a%00", "a\0"),
    ] {
        let request = format!("GET /echo/{encoded} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = exchange(target.address, request).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-length: "), "{head}");
        let events = read(body);
        let events = between(&events);
        let (last, sent) = events.split_last().expect("an event");
        assert_eq!(last, &("echo".to_owned(), as_read(decoded)), "{encoded}");
        for (name, data) in sent {
            assert!(
                (name == decoded && data == "as a name") || (name == "message" && data == "as an id"),
                "{encoded}"
            );
        }
        assert!(!events.iter().any(|(name, data)| name == "forged" || data == "forged"), "{encoded}");
    }
}
