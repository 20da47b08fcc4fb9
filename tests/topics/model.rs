//! Random histories of a small hub, held against a model that knows every event ever published: each client gets all
//! that is later than where it stands, once and in order, or is told first, and rightly, why not.

mod client;
mod history;
mod steps;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use client::{Client, Counted, Expected, ensure};
use history::History;
use proptest::collection::vec;
use proptest::prelude::*;
use sse_runtime::testing::TestClient;
use sse_runtime::{Event, Hub, Message, Result as SseResult, Sse, Topic, routes, sse_route};
use steps::{Asked, Kind, Publish, Setup, Step, setup, step};
use tokio::time::Instant;

const TOPICS: usize = 4;
const CLIENTS: usize = 4;

/// What the snapshot of a topic shows: not all have as much, and one nothing.
fn snapshot_of(topic: usize) -> Vec<String> {
    (0..topic).map(|n| format!("{topic}.{n}")).collect()
}

async fn follow(sse: &Sse, hub: &Hub, snapshot: bool, names: &str) -> SseResult<()> {
    let topic = |name: &str| {
        let topic: Topic = hub.topic(name);
        let shown = snapshot_of(name.parse().unwrap_or_default());
        if !snapshot {
            return topic;
        }
        topic.snapshot(move || {
            let shown: Vec<_> = shown.iter().map(|data| Event::new("snapshot").data(data)).collect();
            async move { Ok(shown) }
        })
    };
    sse.follow_all(names.split(',').map(topic)).await?;
    Ok(())
}

#[sse_route("/disconnect/{snapshot}/{names}", send_timeout = "off", keep_alive = "off")]
async fn disconnect(sse: Sse, snapshot: bool, names: String, State(hub): State<Hub>) -> SseResult<()> {
    follow(&sse, &hub, snapshot, &names).await
}

#[sse_route("/skip/{snapshot}/{names}", slow = "skip", send_timeout = "off", keep_alive = "off")]
async fn skip(sse: Sse, snapshot: bool, names: String, State(hub): State<Hub>) -> SseResult<()> {
    follow(&sse, &hub, snapshot, &names).await
}

#[sse_route("/latest/{snapshot}/{names}", slow = "latest", send_timeout = "off", keep_alive = "off")]
async fn latest(sse: Sse, snapshot: bool, names: String, State(hub): State<Hub>) -> SseResult<()> {
    follow(&sse, &hub, snapshot, &names).await
}

/// Lets everything happen that can happen without the clock.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

struct World {
    hub: Hub,
    app: TestClient,
    setup: Setup,
    history: History,
    clients: [Option<(Kind, Client)>; CLIENTS],
    counted: Counted,
}

impl World {
    fn new(setup: Setup) -> Self {
        let hub = Hub::in_memory()
            .topic_events(setup.topic_events)
            .topic_bytes(setup.topic_bytes)
            .events(setup.events)
            .bytes(setup.bytes)
            .age(setup.age)
            .topics(setup.topics)
            .replay_bytes(setup.replay_bytes)
            .build();
        let app: Router = routes![disconnect, skip, latest].with_state(hub.clone());
        let mut history = History::new(setup, hub.topic::<Message>("0").position().as_str(), TOPICS);
        history.touch(0, &[]);
        Self {
            hub,
            app: TestClient::new(app),
            setup,
            history,
            clients: [const { None }; CLIENTS],
            counted: Counted::default(),
        }
    }

