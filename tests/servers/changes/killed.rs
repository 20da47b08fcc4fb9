//! Somebody is killed while 20,000 rows are written: each change arrives once.

#![allow(clippy::cast_possible_truncation, reason = "counts of some 10,000")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use sse_runtime::changes::{PostgresChanges, RowChange};
use sse_runtime::engine::Redb;
use sse_runtime::testing::TestStream;
use sse_runtime::{Hub, Topic};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use super::{Database, follow, hub, login, next_event, publishing};
use crate::server::{Postgres, Server};

const WRITERS: u64 = 8;
/// How many rows each of them writes in a transaction, and how often it changes each.
const AT_ONCE: u64 = 20;
const CHANGES: u64 = 5;

/// How many changes all of them make, of so many rows each.
const fn all(rows: u64) -> u64 {
    WRITERS * rows * CHANGES
}

/// Writes until the rows are there, and each was counted up. Whether a commit that broke off has happened need not be known:
/// the same again is no second one.
async fn write(url: String, writer: u64, rows: u64, written: Arc<AtomicU64>) {
    let mut client = None;
    let steps = (0..rows).step_by(AT_ONCE as usize).flat_map(|first| (0..CHANGES).map(move |n| (first, n)));
    for (first, n) in steps {
        let step = format!(
            "INSERT INTO t (id, n) SELECT '{writer}-' || i, 1 FROM generate_series({first}, {}) i
             ON CONFLICT (id) DO UPDATE SET n = t.n + 1 WHERE t.n = {n}",
            first + AT_ONCE - 1
        );
        loop {
            if client.is_none() {
                let Ok((connected, connection)) = tokio_postgres::connect(&url, NoTls).await else {
                    sleep(Duration::from_millis(20)).await;
                    continue;
                };
                tokio::spawn(connection);
                client = Some(connected);
            }
            let Some(connected) = &client else { continue };
            match connected.batch_execute(&step).await {
                Ok(()) => break,
                Err(_) => client = None,
            }
        }
        written.fetch_add(AT_ONCE, Ordering::Relaxed);
    }
}

#[derive(Deserialize)]
struct Row {
    n: u64,
}

/// Reads until every row has come to its last change: each counts up, one after the other.
async fn expect_all(events: &mut TestStream, counted: &mut HashMap<String, u64>, up_to: usize) {
    let total = |counted: &HashMap<String, u64>| counted.values().sum::<u64>() as usize;
    while total(counted) < up_to {
        let change = next_event(events).await;
        let n = change.typed::<Row>().expect("a row").row.expect("there").n;
        let before = counted.insert(change.key.clone(), n).unwrap_or_default();
        assert_eq!(n, before + 1, "of {}: {change:?}", change.key);
    }
}

