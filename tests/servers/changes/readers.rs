//! Several readers: of one feed, one reads; feeds of other names read for themselves.

use std::time::Duration;

use sse_runtime::Topic;
use sse_runtime::changes::RowChange;
use sse_tests::within_limit;
use tokio::time::{Instant, timeout};

use super::{Database, follow, hub, next, next_event, publishing};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

#[tokio::test]
async fn of_two_readers_one_reads_and_the_other_takes_over() {
    let database = Database::with(TABLE).await;
    let topic: Topic<RowChange> = hub().topic("t");
    let mut events = follow(&topic).await;
    let mut readers = Vec::new();
    for _ in 0..2 {
        readers.push(publishing(database.changes("t").start().await.expect("started"), &topic));
    }
    let mut n = 0;
    for reader in readers {
        for _ in 0..50 {
            n += 1;
            database.run(&format!("INSERT INTO t VALUES ({n})")).await;
            let begun = Instant::now();
            assert_eq!(next_event(&mut events).await.key, n.to_string());
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        }
        reader.abort();
        let _aborted = reader.await;
    }
}

#[tokio::test]
async fn a_reader_that_stands_by_reads_nothing() {
    let database = Database::with(TABLE).await;
    let mut first = database.changes("t").start().await.expect("started");
    let mut second = database.changes("t").start().await.expect("started");
    database.run("INSERT INTO t VALUES (1)").await;
    assert_eq!(next(&mut first).await.key, "1");
    assert!(timeout(Duration::from_millis(600), second.next()).await.is_err());
    // It was handed out, and nobody has said that it is dealt with.
    drop(first);
    assert_eq!(next(&mut second).await.key, "1");
}

#[tokio::test]
async fn feeds_of_two_names_each_read_everything_and_then_the_outbox_is_empty() {
    let database = Database::with(TABLE).await;
    let mut feeds = Vec::new();
    for name in ["one", "another"] {
        feeds.push(database.changes("t").name(name).page(10).start().await.expect("started"));
    }
    database.run("INSERT INTO t SELECT generate_series(1, 100)").await;
    let mut feeds = feeds.into_iter();
    let (mut first, mut second) = (feeds.next().expect("one"), feeds.next().expect("another"));
    for n in 1..=100 {
        assert_eq!(next(&mut first).await.key, n.to_string());
    }
    // To ask for more says that these are dealt with.
    assert!(timeout(Duration::from_millis(200), first.next()).await.is_err());
    assert_eq!(
        database.number("SELECT count(*) FROM sse_changes.outbox").await,
        100,
        "the other has not read them"
    );
    for n in 1..=100 {
        assert_eq!(next(&mut second).await.key, n.to_string());
    }
    let empty = async {
        while database.number("SELECT count(*) FROM sse_changes.outbox").await > 0 {
            let _nothing = timeout(Duration::from_millis(20), second.next()).await;
        }
    };
    within_limit("an empty outbox", empty).await;
}

#[tokio::test]
async fn a_feed_goes_on_where_it_was_when_it_is_started_again() {
    let database = Database::with(TABLE).await;
    let mut feed = database.changes("t").start().await.expect("started");
    database.run("INSERT INTO t VALUES (1)").await;
    assert_eq!(next(&mut feed).await.key, "1");
    assert!(timeout(Duration::from_millis(200), feed.next()).await.is_err());
    drop(feed);
    database.run("INSERT INTO t VALUES (2)").await;
    let mut feed = database.changes("t").start().await.expect("started");
    assert_eq!(next(&mut feed).await.key, "2");
}

#[tokio::test]
async fn a_feed_that_sleeps_is_woken_at_once_and_one_that_is_awake_is_not_notified() {
    let database = Database::with(TABLE).await;
    let mut feed = database.changes("t").start().await.expect("started");
    let asleep = "SELECT count(*) FROM sse_changes.sleepers";
    let sleeps = async {
        while database.number(asleep).await == 0 {
            let _nothing = timeout(Duration::from_millis(50), feed.next()).await;
        }
        // And nobody may think otherwise.
        let _nothing = timeout(Duration::from_millis(300), feed.next()).await;
    };
    within_limit("sleep", sleeps).await;
    let begun = Instant::now();
    database.run("INSERT INTO t VALUES (1)").await;
    assert_eq!(next(&mut feed).await.key, "1");
    assert!(begun.elapsed() < Duration::from_millis(500), "woken after {:?}", begun.elapsed());

    let awake = async {
        for n in 2.. {
            database.run(&format!("INSERT INTO t VALUES ({n})")).await;
            assert_eq!(next(&mut feed).await.key, n.to_string());
            if database.number(asleep).await == 0 {
                return;
            }
        }
    };
    within_limit("a reader that is too busy to sleep", awake).await;
}
