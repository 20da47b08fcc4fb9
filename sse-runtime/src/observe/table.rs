//! Every metric: its name, its labels, what it says. `docs/observability.md` has the same table for readers, and a
//! test holds the two against each other.
//!
//! Names are Prometheus's: the unit at the end, `_total` behind that for what only grows. Labels have few values, all
//! of which the program's text knows: nothing that a client sends becomes one.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, SharedString, Unit, with_recorder};

/// The path of a stream's route, as it is declared.
const ROUTE: &str = "route";
/// Why a stream ended, by `DisconnectReason::as_str`.
const REASON: &str = "reason";
/// Which limit was reached, by `Limit::as_str`.
const LIMIT: &str = "limit";
/// How following began: `fresh`, `resumed`, or a reset's reason, by `ResetReason::as_str`.
const OUTCOME: &str = "outcome";
/// What the program calls a hub.
const HUB: &str = "hub";

/// Of each route.
pub(super) const STREAMS: [&Metric; 12] = [
    &STREAMS_OPEN,
    &STREAMS_OPENED,
    &STREAMS_ENDED,
    &STREAMS_REFUSED,
    &STREAM_DURATION,
    &SENT_EVENTS,
    &SENT_BYTES,
    &SEND_WAITS,
    &KEEP_ALIVES,
    &FOLLOWS,
    &FELL_BEHIND,
    &MISSED_EVENTS,
];

pub(super) const STREAMS_OPEN: Metric = gauge(
    "sse_streams_open",
    Unit::Count,
    &[ROUTE],
    "Streams whose handler has begun and that are not over.",
);
pub(super) const STREAMS_OPENED: Metric =
    counter("sse_streams_opened_total", Unit::Count, &[ROUTE], "Streams whose handler has begun.");
pub(super) const STREAMS_ENDED: Metric = counter(
    "sse_streams_ended_total",
    Unit::Count,
    &[ROUTE, REASON],
    "Streams that are over, by why they ended.",
);
pub(super) const STREAMS_REFUSED: Metric = counter(
    "sse_streams_refused_total",
    Unit::Count,
    &[ROUTE, LIMIT],
    "Requests for whose stream there was no place.",
);
pub(super) const STREAM_DURATION: Metric = histogram(
    "sse_stream_duration_seconds",
    Unit::Seconds,
    &[ROUTE],
    "How long streams lasted that are over.",
);
pub(super) const SENT_EVENTS: Metric =
    counter("sse_sent_events_total", Unit::Count, &[ROUTE], "Events handed to connections.");
pub(super) const SENT_BYTES: Metric =
    counter("sse_sent_bytes_total", Unit::Bytes, &[ROUTE], "Bytes of body handed to connections.");
pub(super) const SEND_WAITS: Metric = counter(
    "sse_send_waits_total",
    Unit::Count,
    &[ROUTE],
    "Times that a stream's sends waited, because 32 KiB were queued.",
);
pub(super) const KEEP_ALIVES: Metric =
    counter("sse_keep_alives_total", Unit::Count, &[ROUTE], "Keep-alive comments handed to connections.");
pub(super) const FOLLOWS: Metric = counter(
    "sse_follows_total",
    Unit::Count,
    &[ROUTE, OUTCOME],
    "Streams that began, or asked, to follow topics, by what came of it.",
);
pub(super) const FELL_BEHIND: Metric = counter(
    "sse_fell_behind_total",
    Unit::Count,
    &[ROUTE],
    "Times that a stream fell behind what its topic keeps.",
);
pub(super) const MISSED_EVENTS: Metric = counter(
    "sse_missed_events_total",
    Unit::Count,
    &[ROUTE],
    "Events that streams which fell behind did not get.",
);

/// Of each hub.
pub(super) const HUBS: [&Metric; 7] = [
    &HUB_TOPICS,
    &HUB_SUBSCRIBERS,
    &HUB_KEPT_EVENTS,
    &HUB_KEPT_BYTES,
    &HUB_PUBLISHED_EVENTS,
    &HUB_ENGINE_UP,
    &HUB_ENGINE_OUTAGES,
];

pub(super) const HUB_TOPICS: Metric = gauge("sse_hub_topics", Unit::Count, &[HUB], "Topics known.");
pub(super) const HUB_SUBSCRIBERS: Metric =
    gauge("sse_hub_subscribers", Unit::Count, &[HUB], "Streams that follow a topic, once for each topic.");
pub(super) const HUB_KEPT_EVENTS: Metric =
    gauge("sse_hub_kept_events", Unit::Count, &[HUB], "Events kept for clients that come back.");
pub(super) const HUB_KEPT_BYTES: Metric =
    gauge("sse_hub_kept_bytes", Unit::Bytes, &[HUB], "Bytes of the events kept.");
pub(super) const HUB_PUBLISHED_EVENTS: Metric = counter(
    "sse_hub_published_events_total",
    Unit::Count,
    &[HUB],
    "Events that have arrived, of all topics.",
);

pub(super) const HUB_ENGINE_UP: Metric =
    gauge("sse_hub_engine_up", Unit::Count, &[HUB], "1 if the engine works, 0 if it is down.");
pub(super) const HUB_ENGINE_OUTAGES: Metric =
    counter("sse_hub_engine_outages_total", Unit::Count, &[HUB], "Times that the engine went down.");

/// What recorders filter by.
const METADATA: Metadata<'static> = Metadata::new("sse_runtime", Level::INFO, Some("sse_runtime"));

pub(super) struct Metric {
    name: &'static str,
    kind: Kind,
    unit: Unit,
    labels: &'static [&'static str],
    says: &'static str,
}

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const fn counter(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    says: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Counter, unit, labels, says }
}

const fn gauge(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    says: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, labels, says }
}

const fn histogram(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    says: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram, unit, labels, says }
}

/// Tells the recorder what the metrics mean; it is fine to do so again.
pub(super) fn describe(metrics: &[&Metric]) {
    with_recorder(|recorder| {
        for &Metric { name, ref kind, unit, says, .. } in metrics.iter().copied() {
            match kind {
                Kind::Counter => recorder.describe_counter(name.into(), Some(unit), says.into()),
                Kind::Gauge => recorder.describe_gauge(name.into(), Some(unit), says.into()),
                Kind::Histogram => recorder.describe_histogram(name.into(), Some(unit), says.into()),
            }
        }
    });
}

impl Metric {
    /// The values of its labels, in the table's order.
    fn key(&self, values: &[SharedString]) -> Key {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.name);
        let labels = self.labels.iter().zip(values).map(|(&label, value)| Label::new(label, value.clone()));
        Key::from_parts(self.name, labels.collect::<Vec<_>>())
    }

    pub(super) fn counter(&self, values: &[SharedString]) -> Counter {
        with_recorder(|recorder| recorder.register_counter(&self.key(values), &METADATA))
    }

    pub(super) fn gauge(&self, values: &[SharedString]) -> Gauge {
        with_recorder(|recorder| recorder.register_gauge(&self.key(values), &METADATA))
    }

    pub(super) fn histogram(&self, values: &[SharedString]) -> Histogram {
        with_recorder(|recorder| recorder.register_histogram(&self.key(values), &METADATA))
    }
}