async fn wait_for(written: &AtomicU64, count: u64) {
    let wait = async {
        while written.load(Ordering::Relaxed) < count {
            sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .unwrap_or_else(|_| panic!("{count} rows are not written"));
}

const TABLE: &str = "CREATE TABLE t (id text PRIMARY KEY, n bigint NOT NULL)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_twice_and_every_change_arrives_once() {
    const ROWS: u64 = 500;
    let mut server = Postgres::start().await;
    login(&server.url()).await.batch_execute(TABLE).await.expect("a table");
    let feed = PostgresChanges::connect(server.url()).table("t").start().await.expect("started");
    let topic: Topic<RowChange> = hub().topic("t");
    let mut events = follow(&topic).await;
    let reader = publishing(feed, &topic);

    let written = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(server.url(), writer, ROWS, Arc::clone(&written)));
    }
    let mut counted = HashMap::new();
    for part in 1..=2 {
        wait_for(&written, part * all(ROWS) / 3).await;
        server.kill().await;
        server.start_again().await;
        let back = Instant::now();
        let before = counted.values().sum::<u64>() as usize;
        expect_all(&mut events, &mut counted, before + 1).await;
        assert!(back.elapsed() < Duration::from_secs(2), "silent for {:?}", back.elapsed());
    }
    writers.join_all().await;
    expect_all(&mut events, &mut counted, all(ROWS) as usize).await;
    assert!(counted.values().all(|n| *n == CHANGES) && counted.len() == (WRITERS * ROWS) as usize);
    // What is written now is next: nothing was left.
    login(&server.url()).await.batch_execute("DELETE FROM t WHERE id = '0-0'").await.expect("deleted");
    assert_eq!(next_event(&mut events).await.op.as_str(), "delete");
    reader.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_ends_anywhere_and_with_an_engine_that_keeps_every_change_arrives_once() {
    const ROWS: u64 = 100;
    let database = Database::with(TABLE).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.redb");
    let open = || async {
        let hub = Hub::on(Redb::open(&file)).topic_events(100_000).topic_bytes(1 << 30);
        hub.start().await.expect("opened")
    };
    let written = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    let first = open().await;
    let start = first.topic::<RowChange>("t").position();
    drop(first);
    let _begun = database.changes("t").start().await.expect("begun");
    drop(_begun);
    for writer in 0..WRITERS {
        writers.spawn(write(database.url.clone(), writer, ROWS, Arc::clone(&written)));
    }
    for life in 1..=8 {
        let hub = open().await;
        let topic = hub.topic("t");
        let feed = database.changes("t").page(100).start().await.expect("started");
        let reader = publishing(feed, &topic);
        wait_for(&written, life * all(ROWS) / 9).await;
        sleep(Duration::from_millis(7 * life)).await;
        // In the middle of whatever it does.
        reader.abort();
        let _aborted = reader.await;
    }
    let hub = open().await;
    let topic: Topic<RowChange> = hub.topic("t");
    let reader: AbortHandle =
        publishing(database.changes("t").start().await.expect("started"), &topic).abort_handle();
    writers.join_all().await;
    let client =
        sse_runtime::testing::TestClient::new(sse_runtime::routes![super::changes].with_state(topic.clone()))
            .limit(Duration::from_secs(60));
    let mut events = client.get("/changes").last_event_id(start.as_str()).stream().await;
    assert_eq!(events.next().await.name, "sse-open");
    let mut counted = HashMap::new();
    expect_all(&mut events, &mut counted, all(ROWS) as usize).await;
    assert!(counted.values().all(|n| *n == CHANGES), "{counted:?}");
    database.run("DELETE FROM t WHERE id = '0-0'").await;
    assert_eq!(next_event(&mut events).await.op.as_str(), "delete");
    reader.abort();
}

/// A server that crashes forgets transactions of which nothing is on the disk, and gives their numbers to others: what these
/// write is new, although the feed has seen the numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_whose_numbers_come_again_after_a_crash_are_read() {
    // Nothing is on the disk that nobody has waited for.
    let lazy = &["-c", "wal_writer_delay=10s", "-c", "wal_level=minimal", "-c", "max_wal_senders=0"];
    let mut server = Postgres::with(lazy).await;
    let client = login(&server.url()).await;
    client.batch_execute("CREATE TABLE t (id bigint PRIMARY KEY)").await.expect("a table");
    let mut feed = PostgresChanges::connect(server.url()).table("t").start().await.expect("started");
    client.batch_execute("INSERT INTO t VALUES (0)").await.expect("written");
    assert_eq!(super::next(&mut feed).await.key, "0");
    // It sleeps, and will not note its position again, which would bring all to the disk.
    let nothing = async |feed: &mut sse_runtime::changes::PostgresFeed, time| {
        assert!(
            tokio::time::timeout(Duration::from_millis(time), feed.next()).await.is_err(),
            "there is nothing"
        );
    };
    nothing(&mut feed, 1000).await;
    // On a page of its own: what is full is written.
    client.batch_execute("SELECT pg_switch_wal()").await.expect("a new page");
    let forgotten = "BEGIN; SELECT pg_current_xact_id(); ROLLBACK;".repeat(100);
    client.batch_execute(&forgotten).await.expect("numbers are given");
    let next_xid = async |client: &tokio_postgres::Client| -> i64 {
        let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
        client.query_one(next, &[]).await.expect("a snapshot").get(0)
    };
    let before = next_xid(&client).await;
    // It looks once more, at least.
    nothing(&mut feed, 2500).await;

    server.kill().await;
    server.start_again().await;
    let client = login(&server.url()).await;
    assert!(next_xid(&client).await < before - 50, "the crash has made nothing of them forgotten");
    for n in 1..=150_i64 {
        client.execute("INSERT INTO t VALUES ($1)", &[&n]).await.expect("written");
    }
    for n in 1..=150 {
        assert_eq!(super::next(&mut feed).await.key, n.to_string());
    }
}
