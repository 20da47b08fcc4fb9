//! Who comes gets the rows first, and then their changes.

use sse_runtime::Topic;
use sse_runtime::changes::RowChange;

use super::{Database, follow, hub, next_event, publishing};

#[tokio::test]
async fn the_rows_come_first_and_then_what_changes() {
    let database = Database::with(
        "CREATE TABLE t (id int, part text, v int, PRIMARY KEY (part, id));
         INSERT INTO t VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 30)",
    )
    .await;
    let feed = database.changes("t").snapshot_where("v > 10").start().await.expect("started");
    let topic: Topic<RowChange> = feed.snapshot(hub().topic("t"));
    let reader = publishing(feed, &topic);
    let mut events = follow(&topic).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let change = next_event(&mut events).await;
        assert_eq!((change.op.as_str(), change.position), ("insert", None));
        keys.push(change.key);
    }
    keys.sort();
    assert_eq!(keys, [r#"["a", 2]"#, r#"["b", 3]"#]);
    database.run("UPDATE t SET v = 31 WHERE id = 3").await;
    let change = next_event(&mut events).await;
    assert_eq!((change.op.as_str(), change.key.as_str()), ("update", r#"["b", 3]"#), "the keys are the same");
    reader.abort();
}

#[tokio::test]
async fn a_snapshot_that_is_too_large_is_an_error_and_not_a_part() {
    let database =
        Database::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 11)")
            .await;
    let feed = database.changes("t").snapshot_rows(10).start().await.expect("started");
    let topic: Topic<RowChange> = feed.snapshot(hub().topic("t"));
    let client =
        sse_runtime::testing::TestClient::new(sse_runtime::routes![super::changes].with_state(topic.clone()));
    let response = client.get("/changes").response().await;
    assert_eq!(response.status, 500);
    database.run("DELETE FROM t WHERE id = 1").await;
    let mut events = follow(&topic).await;
    for _ in 2..=11 {
        assert_eq!(next_event(&mut events).await.op.as_str(), "insert");
    }
}
