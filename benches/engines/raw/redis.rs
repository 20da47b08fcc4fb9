//! The client library: `XADD` and `PUBLISH`, of each task by itself or of a group in one pipeline, and a follower of the
//! channel.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSubStream};
use redis::{AsyncConnectionConfig, Client, Pipeline};
use tokio::task::JoinSet;

use crate::side::{Follower, Side, tasks};

/// The most events of one pipeline.
const GROUP: usize = 256;

#[derive(Clone)]
pub(crate) struct Redis {
    client: Client,
    connection: MultiplexedConnection,
    in_groups: bool,
}

impl Redis {
    pub(crate) async fn ways(url: &str) -> [(&'static str, Self); 2] {
        let plain = Self::new(url).await;
        let in_groups = Self { in_groups: true, ..plain.clone() };
        [("by hand", plain), ("in groups", in_groups)]
    }

    async fn new(url: &str) -> Self {
        let client = Client::open(url).expect("a URL");
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
        let connection = client.get_multiplexed_async_connection_with_config(&patient).await;
        Self { client, connection: connection.expect("a server"), in_groups: false }
    }

    async fn group(&self, text: &[u8], events: usize) {
        let mut pipeline = Pipeline::with_capacity(2 * events);
        for _ in 0..events {
            let block = [b"data: ", text, b"\n\n"].concat();
            pipeline.cmd("XADD").arg("raw").arg("MAXLEN").arg("~").arg(1000).arg("*").arg("r").arg(&block);
            pipeline.cmd("PUBLISH").arg("raw").arg(&block).ignore();
        }
        let ids: Vec<String> = pipeline.query_async(&mut self.connection.clone()).await.expect("published");
        assert_eq!(ids.len(), events);
    }
}

impl Side for Redis {
    type Follower = Following;

    async fn publish(&self, text: Bytes) {
        self.group(&text, 1).await;
    }

    async fn publish_many(&self, text: Bytes, under_way: usize, until: Instant) -> u64 {
        if !self.in_groups {
            return tasks(self.clone(), text, under_way, until).await;
        }
        // Two pipelines at least, so that one is under way while the other one is written.
        let group = (under_way / 2).clamp(1, GROUP);
        let mut running = JoinSet::new();
        for _ in 0..under_way / group {
            let (side, text) = (self.clone(), text.clone());
            running.spawn(async move {
                let mut published = 0;
                while Instant::now() < until {
                    side.group(&text, group).await;
                    published += group as u64;
                }
                published
            });
        }
        running.join_all().await.into_iter().sum()
    }

    async fn follow(&self) -> Following {
        let mut connection = self.client.get_async_pubsub().await.expect("a server");
        connection.subscribe("raw").await.expect("subscribed");
        Following(connection.into_on_message())
    }
}

pub(crate) struct Following(PubSubStream);

impl Follower for Following {
    async fn next(&mut self) -> u64 {
        let message = self.0.next().await.expect("it does not end");
        assert!(!message.get_payload_bytes().is_empty());
        1
    }
}
