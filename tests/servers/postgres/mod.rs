//! The engine on PostgreSQL: the contract, and what its tables and its server can do to it.

mod damaged;
mod frozen;
mod kept;
mod refused;
mod together;

use std::sync::Arc;
use std::time::Duration;

use sse_runtime::engine::{Answer, Engine, Feed, Log, Page, Postgres, Record};
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
    events: u64,
}

/// An engine, and where it is.
#[derive(Debug)]
struct InSchema {
    engine: Postgres,
    schema: String,
}

impl OnServer {
    async fn keeping(events: u64) -> Self {
        Self { server: SERVER.get().await, events }
    }

    fn engine(&self, schema: &str) -> InSchema {
        let engine = Postgres::connect(self.server.url()).schema(schema).events(self.events);
        InSchema { engine, schema: schema.to_owned() }
    }
}

impl Subject for OnServer {
    type Engine = InSchema;

    async fn fresh(&self) -> InSchema {
        self.engine(&format!("The \"{}\"", fresh_name()))
    }

    async fn second(&self, first: &InSchema) -> Option<InSchema> {
        Some(self.engine(&first.schema))
    }

    async fn restart(&self, engine: InSchema) -> Option<InSchema> {
        let InSchema { engine, schema } = engine;
        drop(engine);
        Some(self.engine(&schema))
    }

    async fn evict(&self, engine: &InSchema, until: u64) -> bool {
        let client = raw(&self.server.url()).await;
        let schema = format!("\"{}\"", engine.schema.replace('"', "\"\""));
        let evict = format!(
            "SELECT {schema}.evict(epoch, 1e9, top - $1, 1::bigint << 40, 1000, 0, 120, 100000) FROM {schema}.log"
        );
        let until = i64::try_from(until).expect("small");
        let evicted = async {
            // The node itself may be evicting at this moment.
            while number(&client, &format!("SELECT gone FROM {schema}.log")).await < until {
                client.query_one(&evict, &[&until]).await.expect("evicted");
            }
        };
        sse_tests::within_limit("eviction", evicted).await;
        true
    }

    fn keeps(&self) -> usize {
        usize::try_from(self.events).unwrap_or(usize::MAX).min(1000)
    }
}

impl Engine for InSchema {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        self.engine.start(feed)
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        self.engine.open(topic)
    }

    fn close(&self, topic: &str) {
        self.engine.close(topic);
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        self.engine.publish(topic, record)
    }

    fn deduplicates(&self) -> bool {
        self.engine.deduplicates()
    }

    fn top(&self) -> Answer<'_, u64> {
        self.engine.top()
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        self.engine.read(topic, after, until)
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
