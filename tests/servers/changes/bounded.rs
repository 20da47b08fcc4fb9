//! Nobody reads: the outbox is bounded, and what it lets go of is not left out silently.

use sse_runtime::changes::Operation;

use super::{Database, next};

#[tokio::test]
async fn what_does_not_fit_is_told_to_the_feed_that_missed_it_and_to_no_other() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    let mut slow = database.changes("t").name("slow").start().await.expect("started");
    let mut quick = database.changes("t").name("quick").start().await.expect("started");
    database.run("UPDATE sse_changes.settings SET keep = 3000").await;
    for part in 0..10 {
        let first = part * 1000 + 1;
        database.run(&format!("INSERT INTO t SELECT generate_series({first}, {})", first + 999)).await;
        for n in first..first + 1000 {
            let change = next(&mut quick).await;
            assert_eq!((change.op, change.key), (Operation::Insert, n.to_string()));
        }
    }
    let kept = database.number("SELECT count(*) FROM sse_changes.outbox").await;
    assert!((3000..4100).contains(&kept), "{kept}");
    let change = next(&mut slow).await;
    assert_eq!((change.op, change.table.as_str()), (Operation::Missed, "t"));
    for n in 10_000 - kept + 1..=10_000 {
        let change = next(&mut slow).await;
        assert_eq!((change.op, change.key), (Operation::Insert, n.to_string()));
    }
    database.run("INSERT INTO t VALUES (0)").await;
    assert_eq!(next(&mut slow).await.key, "0");
}
