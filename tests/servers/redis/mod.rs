//! The log on a Redis server: the contract, and what only this server can do to it.

mod kept;
mod losing;
mod node;
mod refused;
mod subscribed;

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use sse_runtime::engine::Redis;
use sse_runtime::testing::engine_contract::{self, Subject};
use sse_runtime::{Hub, Topic};

use crate::server::{self, Server, Shared, fresh_name};

static SHARED: Shared<server::Redis> = Shared::new();

/// Somebody else on the same server.
async fn raw(server: &server::Redis) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("it answers")
}

/// Which log an engine is on, as it says to people.
fn prefix(engine: &Redis) -> String {
    let shown = format!("{engine:?}");
    let (_, after) = shown.split_once("prefix: \"").expect("it says so");
    after.split_once('"').expect("a name").0.to_owned()
}

struct OnServer {
    server: Arc<server::Redis>,
    url: String,
    events: u64,
}

impl OnServer {
    async fn keeping(events: u64) -> Self {
        let server = SHARED.get().await;
        Self { url: server.url(), server, events }
    }

    fn engine(&self, prefix: &str) -> Redis {
        Redis::connect(self.url.as_str()).prefix(prefix).topic_events(self.events)
    }
}

impl Subject for OnServer {
    type Engine = Redis;

    async fn fresh(&self) -> Redis {
        self.engine(&fresh_name())
    }

    async fn second(&self, first: &Redis) -> Option<Redis> {
        Some(self.engine(&prefix(first)))
    }

    async fn restart(&self, engine: Redis) -> Option<Redis> {
        let prefix = prefix(&engine);
        drop(engine);
        Some(self.engine(&prefix))
    }

    async fn evict(&self, engine: &Redis, until: u64) -> bool {
        let client = redis::Client::open(self.url.as_str()).expect("a URL");
        let mut raw = client.get_multiplexed_async_connection().await.expect("it answers");
        let topics = format!("{{{}}}:topics", prefix(engine));
        let streams: Vec<String> =
            redis::cmd("ZRANGE").arg(topics).arg(0).arg(-1).query_async(&mut raw).await.expect("a set");
        assert!(!streams.is_empty());
        for stream in streams {
            let mut trim = redis::cmd("XTRIM");
            trim.arg(stream).arg("MINID").arg(until + 1);
            trim.exec_async(&mut raw).await.expect("a stream");
        }
        true
    }

    fn keeps(&self) -> usize {
        usize::try_from(self.events).unwrap_or(usize::MAX).min(1000)
    }
}

#[tokio::test]
async fn the_contract_is_kept() {
    engine_contract::check(OnServer::keeping(1000).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_is_kept_with_threads() {
    engine_contract::check(OnServer::keeping(1000).await).await;
}

#[tokio::test]
async fn the_contract_is_kept_by_a_log_that_keeps_little() {
    engine_contract::check(OnServer::keeping(20).await).await;
}

#[tokio::test]
async fn the_contract_is_kept_by_a_login_of_its_own_and_the_newer_protocol() {
    let mut subject = OnServer::keeping(2000).await;
    let rules = ["reset", "on", ">own", "~{log*}:*", "&{log*}:*", "+@all", "-@admin", "-@dangerous", "+info"];
    let mut login = redis::cmd("ACL");
    login.arg("SETUSER").arg("own").arg(&rules);
    login.exec_async(&mut raw(&subject.server).await).await.expect("a user");
    subject.url = format!("redis://own:own@{}/1?protocol=resp3", subject.server.process().address());
    engine_contract::check(subject).await;
}

#[tokio::test]
async fn a_socket_of_this_machine_will_do() {
    let server = server::Redis::with(&["--unixsocket", "socket"]).await;
    let socket = server.process().folder().join("socket");
    let url = format!("unix://{}?pass={}&prefix=a%20b", socket.display(), server::PASSWORD);
    let hub = Hub::connect(&url).expect("a URL").start().await.expect("a server");
    let topic: Topic = hub.topic("t");
    topic.publish("1").await.expect("published");
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("{a b}:t:*").query_async(&mut raw(&server).await).await.expect("keys");
    assert_eq!(keys, ["{a b}:t:t"]);
}
