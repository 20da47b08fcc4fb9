//! Two nodes whose server goes away: what they owe to their clients meanwhile, and when it is back.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use sse_runtime::engine::Health;
use sse_runtime::testing::{ReceivedEvent, TestStream};
use sse_runtime::{Hub, PublishError, Topic};
use tokio::time::{sleep, timeout};

use super::OnServer;
use crate::client::{Event, follow};
use crate::log::Log;
use crate::node::{Serving, client, position, publish_for};
use crate::server::Server as _;

/// How long anybody may wait for an answer, whatever the server does.
const ANSWER: Duration = Duration::from_secs(15);
/// How long a subscriber may hear nothing after the server is back.
const SILENCE: Duration = Duration::from_secs(2);
/// What a machine may add that has other things to do.
const NOISE: Duration = Duration::from_secs(1);
const TOPIC: &str = "news";
/// How many events there are before anything happens; a hub of these tests holds four.
const BEFORE: usize = 20;

pub(super) struct Scene {
    engine: &'static str,
    log: Log,
    start: String,
    nodes: [(Hub, Serving); 2],
    streams: [TestStream; 2],
    /// The id of each event that was acknowledged, and of those that were not, whether they had a key.
    acknowledged: HashMap<String, String>,
    unknown: Mutex<HashMap<String, bool>>,
}

impl Scene {
    /// A browser at each node, which has got what was published so far.
    pub(super) async fn on<E: OnServer>(server: &E::Server) -> Self {
        let log = Log::on::<E>(server);
        let hubs = [log.small().await, log.small().await];
        let start = position(&hubs[0]).to_string();
        let mut streams =
            [client(&hubs[0]).get("/news").stream().await, client(&hubs[1]).get("/news").stream().await];
        for stream in &mut streams {
            assert_eq!(stream.next().await.name, "sse-open");
        }
        let mut acknowledged = HashMap::new();
        for number in 0..BEFORE {
            let text = number.to_string();
            let id = publish_for(&hubs[number % 2], TOPIC, &text, ANSWER).await.to_string();
            for stream in &mut streams {
                assert_eq!(stream.expect("message", &text).await.id.as_deref(), Some(id.as_str()));
            }
            acknowledged.insert(text, id);
        }
        let [a, b] = hubs;
        let nodes = [(a.clone(), Serving::start(&a).await), (b.clone(), Serving::start(&b).await)];
        Self { engine: E::Server::NAME, log, start, nodes, streams, acknowledged, unknown: Mutex::default() }
    }

    /// Waits until both hubs say that the server is away.
    pub(super) async fn is_down(&self, since: Instant) {
        are_down(self.engine, &self.nodes, since).await;
    }

    /// While the server is away, everybody gets an answer in time, and is told. To be called with another text each time.
    pub(super) async fn nobody_waits_for_ever(&mut self, text: &str) {
        let Self { engine, nodes, streams, .. } = self;
        let (hub, serving) = &nodes[0];
        let publish = async |keyed: bool| {
            let text = format!("{text}, keyed {keyed}");
            let topic: Topic = hub.topic(TOPIC);
            let publishing = topic.publish(text.as_str());
            let publishing = if keyed { publishing.dedupe(text.clone()) } else { publishing };
            let error = publishing.await.expect_err("nobody can have acknowledged it");
            assert!(matches!(&error, PublishError::Engine { topic, .. } if topic == TOPIC), "{error:?}");
            println!("{engine}: {text:?}: {error}");
            self.unknown.lock().expect("no panic").insert(text, keyed);
        };
        // Either it can be opened without a server, or not.
        let somewhere_new = async {
            match first(serving, &format!("/{}", text.replace(' ', "_")), "").await {
                Ok(event) => assert!(["sse-open", "failure"].contains(&event.name.as_str()), "{event:?}"),
                Err(status) => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
            }
        };
        let from_the_log = async {
            match first(serving, "/news", &self.acknowledged["1"]).await {
                Ok(event) => assert_eq!(event.name, "failure", "only the log has it: {event:?}"),
                Err(status) => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
            }
        };
        let alive = async {
            for stream in streams {
                // Those from before.
                stream.silent_for(Duration::from_millis(10)).await;
                for _ in 0..3 {
                    stream.expect_keep_alive().await;
                }
            }
        };
        let down = are_down(engine, nodes, Instant::now());
        tokio::join!(
            in_time(engine, "an event with a key", publish(true)),
            in_time(engine, "an event without one", publish(false)),
            in_time(engine, "the first visit of a new topic", somewhere_new),
            in_time(engine, "a visit that needs the log", from_the_log),
            in_time(engine, "keep-alives of open streams", alive),
            down,
        );
    }

