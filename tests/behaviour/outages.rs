//! An engine that goes down is heard of: in the log, and by the metrics.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sse_runtime::Hub;
use sse_runtime::engine::{Answer, Engine, EngineError, Feed, Log, Memory, Page, Record};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::metrics::recorder::Recorded;

/// Whoever has its feed says how it is.
#[derive(Debug)]
struct Fickle {
    events: Memory,
    feed: Arc<OnceLock<Feed>>,
}

impl Engine for Fickle {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        self.feed.set(feed.clone()).expect("started once");
        self.events.start(feed)
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        self.events.open(topic)
    }

    fn close(&self, topic: &str) {
        self.events.close(topic);
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        self.events.publish(topic, record)
    }

    fn top(&self) -> Answer<'_, u64> {
        self.events.top()
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        self.events.read(topic, after, until)
    }
}

/// A log that says with each line how the hub is, as one that is sent somewhere may.
#[derive(Clone, Default)]
struct Lines {
    hub: Arc<OnceLock<Hub>>,
    lines: Arc<Mutex<Vec<(Level, String, bool)>>>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes everything");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sse_runtime")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let up = self.hub.get().expect("the hub is there").health().is_up();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push((*event.metadata().level(), line.0, up));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn an_engine_that_goes_down_is_in_the_log_and_in_the_metrics() {
    let engine = Fickle { events: Memory::new(), feed: Arc::default() };
    let feed = Arc::clone(&engine.feed);
    let hub = Hub::on(engine).start().await.expect("started");
    let feed = feed.get().expect("started");
    let log = Lines::default();
    log.hub.set(hub.clone()).expect("once");
    let _logged = tracing::subscriber::set_default(log.clone());
    let recorded = Recorded::default();
    let _recorded = recorded.here();
    let measured = || {
        hub.record_metrics("rooms");
        let up = recorded.gauge("sse_hub_engine_up", &[("hub", "rooms")]);
        (up.to_string(), recorded.counted("sse_hub_engine_outages_total", &[("hub", "rooms")]))
    };
    let logged = || log.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();

    feed.up();
    assert_eq!((measured(), logged()), (("1".to_owned(), 0), Vec::new()), "nothing new");
    feed.down(EngineError::new("connection refused"));
    feed.down(EngineError::new("no route"));
    assert_eq!(measured(), ("0".to_owned(), 1), "one outage");
    feed.up();
    assert_eq!(measured(), ("1".to_owned(), 1));
    feed.down(EngineError::new("connection refused"));
    assert_eq!(measured(), ("0".to_owned(), 2));

    let lines = logged();
    let levels: Vec<_> = lines.iter().map(|(level, _, up)| (*level, *up)).collect();
    let expected = [(Level::WARN, false), (Level::DEBUG, false), (Level::INFO, true), (Level::WARN, false)];
    assert_eq!(levels, expected, "{lines:?}");
    assert!(lines[0].1.contains("is down") && lines[0].1.contains("connection refused"), "{lines:?}");
    assert!(lines[1].1.contains("still down") && lines[1].1.contains("no route"), "{lines:?}");
    assert!(lines[2].1.contains("up again") && lines[2].1.contains("after="), "{lines:?}");
}
