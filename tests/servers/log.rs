//! A log on a server, which nodes share.

use sse_runtime::engine::Engine;
use sse_runtime::{Hub, HubBuilder};

use crate::server::{Server, fresh_name};
use crate::suite::OnServer;

/// Where it is, and how to get there.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) url: String,
    pub(crate) name: String,
    engine: fn(&str, &str, u64) -> Box<dyn Engine>,
    keeps: u64,
}

impl Log {
    /// One that is new, and keeps more than any test publishes.
    pub(crate) fn on<E: OnServer>(server: &E::Server) -> Self {
        Self::at::<E>(server.url(), fresh_name())
    }

    pub(crate) fn at<E: OnServer>(url: String, name: String) -> Self {
        Self { url, name, engine: E::engine, keeps: 1_000_000 }
    }

    /// The same, of which about so many of the newest events are kept.
    pub(crate) fn keeping(self, events: u64) -> Self {
        Self { keeps: events, ..self }
    }

    /// A hub to be, on one more engine.
    pub(crate) fn hub(&self) -> HubBuilder<Box<dyn Engine>> {
        Hub::on((self.engine)(&self.url, &self.name, self.keeps))
    }

    /// A hub that holds so little itself that the log has to be asked.
    pub(crate) async fn small(&self) -> Hub {
        start(self.hub().topic_events(4)).await
    }
}

pub(crate) async fn start(hub: HubBuilder<Box<dyn Engine>>) -> Hub {
    sse_tests::within_limit("a hub", hub.start()).await.expect("the server is there")
}
