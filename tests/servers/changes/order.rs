//! Transactions that overlap: nothing is lost, and the changes of a row are in their order.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use sse_tests::within_limit;
use tokio::time::timeout;

use super::{Database, login, next};

#[tokio::test]
async fn who_commits_late_is_read_late_and_delays_nobody() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    let mut feed = database.changes("t").start().await.expect("started");
    let slow = login(&database.url).await;
    // It has the lower number, and the lower transaction.
    slow.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.expect("written");
    for n in 2..5 {
        database.run(&format!("INSERT INTO t VALUES ({n})")).await;
        assert_eq!(next(&mut feed).await.key, n.to_string());
    }
    let early = timeout(Duration::from_millis(300), feed.next()).await;
    assert!(early.is_err(), "it has not been committed: {early:?}");
    slow.batch_execute("COMMIT").await.expect("committed");
    assert_eq!(next(&mut feed).await.key, "1");
}

#[tokio::test]
async fn a_page_does_not_end_between_what_is_there_and_what_comes_late() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    let mut feed = database.changes("t").page(2).start().await.expect("started");
    let slow = login(&database.url).await;
    slow.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.expect("written");
    database.run("INSERT INTO t SELECT generate_series(2, 6)").await;
    assert_eq!(next(&mut feed).await.key, "2");
    // Its number is below the page that is being read.
    slow.batch_execute("COMMIT").await.expect("committed");
    for key in ["3", "4", "5", "6", "1"] {
        assert_eq!(next(&mut feed).await.key, key);
    }
}

#[derive(Deserialize)]
struct Counter {
    n: i64,
}

const WRITERS: usize = 6;
const ROUNDS: usize = 60;
const ROWS: i64 = 8;

/// Writers count rows up, in transactions of several rows that take their time, and some of which fail.
async fn count_up(url: &str, writer: usize) {
    let client = login(url).await;
    let mut dice = fastrand::Rng::with_seed(writer as u64);
    for round in 0..ROUNDS {
        let isolation = ["READ COMMITTED", "REPEATABLE READ"][round % 2];
        client.batch_execute(&format!("BEGIN ISOLATION LEVEL {isolation}")).await.expect("begun");
        // Always in this order, so that no two wait for each other.
        let mut rows: Vec<_> = (0..ROWS).filter(|_| dice.bool()).collect();
        rows.sort_unstable();
        let mut all_well = true;
        for row in rows {
            let counted = client.execute("UPDATE counters SET n = n + 1 WHERE id = $1", &[&row]).await;
            // Somebody else was faster, which is an error in the second isolation level.
            all_well = counted.is_ok();
            if !all_well {
                break;
            }
            if dice.u8(..4) == 0 {
                tokio::time::sleep(Duration::from_millis(dice.u64(..4))).await;
            }
        }
        let end = if all_well && dice.u8(..5) > 0 { "COMMIT" } else { "ROLLBACK" };
        client.batch_execute(end).await.expect("ended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_counts_up_without_a_gap_whatever_the_transactions_do() {
    let database = Database::with("CREATE TABLE counters (id bigint PRIMARY KEY, n bigint NOT NULL)").await;
    database
        .run(&format!("INSERT INTO counters SELECT id, 0 FROM generate_series(0, {}) id", ROWS - 1))
        .await;
    let mut feed = database.changes("counters").page(7).start().await.expect("started");
    let writing = async {
        within_limit("writers", join_all((0..WRITERS).map(|writer| count_up(&database.url, writer)))).await;
        database.run("INSERT INTO counters VALUES (-1, 0)").await;
    };
    let reading = async {
        let mut counted: HashMap<String, i64> = HashMap::new();
        loop {
            let change = next(&mut feed).await;
            if change.key == "-1" {
                return counted;
            }
            let n = change.typed::<Counter>().expect("a counter").row.expect("a row").n;
            let before = counted.insert(change.key.clone(), n).unwrap_or_default();
            assert_eq!(n, before + 1, "of {}", change.key);
        }
    };
    let ((), counted) = tokio::join!(writing, reading);
    let rows =
        database.client.query("SELECT id::text, n FROM counters WHERE n > 0", &[]).await.expect("rows");
    let there: HashMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(counted, there);
    assert!(there.values().sum::<i64>() > 100, "{there:?}");
}
