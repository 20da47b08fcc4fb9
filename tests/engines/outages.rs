//! An engine that goes down is heard of: in the log, and by the metrics.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sse_runtime::Hub;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::broker::Broker;
use crate::hub;
use recorder::Recorded;

#[path = "../behaviour/metrics/recorder.rs"]
#[allow(dead_code, reason = "shared")]
mod recorder;

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
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn an_engine_that_goes_down_is_in_the_log_and_in_the_metrics() {
    let node = Broker::keeping(10).node();
    let hub = hub(&node).await;
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

    node.say(Ok(()));
    assert_eq!((measured(), logged()), (("1".to_owned(), 0), Vec::new()), "nothing new");
    node.say(Err("connection refused"));
    node.say(Err("no route"));
    assert_eq!(measured(), ("0".to_owned(), 1), "one outage");
    node.say(Ok(()));
    assert_eq!(measured(), ("1".to_owned(), 1));
    node.say(Err("connection refused"));
    assert_eq!(measured(), ("0".to_owned(), 2));

    let lines = logged();
    let levels: Vec<_> = lines.iter().map(|(level, _, up)| (*level, *up)).collect();
    let expected = [(Level::WARN, false), (Level::DEBUG, false), (Level::INFO, true), (Level::WARN, false)];
    assert_eq!(levels, expected, "{lines:?}");
    assert!(lines[0].1.contains("is down") && lines[0].1.contains("connection refused"), "{lines:?}");
    assert!(lines[1].1.contains("still down") && lines[1].1.contains("no route"), "{lines:?}");
    assert!(lines[2].1.contains("up again") && lines[2].1.contains("after="), "{lines:?}");
}
