//! The connection a stream runs on, as far as [`serve`](crate::serve) lets a stream reach it.

use std::sync::Arc;

use tokio::sync::Notify;

/// A request extension that [`serve`](crate::serve) gives to every request of a connection.
#[derive(Clone, Default)]
pub(crate) struct Connection(Arc<Notify>);

impl Connection {
    /// Drops the connection. A body is not polled while its socket is blocked, so a stream that waits for a client
    /// that no longer reads cannot end its connection by ending itself.
    pub(crate) fn cut(&self) {
        self.0.notify_one();
    }

    pub(crate) async fn was_cut(&self) {
        self.0.notified().await;
    }
}
