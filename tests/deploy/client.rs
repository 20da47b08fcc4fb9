//! A client that does as an `EventSource` does, and checks what it was promised.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sse_tests::{Response, get_with};
use tokio::sync::{Barrier, Semaphore, watch};

/// A client's way from one process to the next.
pub(crate) struct Moved {
    pub(crate) came_back: Instant,
    /// For how long it had no stream.
    pub(crate) away: Duration,
}

/// Follows the ticks until the one that is `wanted`, through goodbyes. Panics at anything else than the next tick: a
/// connection that is refused, an end without a goodbye, a tick that is missing or comes twice, a reset.
pub(crate) async fn run(
    address: SocketAddr,
    turns: Arc<Semaphore>,
    open: Arc<Barrier>,
    wanted: watch::Receiver<Option<u64>>,
) -> Vec<Moved> {
    let mut moved = Vec::new();
    let mut seen = Seen { id: None, tick: None };
    let mut stream = {
        let _turn = turns.acquire().await.expect("never closed");
        seen.connect(address).await
    };
    let opening = stream.event().await.expect("where the stream stands");
    seen.note(&opening.name, opening.id, &opening.data);
    open.wait().await;
    loop {
        if wanted.borrow().is_some() && *wanted.borrow() == seen.tick {
            return moved;
        }
        let event = stream.event().await.expect("no end without a goodbye");
        if event.name != "sse-bye" {
            seen.note(&event.name, event.id, &event.data);
            continue;
        }
        assert_eq!(event.data, r#"{"reason":"ServerShutdown"}"#);
        let left = Instant::now();
        assert!(stream.event().await.is_none(), "nothing comes after the goodbye");
        tokio::time::sleep(Duration::from_millis(event.retry.expect("a time to come back"))).await;
        let came_back = Instant::now();
        stream = seen.connect(address).await;
        moved.push(Moved { came_back, away: left.elapsed() });
    }
}

/// What a client has seen.
struct Seen {
    id: Option<String>,
    tick: Option<u64>,
}

impl Seen {
    async fn connect(&self, address: SocketAddr) -> Response {
        let id = self.id.as_deref().map(|id| ("last-event-id", id));
        let stream = get_with(address, "/ticks", id.as_slice()).await;
        assert_eq!(stream.status(), 200);
        stream
    }

    fn note(&mut self, name: &str, id: Option<String>, data: &str) {
        match name {
            "tick" => {
                let tick = data.parse().expect("a number");
                if let Some(last) = self.tick {
                    assert_eq!(tick, last + 1, "one is missing, or came twice");
                }
                self.tick = Some(tick);
            }
            "sse-open" => {}
            other => panic!("{other}: {data}"),
        }
        self.id = id.or(self.id.take());
    }
}
