//! What both sides of a comparison can do.

use std::time::Instant;

use bytes::Bytes;
use tokio::task::JoinSet;

/// One way to publish and to follow: through a hub, or by hand.
pub(crate) trait Side: Clone + Send + Sync + 'static {
    type Follower: Follower;

    /// Publishes one event, and waits until it is acknowledged.
    fn publish(&self, text: Bytes) -> impl Future<Output = ()> + Send;

    /// Publishes with so many under way, until the time is over; how many were acknowledged.
    fn publish_many(
        &self,
        text: Bytes,
        under_way: usize,
        until: Instant,
    ) -> impl Future<Output = u64> + Send {
        let side = self.clone();
        async move { tasks(side, text, under_way, until).await }
    }

    /// Follows from now on, somewhere else.
    fn follow(&self) -> impl Future<Output = Self::Follower> + Send;
}

pub(crate) trait Follower: Send + 'static {
    /// Waits for events; how many there are.
    fn next(&mut self) -> impl Future<Output = u64> + Send;
}

/// As many tasks, each of which waits for its answer.
pub(crate) async fn tasks(side: impl Side, text: Bytes, tasks: usize, until: Instant) -> u64 {
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let (side, text) = (side.clone(), text.clone());
        running.spawn(async move {
            let mut published = 0;
            while Instant::now() < until {
                side.publish(text.clone()).await;
                published += 1;
            }
            published
        });
    }
    running.join_all().await.into_iter().sum()
}