    /// The topics that somebody follows.
    fn used(&self) -> Vec<usize> {
        let open = self.clients.iter().flatten().filter(|(_, client)| !client.over);
        open.flat_map(|(_, client)| client.topics.iter().copied()).collect()
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Publish(all) => {
                for publish in all {
                    self.publish(publish).await?;
                }
            }
            Step::Connect(n, kind, asked) => self.connect(*n, kind.clone(), asked).await?,
            Step::Reconnect(n, asked) => {
                if let Some((kind, _)) = &self.clients[*n] {
                    self.connect(*n, kind.clone(), asked).await?;
                }
            }
            Step::Look(n, most) => {
                if let Some((_, client)) = &mut self.clients[*n] {
                    client.look(*most);
                }
            }
            Step::Stall(n) => {
                if let Some((_, client)) = &mut self.clients[*n] {
                    client.stall();
                }
            }
            Step::GoOn(n) => {
                if let Some((_, client)) = &mut self.clients[*n] {
                    client.go_on();
                }
            }
            Step::Leave(n) => self.leave(*n).await,
            Step::Advance(millis) => tokio::time::advance(Duration::from_millis(*millis)).await,
            Step::Touch(n) => {
                let _: Topic = self.hub.topic(format!("idle {n}"));
                let used = self.used();
                self.history.touch(TOPICS + n, &used);
            }
        }
        settle().await;
        let now = Instant::now();
        for (n, slot) in self.clients.iter_mut().enumerate() {
            let Some((_, client)) = slot else { continue };
            if client.stalled || client.over {
                continue;
            }
            client
                .follow(&self.history, now, &mut self.counted)
                .map_err(|error| format!("client {n}: {error}"))?;
            self.history.order_is_lost |= client.over;
        }
        self.check_numbers(now)
    }

    async fn publish(&mut self, publish: &Publish) -> Result<(), String> {
        let mut data = format!("{} of {}", self.history.top() + 1, publish.topic);
        for _ in 1..publish.lines {
            data.push('\n');
            data.push_str(&"x".repeat(publish.size));
        }
        let topic: Topic = self.hub.topic(publish.topic.to_string());
        let publishing = topic.publish(data.as_str());
        let id = match publish.key {
            Some(key) => publishing.key(key.to_string()).await,
            None => publishing.await,
        };
        let used = self.used();
        self.history.touch(publish.topic, &used);
        self.history.publish(publish.topic, publish.key, data, Instant::now());
        let (id, expected) = (id.map_err(|error| error.to_string())?, self.history.id(self.history.top()));
        ensure!(id.as_str() == expected, "published as {id}, not {expected}");
        Ok(())
    }

    async fn leave(&mut self, n: usize) {
        let Some((_, client)) = self.clients[n].take() else { return };
        let (topics, was_over) = (client.topics.clone(), client.over);
        drop(client);
        settle().await;
        if !was_over {
            let used = self.used();
            for topic in topics {
                self.history.touch(topic, &used);
            }
        }
    }

    async fn connect(&mut self, n: usize, kind: Kind, asked: &Asked) -> Result<(), String> {
        let last = self.clients[n].as_ref().and_then(|(_, client)| client.last.clone());
        self.leave(n).await;
        let top = self.history.top();
        let now_id = self.history.id(top);
        let (header, query) = match asked {
            Asked::Nothing => (None, None),
            Asked::Last => (last, None),
            Asked::LastInQuery => (None, last),
            Asked::LastAndNow => (last, Some(now_id)),
            Asked::Any(part) => (Some(self.history.id(top * u64::from(*part) / 255)), None),
            Asked::Ahead(by) => (Some(self.history.id(top.saturating_add(*by))), None),
            Asked::Foreign => (Some("1-1".to_owned()), None),
            Asked::Malformed(which) => (Some(self.malformed(*which)), None),
        };
        let names: Vec<_> = kind.topics.iter().map(ToString::to_string).collect();
        let route = format!("{:?}", kind.slow).to_lowercase();
        let mut path = format!("/{route}/{}/{}", kind.snapshot, names.join(","));
        // A malformed id that is kept from an earlier visit is in no shape for a query.
        let query = query.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        if let Some(id) = &query {
            path = format!("{path}?last_event_id={id}");
        }
        let mut request = self.app.get(&path);
        if let Some(id) = &header {
            request = request.last_event_id(id);
        }
        let asked = header.or(query);
        let stream = request.stream().await;
        let used = self.used();
        for &topic in &kind.topics {
            self.history.touch(topic, &used);
        }
        settle().await;
        let now = Instant::now();
        let expected = self.expected(asked.as_deref(), &kind.topics, now);
        let mut client = Client::new(stream, kind.topics.clone(), (kind.slow, kind.snapshot), asked);
        client
            .begin(&expected, &self.history, now, &mut self.counted)
            .map_err(|error| format!("client {n}: {error}"))?;
        self.clients[n] = Some((kind, client));
        Ok(())
    }

    fn malformed(&self, which: usize) -> String {
        let id = self.history.id(1);
        let all = [
            "17".to_owned(),
            "not an id".to_owned(),
            format!("{id}-1"),
            format!("0{id}"),
            id.replace('-', "-0"),
            id.replace('-', "-+"),
            id.replace('-', "--"),
            id.replace('-', "-99999999999999999999"),
            format!("0x{id}"),
            "x".repeat(2000),
        ];
        all[which % all.len()].clone()
    }

    /// How the stream of a client may begin.
    fn expected(&self, asked: Option<&str>, topics: &[usize], now: Instant) -> Vec<Expected> {
        let Some(asked) = asked else { return vec![Expected::New] };
        let here = self.history.id(0);
        let epoch = here.trim_end_matches('0');
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| number.to_string() == text);
        let Some(seq) = asked.strip_prefix(epoch).and_then(number) else {
            return vec![Expected::Reset(if asked == "1-1" { "epoch" } else { "malformed" })];
        };
        if seq > self.history.top() {
            return vec![Expected::Reset("ahead")];
        }
        let gone = |topic: &&usize| self.history.surely_gone_for_resume(**topic, now) > seq;
        let may_be_gone = |topic: &&usize| self.history.maybe_gone(**topic, now) > seq;
        let mut expected = Vec::new();
        let bytes: usize = topics.iter().map(|&topic| self.history.bytes_after(topic, seq)).sum();
        if bytes > self.setup.replay_bytes {
            expected.push(Expected::Reset("too_far"));
        } else if !topics.iter().any(|topic| gone(&topic)) {
            expected.push(Expected::Resumed(seq));
        }
        if topics.iter().any(|topic| may_be_gone(&topic)) {
            expected.push(Expected::Reset("evicted"));
        }
        expected
    }

    fn check_numbers(&self, now: Instant) -> Result<(), String> {
        let (stats, counted) = (self.hub.stats(), &self.counted);
        ensure!(stats.published == self.history.top(), "published: {stats:?}");
        ensure!(stats.subscribers == self.used().len(), "subscribers: {stats:?}");
        ensure!(
            (stats.resumed, stats.reset) == (counted.resumed, counted.reset),
            "resumed, reset: {stats:?}"
        );
        ensure!(stats.fell_behind == counted.fell_behind, "fell behind {}: {stats:?}", counted.fell_behind);
        let enough = stats.missed == counted.missed || (counted.at_least && stats.missed > counted.missed);
        ensure!(enough, "missed {}: {stats:?}", counted.missed);
        ensure!(stats.events <= self.history.count(), "more events than {}: {stats:?}", self.history.count());
        ensure!(stats.bytes <= self.history.bytes(), "more bytes than {}: {stats:?}", self.history.bytes());
        if self.setup.topics >= 1000 {
            let young = self.history.young(now);
            ensure!(stats.events >= young, "fewer events than {young}: {stats:?}");
            let same = stats.events != self.history.count() || stats.bytes == self.history.bytes();
            ensure!(same, "not {} bytes: {stats:?}", self.history.bytes());
        }
        Ok(())
    }
}

async fn play(setup: Setup, steps: &[Step]) -> Result<(), String> {
    let mut world = World::new(setup);
    for (n, step) in steps.iter().enumerate() {
        world.step(step).await.map_err(|error| format!("step {n}, {step:?}: {error}"))?;
    }
    // Whoever does not read now reads at last.
    for n in 0..CLIENTS {
        world.step(&Step::GoOn(n)).await.map_err(|error| format!("at the end: {error}"))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn every_client_gets_everything_once_or_is_told(setup in setup(), steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
        runtime.block_on(play(setup, &steps)).map_err(TestCaseError::fail)?;
    }
}
