//! A hub's numbers, which somebody has to read: it has no clock of its own.

use metrics::SharedString;

use super::table;
use crate::topic::{Hub, HubStats};

impl Hub {
    /// Brings the hub's metrics up to date: `sse_hub_topics` and the others, with `hub` as their label of that name. To
    /// be called before each scrape, or every few seconds; see [the guide](crate::guide::observability). It reads
    /// [`stats`](Self::stats), which looks at every topic once. Needs the feature `metrics`.
    ///
    /// Give each hub of a program a name of its own: two with the same overwrite each other. `hub` becomes a label, so
    /// it should not be something that clients choose.
    ///
    /// ```
    /// use sse_runtime::Hub;
    ///
    /// let hub = Hub::in_memory().build();
    /// hub.record_metrics("rooms"); // with the recorder of the program; does nothing if there is none
    /// ```
    pub fn record_metrics(&self, hub: impl Into<String>) {
        let hub = [SharedString::from(hub.into())];
        let HubStats { topics, subscribers, events, bytes, published, outages, .. } = self.stats();
        table::describe(&table::HUBS);
        table::HUB_TOPICS.gauge(&hub).set(number(topics));
        table::HUB_SUBSCRIBERS.gauge(&hub).set(number(subscribers));
        table::HUB_KEPT_EVENTS.gauge(&hub).set(number(events));
        table::HUB_KEPT_BYTES.gauge(&hub).set(number(bytes));
        table::HUB_PUBLISHED_EVENTS.counter(&hub).absolute(published);
        table::HUB_ENGINE_UP.gauge(&hub).set(number(usize::from(self.health().is_up())));
        table::HUB_ENGINE_OUTAGES.counter(&hub).absolute(outages);
    }
}

/// Exact up to 2^53, and nothing here comes near that.
#[allow(clippy::cast_precision_loss)]
fn number(count: usize) -> f64 {
    count as f64
}
