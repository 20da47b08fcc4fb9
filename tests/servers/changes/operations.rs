//! What a feed says of what happens to rows.

use serde::Deserialize;
use sse_runtime::changes::Operation;

use super::{Database, expect_no_more, next, told};

fn change(op: &str, key: &str, row: &str) -> (String, String, String) {
    (op.to_owned(), key.to_owned(), row.to_owned())
}

#[tokio::test]
async fn rows_that_come_change_and_go_are_told_in_their_order() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY, v text)").await;
    database.run("INSERT INTO t VALUES (0, 'before the feed began')").await;
    let mut feed = database.changes("t").start().await.expect("started");
    database
        .run(
            "INSERT INTO t VALUES (1, 'a'), (2, 'b');
             UPDATE t SET v = 'c' WHERE id = 1;
             UPDATE t SET v = v;
             UPDATE t SET id = 3 WHERE id = 2;
             DELETE FROM t WHERE id = 3;
             INSERT INTO t VALUES (1, 'd') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
             TRUNCATE t;
             INSERT INTO t VALUES (1, null)",
        )
        .await;
    let expected = [
        change("insert", "1", r#"{"v": "a", "id": 1}"#),
        change("insert", "2", r#"{"v": "b", "id": 2}"#),
        change("update", "1", r#"{"v": "c", "id": 1}"#),
        change("delete", "2", ""),
        change("insert", "3", r#"{"v": "b", "id": 3}"#),
        change("delete", "3", ""),
        change("update", "1", r#"{"v": "d", "id": 1}"#),
        change("truncate", "", ""),
        change("insert", "1", r#"{"v": null, "id": 1}"#),
    ];
    for expected in expected {
        let change = next(&mut feed).await;
        assert_eq!(told(&change), expected);
        assert_eq!(change.table, "t");
        let is_delete = change.op == Operation::Delete;
        assert_eq!(
            change.old.is_some(),
            is_delete,
            "what is gone is told, what was changed is not: {change:?}"
        );
    }
    expect_no_more(&database, &mut feed, "INSERT INTO t VALUES (9)", "9").await;
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    let mut feed = database.changes("t").start().await.expect("started");
    database
        .run(
            "BEGIN; INSERT INTO t VALUES (1); ROLLBACK;
             BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); ROLLBACK TO s;
             SAVEPOINT s; INSERT INTO t VALUES (4); RELEASE s; COMMIT",
        )
        .await;
    assert_eq!(next(&mut feed).await.key, "2");
    assert_eq!(next(&mut feed).await.key, "4");
    expect_no_more(&database, &mut feed, "INSERT INTO t VALUES (9)", "9").await;
}

#[derive(Deserialize, Debug, PartialEq)]
struct Measured {
    place: String,
    at: String,
    value: f64,
}

#[tokio::test]
async fn a_key_of_several_columns_is_the_same_whatever_the_writers_time_zone() {
    let table = r#"CREATE SCHEMA "a b"; CREATE TABLE "a b"."it's" (place text, at timestamptz, value numeric, PRIMARY KEY (place, at))"#;
    let database = Database::with(table).await;
    let mut feed = database.changes(r#""a b"."it's""#).old_rows().start().await.expect("started");
    database
        .run(
            r#"INSERT INTO "a b"."it's" VALUES ('roof', '2026-01-01 00:00+00', 12345678901234567890.5);
               SET timezone = 'Asia/Tokyo'; UPDATE "a b"."it's" SET value = 2"#,
        )
        .await;
    let key = r#"["roof", "2026-01-01T00:00:00+00:00"]"#;
    let first = next(&mut feed).await;
    assert_eq!((first.table.as_str(), first.key.as_str()), ("a b.it's", key));
    assert!(first.row.expect("a row").get().contains("12345678901234567890.5"), "not a digit is lost");
    let second = next(&mut feed).await;
    assert_eq!((second.op, second.key.as_str()), (Operation::Update, key));
    let second = second.typed::<Measured>().expect("typed");
    let row =
        |value| Measured { place: "roof".to_owned(), at: "2026-01-01T00:00:00+00:00".to_owned(), value };
    assert_eq!((second.row, second.old), (Some(row(2.0)), Some(row(12345678901234567890.5))));
}

#[tokio::test]
async fn several_tables_are_one_feed_and_others_are_none_of_it() {
    let database = Database::with(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY)",
    )
    .await;
    let _other = database.changes("c").name("other").start().await.expect("started");
    let mut feed = database.changes("a").table("b").start().await.expect("started");
    database.run("INSERT INTO a VALUES (1); INSERT INTO c VALUES (2); INSERT INTO b VALUES (3)").await;
    for expected in [("a", "1"), ("b", "3")] {
        let change = next(&mut feed).await;
        assert_eq!((change.table.as_str(), change.key.as_str()), expected);
    }
    expect_no_more(&database, &mut feed, "INSERT INTO a VALUES (9)", "9").await;
}

#[tokio::test]
async fn a_partitioned_table_is_one_table() {
    let database = Database::with(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (10) TO (20)",
    )
    .await;
    let mut feed = database.changes("p").start().await.expect("started");
    database.run("INSERT INTO p VALUES (1), (11); INSERT INTO p0 VALUES (2)").await;
    for key in ["1", "11", "2"] {
        let change = next(&mut feed).await;
        assert_eq!((change.table.as_str(), change.key.as_str()), ("p", key));
    }
}
