//! Several nodes on one log.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use sse_runtime::engine::{Answer, Engine, Feed, Log, Page, Record};
use sse_runtime::{Hub, Message, Topic};

use crate::broker::{Broker, Delivers, Node};
use crate::{client, expect, hub, opened, publish, reset};

const SECOND: Duration = Duration::from_secs(1);
const WAYS: [(Delivers, &[&str]); 4] = [
    (Delivers::Open, &["a"]),
    (Delivers::Open, &["a", "b"]),
    (Delivers::Everything, &["a"]),
    (Delivers::Everything, &["a", "b"]),
];

#[tokio::test(start_paused = true)]
async fn a_client_goes_on_at_another_node() {
    for (delivers, topics) in WAYS {
        let broker = Broker::keeping(1000);
        let (here, there) = (broker.node().delivers(delivers), broker.node().delivers(delivers));
        let (first, second) = (hub(&here).await, hub(&there).await);
        let path = format!("/{}", topics.join(","));
        let mut events = client(&first).get(&path).stream().await;
        opened(&mut events, false).await;
        publish(&second, topics, 0..10).await;
        expect(&mut events, 0..10).await;
        let id = events.last_event_id().to_owned();
        drop(events);
        publish(&first, topics, 10..15).await;
        publish(&second, topics, 15..40).await;
        // Nobody has followed here before.
        let mut events = client(&second).get(&path).last_event_id(id).stream().await;
        opened(&mut events, true).await;
        expect(&mut events, 10..40).await;
        publish(&first, topics, 40..50).await;
        expect(&mut events, 40..50).await;
        // And back, from live to live.
        let id = events.last_event_id().to_owned();
        let mut events = client(&first).get(&path).last_event_id(id).stream().await;
        opened(&mut events, true).await;
        publish(&second, topics, 50..52).await;
        expect(&mut events, 50..52).await;
        events.silent_for(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_late_knows_the_ids_of_the_others_and_repeats_nothing() {
    for (delivers, topics) in WAYS {
        let broker = Broker::keeping(1000);
        let (node, late) = (broker.node().delivers(delivers), broker.node().delivers(delivers));
        let (ahead, behind) = (hub(&node).await, hub(&late).await);
        let path = format!("/{}", topics.join(","));
        let mut witness = client(&behind).get(&path).stream().await;
        opened(&mut witness, false).await;
        let mut events = client(&ahead).get(&path).stream().await;
        opened(&mut events, false).await;
        late.halt();
        publish(&ahead, topics, 0..10).await;
        expect(&mut events, 0..7).await;
        let id = events.last_event_id().to_owned();
        drop(events);
        let mut events = client(&behind).get(&path).last_event_id(&id).stream().await;
        opened(&mut events, true).await;
        events.silent_for(SECOND).await;
        // Once more, with the position that it was told.
        let mut again = events.reconnect().await;
        opened(&mut again, true).await;
        late.go_on();
        publish(&ahead, topics, 10..20).await;
        expect(&mut again, 7..20).await;
        again.silent_for(SECOND).await;
        expect(&mut witness, 0..20).await;
        witness.silent_for(SECOND).await;
        // What no node has is ahead.
        let (epoch, top) = id.split_once('-').expect("epoch and number");
        let top: u64 = top.parse().expect("a number");
        let asked = format!("{epoch}-{}", top + 1000);
        let mut events = client(&behind).get(&path).last_event_id(asked).stream().await;
        reset(&mut events, "ahead").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_of_a_topic_before_the_hub_knew_it_is_not_forgotten() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        let broker = Broker::keeping(1000);
        let (here, there) = (broker.node().delivers(delivers), broker.node().delivers(delivers));
        let (first, second) = (hub(&here).await, hub(&there).await);
        let start = first.topic::<Message>("a").position();
        publish(&first, &["a"], 0..3).await;
        there.caught_up().await;
        let mut events = client(&second).get("/a").last_event_id(start.as_str()).stream().await;
        opened(&mut events, true).await;
        expect(&mut events, 0..3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_published_while_a_hub_starts_is_not_forgotten() {
    for _ in 0..20 {
        let broker = Broker::keeping(1000);
        let first = hub(&broker.node()).await;
        let start = first.topic::<Message>("a").position();
        let late = broker.node().delivers(Delivers::Everything);
        let (second, _) = tokio::join!(hub(&late), publish(&first, &["a"], 0..4));
        late.caught_up().await;
        let mut events = client(&second).get("/a").last_event_id(start.as_str()).stream().await;
        opened(&mut events, true).await;
        expect(&mut events, 0..4).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_opened_late_does_not_make_others_skip() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        let broker = Broker::keeping(1000);
        let (node, late) = (broker.node().delivers(delivers), broker.node().delivers(delivers));
        let (ahead, behind) = (hub(&node).await, hub(&late).await);
        let mut events = client(&behind).get("/a,b").stream().await;
        opened(&mut events, false).await;
        late.halt();
        publish(&ahead, &["a", "b", "c"], 0..12).await;
        let request = client(&behind).get("/c");
        let other = tokio::spawn(async move { request.stream().await });
        tokio::time::sleep(SECOND).await;
        late.go_on();
        let mut other = other.await.expect("no panic");
        opened(&mut other, false).await;
        publish(&ahead, &["a", "b", "c"], 12..18).await;
        for n in (0..18).filter(|n| n % 3 < 2) {
            events.expect("message", &n.to_string()).await;
        }
        loop {
            let event = other.next().await;
            if event.data == "17" {
                break;
            }
        }
    }
}

/// Has its `close` run something first, as another thread could.
#[derive(Debug)]
struct Closing {
    inner: Node,
    first: Meanwhile,
}

#[derive(Clone, Default)]
struct Meanwhile(Arc<Mutex<Option<Action>>>);

type Action = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl Engine for Closing {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        self.inner.start(feed)
    }
    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        self.inner.open(topic)
    }
    fn close(&self, topic: &str) {
        let first = self.first.0.lock().expect("no panic").take();
        if let Some(first) = first.filter(|_| topic == "a") {
            first();
        }
        self.inner.close(topic);
    }
    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        self.inner.publish(topic, record)
    }
    fn top(&self) -> Answer<'_, u64> {
        self.inner.top()
    }
    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        self.inner.read(topic, after, until)
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_let_go_and_wanted_again_at_once_is_delivered() {
    let node = Broker::keeping(1000).node().latency(Duration::ZERO);
    let first = Meanwhile::default();
    let engine = Closing { inner: node.clone(), first: first.clone() };
    let hub = Hub::on(engine).topics(1).start().await.expect("started");
    publish(&hub, &["a"], 0..1).await;
    opened(&mut client(&hub).get("/a").stream().await, false).await;
    assert!(node.is_open("a"));
    let (request, again) = (client(&hub).get("/a"), Arc::new(Mutex::new(None)));
    let slot = Arc::clone(&again);
    *first.0.lock().expect("no panic") = Some(Box::new(move || {
        let mut stream = Box::pin(request.stream());
        let opened = (0..20).find_map(|_| (&mut stream).now_or_never());
        *slot.lock().expect("no panic") = Some(match opened {
            Some(stream) => futures_util::future::ready(stream).left_future(),
            None => stream.right_future(),
        });
    }));
    // The dropped stream's task lets go of the topic first.
    tokio::time::sleep(SECOND).await;
    for name in ["b", "c", "d"] {
        let _ = hub.topic::<Message>(name);
    }
    let again = again.lock().expect("no panic").take().expect("the topic was let go");
    let mut events = again.await;
    opened(&mut events, false).await;
    assert!(node.is_open("a"));
    publish(&hub, &["a"], 1..3).await;
    expect(&mut events, 1..3).await;
}

/// With threads, and without the paused clock: what only two at the same time can do wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_publish_arrive_and_leave_at_once() {
    const EACH: usize = 150;
    for delivers in [Delivers::Open, Delivers::Everything] {
        let broker = Broker::keeping(100_000);
        let node = || broker.node().delivers(delivers).latency(Duration::ZERO);
        let hubs = [hub(&node()).await, hub(&node()).await];
        let start = hubs[0].topic::<Message>("a").position().to_string();
        let mut tasks = tokio::task::JoinSet::new();
        for publisher in 0..4 {
            let topic: Topic = hubs[publisher % 2].topic(["a", "b"][publisher / 2]);
            tasks.spawn(async move {
                for n in 0..EACH {
                    topic.publish(format!("{publisher} {n}")).await.expect("published");
                }
            });
        }
        for reader in 0..8 {
            let clients = hubs.clone().map(|hub| client(&hub));
            let (path, publishers) = if reader % 2 == 0 { ("/b,a", 0..4) } else { ("/a", 0..2) };
            let mut last = start.clone();
            tasks.spawn(async move {
                let mut next = [0; 4];
                for visit in 0.. {
                    let mut events =
                        clients[(reader + visit) % 2].get(path).last_event_id(&last).stream().await;
                    opened(&mut events, true).await;
                    for _ in 0..37 {
                        if next[publishers.clone()].iter().all(|&next| next == EACH) {
                            return;
                        }
                        let event = events.next().await;
                        let (publisher, n) = event.data.split_once(' ').expect("two numbers");
                        let [publisher, n] =
                            [publisher, n].map(|text| text.parse::<usize>().expect("a number"));
                        assert_eq!(n, next[publisher], "in the order in which it was published, once");
                        next[publisher] += 1;
                    }
                    events.last_event_id().clone_into(&mut last);
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic");
        }
    }
}