    /// Who comes back to a node, and has missed only what the node holds itself, needs no server.
    pub(super) async fn the_ring_is_there(&self, newest: &[&str]) {
        for (_, serving) in &self.nodes {
            let begun = Instant::now();
            let last = &self.acknowledged[newest[0]];
            let mut stream =
                follow(serving.address, "/news", last).await.expect("it lives").expect("it has it itself");
            let open = stream.next().await.expect("where it stands");
            assert!(open.data.contains(r#""resumed":true"#), "{open:?}");
            for text in &newest[1..] {
                assert_eq!(stream.next().await.expect("an event").data, *text);
            }
            assert!(begun.elapsed() < NOISE, "{:?}", begun.elapsed());
        }
    }

    /// The server answers again since `back`: everybody hears the next event soon, whoever publishes it.
    pub(super) async fn goes_on(&mut self, back: Instant, text: &str) {
        let soon = SILENCE + NOISE;
        let engine = self.engine;
        // Somebody who has nothing to recover from.
        let begun = Instant::now();
        let other = self.log.small().await;
        let beginning = begun.elapsed();
        let by_other = format!("{text}, by another node");
        let id = publish_for(&other, TOPIC, &by_other, soon).await.to_string();
        let mut heard = Vec::new();
        for stream in &mut self.streams {
            let event = timeout(soon, next_but(stream, &self.unknown)).await;
            let event = event.unwrap_or_else(|_| panic!("silent for {soon:?} after the server was back"));
            assert_eq!((event.data.as_str(), event.id.as_deref()), (by_other.as_str(), Some(id.as_str())));
            heard.push(back.elapsed() - beginning);
        }
        println!("{engine}: {text}: heard the next event {heard:.1?} after the server was back");
        assert!(heard.iter().all(|heard| *heard < SILENCE), "{heard:?}");
        self.acknowledged.insert(by_other, id);

        for number in 0..2 {
            let by_itself = format!("{text}, by node {number}");
            let id = publish_for(&self.nodes[number].0, TOPIC, &by_itself, soon).await.to_string();
            let published = back.elapsed();
            for stream in &mut self.streams {
                let event = next_but(stream, &self.unknown).await;
                assert_eq!(
                    (event.data.as_str(), event.id.as_deref()),
                    (by_itself.as_str(), Some(id.as_str()))
                );
            }
            println!("{engine}: {text}: node {number} published {published:.1?} after the server was back");
            assert!(published < soon, "{published:?}");
            self.acknowledged.insert(by_itself, id);
        }
        for (hub, _) in &self.nodes {
            while !hub.health().is_up() {
                assert!(back.elapsed() < soon, "{} after {:?}", hub.health(), back.elapsed());
                sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// What had a key is published again. Then everything that was acknowledged is there once, and the rest at most once.
    pub(super) async fn nothing_is_lost_or_doubled(mut self) {
        let unknown = self.unknown.into_inner().expect("no panic");
        for (text, _) in unknown.iter().filter(|(_, keyed)| **keyed) {
            let id = publish_for(&self.nodes[1].0, TOPIC, text, ANSWER).await;
            self.acknowledged.insert(text.clone(), id.to_string());
        }
        publish_for(&self.nodes[0].0, TOPIC, "end", ANSWER).await;
        let late = self.log.small().await;
        let mut there: HashMap<String, String> = HashMap::new();
        let mut events = client(&late).get("/news").last_event_id(&self.start).stream().await;
        assert_eq!(events.next().await.name, "sse-open");
        loop {
            let event = events.next().await;
            if event.data == "end" {
                break;
            }
            assert_eq!(event.name, "message", "{event:?}");
            let before = there.insert(event.data.clone(), event.id.expect("every one has an id"));
            assert_eq!(before, None, "{:?} is there twice", event.data);
        }
        for (text, id) in &self.acknowledged {
            assert_eq!(there.remove(text).as_ref(), Some(id), "{text:?} was acknowledged");
        }
        assert!(there.keys().all(|text| unknown.contains_key(text)), "{there:?}");
    }
}

async fn in_time(engine: &str, what: &str, answer: impl Future<Output = ()>) {
    let begun = Instant::now();
    let answered = timeout(ANSWER, answer).await;
    answered.unwrap_or_else(|_| panic!("{engine}: {what}: no answer in {ANSWER:?}"));
    println!("{engine}: {what}: after {:.1?}", begun.elapsed());
}

/// Waits until all hubs say that the server is away, and why; also those that have nothing to publish.
async fn are_down(engine: &str, nodes: &[(Hub, Serving)], since: Instant) {
    for (number, (hub, _)) in nodes.iter().enumerate() {
        let reason = loop {
            match hub.health() {
                Health::Down { reason, .. } => break reason.to_string(),
                _ => assert!(since.elapsed() < ANSWER, "node {number} notices nothing in {ANSWER:?}"),
            }
            sleep(Duration::from_millis(5)).await;
        };
        assert!(!reason.is_empty());
        println!("{engine}: node {number} is down after {:.1?}: {reason}", since.elapsed());
    }
}

/// The next event that is not one of those of which nobody knew whether they would come.
async fn next_but(stream: &mut TestStream, unknown: &Mutex<HashMap<String, bool>>) -> ReceivedEvent {
    loop {
        let event = stream.next().await;
        if !unknown.lock().expect("no panic").contains_key(&event.data) {
            assert_eq!(event.name, "message", "{event:?}");
            return event;
        }
    }
}

/// The first that a client is told: an event, or a status.
async fn first(serving: &Serving, path: &str, last: &str) -> Result<Event, StatusCode> {
    let mut stream = follow(serving.address, path, last).await.expect("the node lives")?;
    Ok(stream.next().await.expect("an event before the end"))
}
