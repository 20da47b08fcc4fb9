//! From the request that publishes to the clients that receive: one trace, over all nodes.

use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::Duration;

use futures_util::FutureExt as _;
use sse_runtime::{Hub, HubBuilder, Sse, Topic};
use tokio::task_local;
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

use crate::broker::{Broker, Node};
use crate::{client, expect, opened, publish};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

task_local! {
    static TRACEPARENT: String;
}

/// What is logged of deliveries.
#[derive(Clone, Default)]
struct Deliveries {
    seen: Arc<Mutex<Vec<Delivery>>>,
    /// A log that is shown on a stream, as each line comes.
    shown_on: Arc<Mutex<Option<Topic>>>,
    off: bool,
    spans: Arc<Mutex<Spans>>,
}

/// Those there were, and those that are entered.
#[derive(Default)]
struct Spans {
    all: Vec<&'static Metadata<'static>>,
    entered: Vec<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Delivery {
    traceparent: String,
    id: String,
    topic: String,
    /// The span that it was said in.
    within: String,
}

impl Visit for Delivery {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "traceparent" => value.clone_into(&mut self.traceparent),
            "topic" => value.clone_into(&mut self.topic),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "id" {
            self.id = format!("{value:?}");
        }
    }
}

impl Subscriber for Deliveries {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !self.off && metadata.target().starts_with("sse_runtime")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.off { LevelFilter::OFF } else { LevelFilter::DEBUG })
    }

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() != "sse_runtime::delivery" {
            return;
        }
        assert_eq!(*event.metadata().level(), Level::DEBUG);
        let within = self.current_span().metadata().map_or_else(String::new, |span| span.name().to_owned());
        let mut delivery = Delivery { within, ..Delivery::default() };
        event.record(&mut delivery);
        // Would never return if a stream's or a ring's lock were held.
        let shown_on = self.shown_on.lock().expect("no panic").clone();
        if let Some(topic) = shown_on {
            topic.publish(delivery.id.as_str()).now_or_never();
        }
        self.seen().push(delivery);
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.spans();
        spans.all.push(span.metadata());
        Id::from_u64(spans.all.len() as u64)
    }

    fn current_span(&self) -> Current {
        let spans = self.spans();
        let Some(&id) = spans.entered.last() else { return Current::none() };
        Current::new(Id::from_u64(id), spans.all[usize::try_from(id).expect("small") - 1])
    }

    fn enter(&self, id: &Id) {
        self.spans().entered.push(id.into_u64());
    }

    fn exit(&self, id: &Id) {
        assert_eq!(self.spans().entered.pop(), Some(id.into_u64()));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

impl Deliveries {
    fn spans(&self) -> MutexGuard<'_, Spans> {
        self.spans.lock().expect("no panic")
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Delivery>> {
        self.seen.lock().expect("no panic")
    }

    /// Those since it was asked last.
    fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut *self.seen())
    }
}

fn traced<E>(hub: HubBuilder<E>) -> HubBuilder<E> {
    hub.trace_context(|| TRACEPARENT.try_with(Clone::clone).ok())
}

async fn hub(node: &Node) -> Hub {
    traced(Hub::on(node.clone()).topic_events(4)).start().await.expect("started")
}

fn delivery(traceparent: &str, id: impl AsRef<str>) -> Delivery {
    let [traceparent, id, topic, within] = [traceparent, id.as_ref(), "a", "sse_stream"].map(str::to_owned);
    Delivery { traceparent, id, topic, within }
}

