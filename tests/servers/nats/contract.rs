//! The contract, on a server that does nothing else.

use std::sync::Arc;

use sse_runtime::engine::Nats;
use sse_runtime::testing::engine_contract::{self, Subject};
use tokio::sync::OnceCell;

use super::by_hand::ByHand;
use crate::server::{self, Server as _, Shared, fresh_name};

static SERVER: Shared<server::Nats> = Shared::new();

struct OnNats {
    server: Arc<server::Nats>,
    events: Option<u64>,
    by_hand: OnceCell<ByHand>,
}

impl OnNats {
    async fn keeping(events: Option<u64>) -> Self {
        let server = SERVER.get().await;
        Self { server, events, by_hand: OnceCell::new() }
    }

    /// The server sets bytes aside for each stream.
    fn engine(&self, stream: &str) -> Nats {
        let engine = Nats::connect(self.server.url()).stream(stream).bytes(32 << 20);
        match self.events {
            Some(events) => engine.events(events),
            None => engine,
        }
    }
}

/// The stream that an engine was made for: it shows it to people only.
fn stream(engine: &Nats) -> String {
    let shown = format!("{engine:?}");
    shown.split('"').nth(1).expect("a name in quotes").to_owned()
}

impl Subject for OnNats {
    type Engine = Nats;

    async fn fresh(&self) -> Nats {
        self.engine(&fresh_name())
    }

    async fn second(&self, first: &Nats) -> Option<Nats> {
        Some(self.engine(&stream(first)))
    }

    async fn restart(&self, engine: Nats) -> Option<Nats> {
        let stream = stream(&engine);
        drop(engine);
        Some(self.engine(&stream))
    }

    async fn evict(&self, engine: &Nats, until: u64) -> bool {
        // A log that begins has its sequence for numbers.
        self.by_hand.get_or_init(|| ByHand::connect(&self.server)).await.purge(&stream(engine), until).await;
        true
    }

    fn keeps(&self) -> usize {
        self.events.map_or(1000, |events| usize::try_from(events).expect("few"))
    }
}

#[tokio::test]
async fn the_contract_is_kept() {
    engine_contract::check(OnNats::keeping(None).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_is_kept_with_threads() {
    engine_contract::check(OnNats::keeping(None).await).await;
}

#[tokio::test]
async fn the_contract_is_kept_by_a_log_that_keeps_little() {
    engine_contract::check(OnNats::keeping(Some(100)).await).await;
}
