//! A log that loses what its nodes have seen: numbers go on above, and nobody is left to believe that nothing happened.

use sse_runtime::engine::Postgres;
use sse_runtime::{EventId, Hub};

use super::{SERVER, evicted, expect, publish, raw, resume, seq, start};
use crate::node::client;
use crate::server::{Server as _, fresh_name};

/// Two nodes; what was published before is lost by this SQL.
async fn lose(sql: &str) {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let engine = || Postgres::connect(server.url()).schema(&*schema);
    let (one, two) = (start(engine()).await, start(engine()).await);
    let ids = publish(&one, "a", 0..30).await;
    // Both have seen them.
    for hub in [&one, &two] {
        expect(&mut resume(hub, "a", &ids[9]).await, 10..30).await;
    }
    raw(&server.url()).await.batch_execute(&sql.replace("{log}", &schema)).await.expect("lost");

    // Whoever publishes first.
    let next = publish(&two, "a", 30..32).await;
    let more = publish(&one, "a", 32..34).await;
    let newest = more.last().expect("two");
    goes_on(&[&one, &two], &ids, &next, newest).await;
    // And one that begins now is of the same log.
    let late = start(engine()).await;
    goes_on(&[&late], &ids, &next, newest).await;
    publish(&late, "a", 34..35).await;
    for hub in [&one, &two, &late] {
        expect(&mut resume(hub, "a", newest).await, 34..35).await;
        assert!(hub.health().is_up(), "{}", hub.health());
    }
}

async fn goes_on(hubs: &[&Hub], before: &[EventId], next: &[EventId], newest: &EventId) {
    for hub in hubs {
        assert_eq!(epoch(&next[0]), epoch(&before[0]), "it is the same hub");
        assert!(seq(&next[0]) > seq(&before[29]), "{} after {}", next[0], before[29]);
        let caught_up = async {
            while crate::node::seq(crate::node::position(hub).as_str()) < seq(newest) {
                // Something is open, so that it is delivered.
                drop(client(hub).get("/a").stream().await.next().await);
            }
        };
        sse_tests::within_limit("delivery", caught_up).await;
        // Of what they missed nobody can say what it was.
        for id in [&before[0], &before[28]] {
            evicted(hub, "a", id).await;
        }
        expect(&mut resume(hub, "a", &next[0]).await, 31..34).await;
    }
}

fn epoch(id: &EventId) -> &str {
    id.as_str().split_once('-').expect("an id").0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_are_dropped() {
    lose("DROP SCHEMA {log} CASCADE").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_are_emptied() {
    lose("TRUNCATE {log}.log, {log}.events, {log}.evicted, {log}.known, {log}.nodes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_row_is_deleted() {
    lose("DELETE FROM {log}.log").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_are_deleted() {
    lose("DELETE FROM {log}.events").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_events_are_deleted() {
    lose("DELETE FROM {log}.events WHERE seq > 20").await;
}

/// As a backup, or a standby that is behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_set_back() {
    lose(
        "BEGIN; DELETE FROM {log}.events WHERE seq > 20; DELETE FROM {log}.nodes; UPDATE {log}.log SET top = 20; COMMIT",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_events_are_deleted_and_the_rest_is_served() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let hub = start(Postgres::connect(server.url()).schema(&*schema)).await;
    let ids = publish(&hub, "a", 0..30).await;
    let client = raw(&server.url()).await;
    client.batch_execute(&format!("DELETE FROM {schema}.events WHERE seq <= 10")).await.expect("deleted");
    evicted(&hub, "a", &ids[8]).await;
    expect(&mut resume(&hub, "a", &ids[9]).await, 10..30).await;
    publish(&hub, "a", 30..31).await;
    expect(&mut resume(&hub, "a", &ids[9]).await, 10..31).await;
}
