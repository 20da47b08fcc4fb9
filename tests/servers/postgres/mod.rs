//! The engine on PostgreSQL: the contract, and what its tables and its server can do to it.

mod damaged;
mod frozen;
mod kept;
mod refused;
mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sse_runtime::engine::Postgres;
use sse_runtime::testing::TestStream;
use sse_runtime::testing::engine_contract::{self, Subject};
use sse_runtime::{EventId, Hub, Topic};
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use crate::node::client;
use crate::server::{self, Server as _, Shared, fresh_name};

/// The server of all tests that do no harm to it.
static SERVER: Shared<server::Postgres> = Shared::new();

/// Somebody else who is connected to the database.
async fn raw(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server is there");
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            println!("a client of the test has lost its connection: {error}");
        }
    });
    client
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.expect("a number").get(0)
}

/// A hub that holds little itself.
async fn start(engine: Postgres) -> Hub {
    let starting = Hub::on(engine).topic_events(4).start();
    sse_tests::within_limit("a hub", starting).await.expect("it starts")
}

/// Publishes numbers; returns the ids.
async fn publish(hub: &Hub, topic: &str, numbers: std::ops::Range<usize>) -> Vec<EventId> {
    let topic: Topic = hub.topic(topic);
    let mut ids = Vec::new();
    for n in numbers {
        ids.push(topic.publish(n.to_string()).await.expect("published"));
    }
    ids
}

fn seq(id: &EventId) -> u64 {
    crate::node::seq(id.as_str())
}

/// Who comes back with this id, and is where they were.
async fn resume(hub: &Hub, topic: &str, id: &EventId) -> TestStream {
    let mut events = client(hub).get(&format!("/{topic}")).last_event_id(id.as_str()).stream().await;
    let open = events.next().await;
    assert_eq!(open.name, "sse-open", "{id}: {open:?}");
    assert!(open.data.contains(r#""resumed":true"#), "{open:?}");
    events
}

async fn expect(events: &mut TestStream, numbers: std::ops::Range<usize>) {
    for n in numbers {
        events.expect("message", &n.to_string()).await;
    }
}

/// What somebody is told who comes back with this id, before anything else.
async fn told(hub: &Hub, topic: &str, id: &EventId) -> String {
    let mut events = client(hub).get(&format!("/{topic}")).last_event_id(id.as_str()).stream().await;
    let event = events.next().await;
    format!("{} {}", event.name, event.data)
}

/// Waits until it is too late to come back with this id.
async fn evicted(hub: &Hub, topic: &str, id: &EventId) {
    let gone = async {
        loop {
            let told = told(hub, topic, id).await;
            if told.starts_with("sse-reset") {
                assert!(told.contains(r#""reason":"evicted""#), "{told}");
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    sse_tests::within_limit("eviction", gone).await;
}

/// Logs on one server, a schema for each.
struct OnServer {
    server: Arc<server::Postgres>,
    /// In their names, so that no two tests share one.
    name: String,
    logs: AtomicUsize,
    events: u64,
}

impl OnServer {
    async fn keeping(events: u64) -> Self {
        let server = SERVER.get().await;
        Self { server, name: fresh_name(), logs: AtomicUsize::new(0), events }
    }

    fn engine(&self) -> Postgres {
        let schema = self.schema();
        Postgres::connect(self.server.url()).schema(schema).events(self.events)
    }

    fn schema(&self) -> String {
        format!("{} \"{}", self.name, self.logs.load(Ordering::Relaxed))
    }
}

impl Subject for OnServer {
    type Engine = Postgres;

    async fn fresh(&self) -> Postgres {
        self.logs.fetch_add(1, Ordering::Relaxed);
        self.engine()
    }

    async fn second(&self, _: &Postgres) -> Option<Postgres> {
        Some(self.engine())
    }

    async fn restart(&self, engine: Postgres) -> Option<Postgres> {
        drop(engine);
        Some(self.engine())
    }

    async fn evict(&self, _: &Postgres, until: u64) -> bool {
        let client = raw(&self.server.url()).await;
        let schema = format!("\"{}\"", self.schema().replace('"', "\"\""));
        let sql = format!(
            "SELECT {schema}.evict(epoch, 1e9, top - $1, 1 << 40, 1000, 0, 120, 100000) FROM {schema}.log"
        );
        let until = i64::try_from(until).expect("small");
        client.query_one(&sql, &[&until]).await.expect("evicted");
        let gone: i64 =
            client.query_one(&format!("SELECT gone FROM {schema}.log"), &[]).await.expect("a row").get(0);
        // One of the nodes may be evicting at this moment.
        gone >= until
    }

    fn keeps(&self) -> usize {
        usize::try_from(self.events).unwrap_or(usize::MAX).min(1000)
    }
}

#[tokio::test]
async fn the_contract_is_kept() {
    engine_contract::check(OnServer::keeping(u64::MAX).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_is_kept_with_threads() {
    engine_contract::check(OnServer::keeping(u64::MAX).await).await;
}

#[tokio::test]
async fn the_contract_is_kept_by_a_log_that_keeps_little() {
    engine_contract::check(OnServer::keeping(100).await).await;
}
