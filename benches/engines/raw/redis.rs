//! The client library, and a follower of a channel. Each task by itself calls `XADD` and `PUBLISH`, or a script that does
//! both, so that what is published has the entry's id, from which a follower can resume; or whole groups are one pipeline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSubStream};
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo as _, Pipeline, cmd};
use tokio::task::JoinSet;

use crate::side::{Follower, Side, tasks};

/// The most events of one pipeline.
const GROUP: usize = 256;
const SCRIPT: &str = "local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1000, '*', 'r', ARGV[1])
    redis.call('PUBLISH', KEYS[1], id .. ' ' .. ARGV[1])
    return id";

#[derive(Clone, Copy, Debug)]
enum Way {
    Plain,
    /// By the script of this hash.
    WithIds,
    InGroups,
}

#[derive(Clone)]
pub(crate) struct Redis {
    client: Client,
    connection: MultiplexedConnection,
    script: Arc<str>,
    way: Way,
}

impl Redis {
    pub(crate) async fn ways(url: &str) -> [(&'static str, Self); 3] {
        let plain = Self::new(url).await;
        let with_ids = Self { way: Way::WithIds, ..plain.clone() };
        let in_groups = Self { way: Way::InGroups, ..plain.clone() };
        [("with ids", with_ids), ("without ids", plain), ("in groups", in_groups)]
    }

    async fn new(url: &str) -> Self {
        // As the engine has it: what is written next waits for no acknowledgement.
        let server = url.into_connection_info().expect("a URL");
        let client = Client::open(server.set_tcp_settings(TcpSettings::default().set_nodelay(true)));
        let client = client.expect("a URL");
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
        let connection = client.get_multiplexed_async_connection_with_config(&patient).await;
        let mut connection = connection.expect("a server");
        let script: String =
            cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await.expect("a hash");
        Self { client, connection, script: script.into(), way: Way::Plain }
    }

    async fn with_id(&self, text: &[u8]) {
        let block = [b"data: ", text, b"\n\n"].concat();
        let mut call = cmd("EVALSHA");
        call.arg(&*self.script).arg(1).arg("raw").arg(block);
        let id: String = call.query_async(&mut self.connection.clone()).await.expect("published");
        assert!(!id.is_empty());
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
        match self.way {
            Way::WithIds => self.with_id(&text).await,
            Way::Plain | Way::InGroups => self.group(&text, 1).await,
        }
    }

    async fn publish_many(&self, text: Bytes, under_way: usize, until: Instant) -> u64 {
        if !matches!(self.way, Way::InGroups) {
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
