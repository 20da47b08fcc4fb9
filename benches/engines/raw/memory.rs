//! tokio's `broadcast`: each event is written once, and every follower has a place in the channel.

use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::task::coop::consume_budget;

use crate::side::{Follower, Side};

#[derive(Clone)]
pub(crate) struct Memory(Sender<Bytes>);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(1 << 20).0)
    }
}

impl Side for Memory {
    type Follower = Receiver<Bytes>;

    async fn publish(&self, text: Bytes) {
        // Else no follower would have its turn before the time is over.
        consume_budget().await;
        let block = [b"data: ", &*text, b"\n\n"].concat();
        // There may be no follower.
        let _ = self.0.send(block.into());
    }

    async fn follow(&self) -> Receiver<Bytes> {
        self.0.subscribe()
    }
}

impl Follower for Receiver<Bytes> {
    async fn next(&mut self) -> u64 {
        match self.recv().await {
            Ok(_) => 1,
            // What it was too slow for, it does not get.
            Err(RecvError::Lagged(lost)) => lost,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
