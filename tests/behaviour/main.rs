//! How a route behaves, from the outside: in-process on the paused clock where time matters, over real sockets where
//! the transport does.

mod accepting;
mod admission;
mod backpressure;
mod compression;
mod cors;
mod disconnects;
mod ending;
mod events;
mod frames;
mod head;
mod hostile;
mod hosts;
mod http2;
mod inspector;
mod keep_alive;
mod logging;
mod metrics;
mod phases;
mod registry;
mod requests;
mod serve;
mod shutdown;
mod spans;
mod test_client;
mod topics;
mod transports;
mod typed;
mod unlogged;

use std::sync::{Arc, Mutex};

use sse_runtime::{Disconnect, Sse};
use tokio::sync::Notify;

/// Collects what disconnect hooks are told.
#[derive(Clone, Default)]
struct Hooks {
    seen: Arc<Mutex<Vec<Disconnect>>>,
    more: Arc<Notify>,
}

impl Hooks {
    /// Watches one stream.
    fn watch<E>(&self, sse: &Sse<E>) {
        let hooks = self.clone();
        sse.on_disconnect(move |gone| async move {
            hooks.seen.lock().expect("no test panics while it holds this").push(gone);
            hooks.more.notify_one();
        });
    }

    /// The one disconnect there was, or will be; the caller limits the wait.
    async fn only(&self) -> Disconnect {
        let first = self.nth(1).await;
        // Whatever else is ready to run could run a hook a second time.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.count(), 1, "the hook runs once");
        first
    }

    async fn nth(&self, n: usize) -> Disconnect {
        let arrived = async {
            while self.count() < n {
                self.more.notified().await;
            }
        };
        tokio::time::timeout(sse_tests::LIMIT, arrived).await.expect("the hook runs");
        self.seen.lock().expect("no test panics while it holds this")[n - 1].clone()
    }

    fn count(&self) -> usize {
        self.seen.lock().expect("no test panics while it holds this").len()
    }
}