#[tokio::test(start_paused = true)]
async fn what_a_span_publishes_is_seen_to_arrive_at_every_node_and_when_it_is_replayed() {
    for path in ["/a", "/a,b"] {
        let log = Deliveries::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let broker = Broker::keeping(1000);
        let (here, there) = (broker.node(), broker.node());
        let (first, second) = (hub(&here).await, hub(&there).await);
        let mut near = client(&first).get(path).stream().await;
        let mut far = client(&second).get(path).stream().await;
        opened(&mut near, false).await;
        opened(&mut far, false).await;

        publish(&first, &["a"], 0..3).await;
        let ids = TRACEPARENT.scope(TRACE.to_owned(), publish(&first, &["a"], 3..5)).await;
        let topic: Topic = first.topic("a");
        let mine = TRACEPARENT.scope(TRACE.to_owned(), async { topic.publish("5").traceparent(OTHER).await });
        let mine = mine.await.expect("published");
        expect(&mut near, 0..6).await;
        expect(&mut far, 0..6).await;
        let expected = [delivery(TRACE, &ids[0]), delivery(TRACE, &ids[1]), delivery(OTHER, &mine)];
        let seen = log.take();
        assert_eq!(seen.len(), 6, "{seen:?}");
        for delivery in &expected {
            assert_eq!(seen.iter().filter(|seen| *seen == delivery).count(), 2, "{delivery:?} in {seen:?}");
        }

        // From the ring.
        let mut back = client(&first).get(path).last_event_id(ids[0].as_str()).stream().await;
        opened(&mut back, true).await;
        expect(&mut back, 4..6).await;
        assert_eq!(log.take(), expected[1..]);
        // From the log, on a node whose ring is empty.
        let third = hub(&broker.node()).await;
        let mut back = client(&third).get(path).last_event_id(ids[0].as_str()).stream().await;
        opened(&mut back, true).await;
        expect(&mut back, 4..6).await;
        assert_eq!(log.take(), expected[1..]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_context_nothing_is_said_and_what_is_none_is_left_out() {
    let log = Deliveries::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let hub = traced(Hub::in_memory()).build();
    let mut events = client(&hub).get("/a").stream().await;
    opened(&mut events, false).await;
    publish(&hub, &["a"], 0..3).await;
    let hostile = format!("{TRACE}\r\ndata: injected");
    TRACEPARENT.scope(hostile.clone(), publish(&hub, &["a"], 3..4)).await;
    hub.topic::<sse_runtime::Message>("a").publish("4").traceparent(hostile).await.expect("published");
    expect(&mut events, 0..5).await;
    assert!(!events.raw_text().contains("injected"));
    assert_eq!(log.take(), []);
    // What follows, as if nothing had been.
    let ids = TRACEPARENT.scope(TRACE.to_owned(), publish(&hub, &["a"], 5..6)).await;
    expect(&mut events, 5..6).await;
    assert_eq!(log.take(), [delivery(TRACE, &ids[0])]);
}

/// On a thread of its own, which has a limit: a line that is written under a lock of the topic would never return.
#[test]
fn a_log_that_is_shown_on_the_topic_itself_stands_in_nobodys_way() {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let log = Deliveries::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for path in ["/a", "/a,b"] {
                let hub = traced(Hub::in_memory()).build();
                *log.shown_on.lock().expect("no panic") = Some(hub.topic("a"));
                let mut events = client(&hub).get(path).stream().await;
                opened(&mut events, false).await;
                let ids = TRACEPARENT.scope(TRACE.to_owned(), publish(&hub, &["a"], 0..1)).await;
                events.expect("message", "0").await;
                events.expect("message", ids[0].as_str()).await;
            }
        });
        done.send(()).expect("the test waits");
    });
    ended.recv_timeout(Duration::from_secs(30)).expect("the streams go on");
}

#[sse_runtime::sse_route("/last")]
async fn last(sse: Sse, axum::extract::State(hub): axum::extract::State<Hub>) -> sse_runtime::Result<()> {
    let job = async {
        sleep(Duration::from_secs(1)).await;
        TRACEPARENT.scope(TRACE.to_owned(), publish(&hub, &["a"], 0..2)).await;
    };
    tokio::select! {
        biased;
        () = job => {}
        result = sse.follow(&hub.topic("a")) => result?,
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_leaves_with_the_end_of_the_stream_is_said_too() {
    let log = Deliveries::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let hub = traced(Hub::in_memory()).build();
    let app: axum::Router = sse_runtime::routes![last].with_state(hub.clone());
    let mut events = sse_runtime::testing::TestClient::new(app).get("/last").stream().await;
    opened(&mut events, false).await;
    expect(&mut events, 0..2).await;
    events.expect_end().await;
    assert_eq!(log.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_want_it_is_not_asked() {
    let log = Deliveries { off: true, ..Deliveries::default() };
    let _guard = tracing::subscriber::set_default(log.clone());
    let hub = traced(Hub::in_memory()).build();
    let mut events = client(&hub).get("/a").stream().await;
    opened(&mut events, false).await;
    TRACEPARENT.scope(TRACE.to_owned(), publish(&hub, &["a"], 0..3)).await;
    expect(&mut events, 0..3).await;
    assert_eq!(log.take(), []);
}
