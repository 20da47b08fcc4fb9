//! The change feed, on a real PostgreSQL: what is read, in which order, and that nothing is lost or there twice whoever is
//! killed.

mod bounded;
mod killed;
mod measured;
mod operations;
mod order;
mod readers;
mod refused;
mod snapshots;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use sse_runtime::changes::{PostgresChanges, PostgresFeed, RowChange};
use sse_runtime::testing::{TestClient, TestStream};
use sse_runtime::{Hub, Result, Sse, Topic, routes, sse_route};
use sse_tests::within_limit;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::server::{Postgres, Server, Shared, fresh_name};

/// A database of a test's own, on the server that all share.
struct Database {
    url: String,
    client: Client,
    _server: Arc<Postgres>,
}

impl Database {
    /// With tables.
    async fn with(statements: &str) -> Self {
        static SERVER: Shared<Postgres> = Shared::new();
        let server = SERVER.get().await;
        let name = fresh_name();
        login(&server.url()).await.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("made");
        let url = server.url();
        let (server_url, _) = url.rsplit_once('/').expect("a path");
        let url = format!("{server_url}/{name}");
        let client = login(&url).await;
        client.batch_execute(statements).await.expect("tables");
        Self { url, client, _server: server }
    }

    async fn run(&self, statements: &str) {
        self.client.batch_execute(statements).await.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
    }

    async fn number(&self, query: &str) -> i64 {
        self.client.query_one(query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
    }

    fn changes(&self, table: &str) -> PostgresChanges {
        PostgresChanges::connect(&self.url).table(table)
    }
}

async fn login(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("logged in");
    tokio::spawn(connection);
    client
}

async fn next(feed: &mut PostgresFeed) -> RowChange {
    within_limit("a change", feed.next()).await
}

/// What happened, to which row, and how it is now.
fn told(change: &RowChange) -> (String, String, String) {
    let row = change.row.as_ref().map_or(String::new(), |row| row.get().to_owned());
    (change.op.to_string(), change.key.clone(), row)
}

/// There is nothing more to read: what is written now is read next.
async fn expect_no_more(database: &Database, feed: &mut PostgresFeed, mark: &str, key: &str) {
    database.run(mark).await;
    let change = next(feed).await;
    assert_eq!(change.key, key, "{change:?}");
}

#[sse_route("/changes", send_timeout = "off")]
async fn changes(sse: Sse<RowChange>, State(topic): State<Topic<RowChange>>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

/// A hub that keeps all of a test.
fn hub() -> Hub {
    Hub::in_memory().topic_events(1_000_000).topic_bytes(1 << 30).bytes(1 << 30).build()
}

async fn follow(topic: &Topic<RowChange>) -> TestStream {
    let client = TestClient::new(routes![changes].with_state(topic.clone())).limit(Duration::from_secs(60));
    let mut events = client.get("/changes").stream().await;
    assert_eq!(events.next().await.name, "sse-open");
    events
}

async fn next_event(events: &mut TestStream) -> RowChange {
    let event = events.next().await;
    let change: RowChange = serde_json::from_str(&event.data).unwrap_or_else(|_| panic!("{event:?}"));
    assert_eq!(event.name, change.op.as_str());
    change
}

fn publishing(feed: PostgresFeed, topic: &Topic<RowChange>) -> JoinHandle<()> {
    let topic = topic.clone();
    tokio::spawn(async move { feed.publish_to(&topic).await.expect("it never ends") })
}
