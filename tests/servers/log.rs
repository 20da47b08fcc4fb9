//! A log on a server, which nodes share.

use std::time::Duration;

use sse_runtime::engine::Engine;
use sse_runtime::{Hub, HubBuilder};

use crate::server::{Server, fresh_name};
use crate::suite::OnServer;

/// Where it is, and what an engine on it is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    engine: fn(&Self) -> Box<dyn Engine>,
    pub(crate) url: String,
    pub(crate) name: String,
    /// About how many of the newest events are kept.
    pub(crate) keeps: u64,
    /// How long a publish waits for a server that is away.
    pub(crate) patience: Duration,
}

impl Log {
    /// One that is new, and keeps more than any test publishes.
    pub(crate) fn on<E: OnServer>(server: &E::Server) -> Self {
        Self::at::<E>(server.url(), fresh_name())
    }

    pub(crate) fn at<E: OnServer>(url: String, name: String) -> Self {
        Self { engine: E::engine, url, name, keeps: 1_000_000, patience: Duration::from_secs(10) }
    }

    pub(crate) fn keeping(self, keeps: u64) -> Self {
        Self { keeps, ..self }
    }

    pub(crate) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// A hub to be, on one more engine.
    pub(crate) fn hub(&self) -> HubBuilder<Box<dyn Engine>> {
        Hub::on((self.engine)(self))
    }

    /// A hub that holds so little itself that the log has to be asked.
    pub(crate) async fn small(&self) -> Hub {
        start(self.hub().topic_events(4)).await
    }
}

pub(crate) async fn start(hub: HubBuilder<Box<dyn Engine>>) -> Hub {
    sse_tests::within_limit("a hub", hub.start()).await.expect("the server is there")
}
