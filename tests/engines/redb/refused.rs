//! Files that are not opened: each is told, and left as it is.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sse_runtime::Hub;
use sse_runtime::engine::{EngineError, Redb, RedbError};

use super::process::{Process, file_given, say};
use crate::publish;

async fn error(file: &Path) -> (EngineError, String) {
    let engine = Redb::open(file).lock_timeout(Duration::from_millis(50));
    let error = Hub::on(engine).start().await.expect_err("it is refused");
    let text = error.to_string();
    assert!(text.contains(&format!("{file:?}")), "{text}");
    (error, text)
}

fn of(error: &EngineError) -> &RedbError {
    error.downcast_ref().expect("an error of this engine")
}

#[tokio::test]
async fn the_file_of_another_process_is_told() {
    if let Some(file) = file_given() {
        let hub = super::open(&file).await;
        publish(&hub, &["a"], 0..10).await;
        say("open");
        return std::future::pending().await;
    }
    let (_folder, file) = super::file();
    let mut process = Process::start("refused::the_file_of_another_process_is_told", &file);
    process.next().await.expect("open");
    let (refused, text) = error(&file).await;
    assert!(matches!(of(&refused), RedbError::InUse { .. }), "{refused:?}");
    assert!(text.starts_with("another process has the file"), "{text}");
    // It is waited for, if it may be about to end.
    let waiting = super::open(&file);
    let (hub, ()) = tokio::join!(waiting, process.kill());
    assert!(super::top(&hub).as_str().ends_with("-10"));
    // Nor do two hubs of one process share a file.
    let (refused, _) = error(&file).await;
    assert!(matches!(of(&refused), RedbError::InUse { .. }), "{refused:?}");
}

#[tokio::test]
async fn what_is_no_log_is_told_and_left_as_it_is() {
    let (folder, file) = super::file();
    for content in [&b"not a database"[..], &[0; 100_000], b""] {
        fs::write(&file, content).expect("written");
        let (refused, _) = error(&file).await;
        assert!(matches!(of(&refused), RedbError::Foreign { .. }), "{refused:?}");
        assert_eq!(fs::read(&file).expect("it is there"), content);
    }
    let (refused, _) = error(folder.path()).await;
    assert!(matches!(of(&refused), RedbError::Io { .. }), "{refused:?}");
    let (refused, _) = error(&folder.path().join("missing").join("events.redb")).await;
    assert!(matches!(of(&refused), RedbError::Io { .. }), "{refused:?}");
}

#[tokio::test]
async fn another_database_is_told() {
    let (_folder, file) = super::file();
    let table: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("something else");
    let write = |definition: redb::TableDefinition<'_, &str, u64>, row: (&str, u64)| {
        let database = redb::Database::create(&file).expect("a database");
        let transaction = database.begin_write().expect("a transaction");
        transaction.open_table(table).expect("a table").insert(1, 1).expect("a row");
        transaction.open_table(definition).expect("a table").insert(row.0, row.1).expect("a row");
        transaction.commit().expect("written");
    };
    write(redb::TableDefinition::new("another"), ("format", 1));
    let (refused, _) = error(&file).await;
    assert!(matches!(of(&refused), RedbError::Foreign { .. }), "{refused:?}");

    fs::remove_file(&file).expect("removed");
    drop(super::open(&file).await);
    // The hub's thread may still have it open.
    drop(super::open(&file).await);
    let database = sse_tests::within_limit("the file", async {
        loop {
            match redb::Database::create(&file) {
                Ok(database) => break database,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    drop(database.await);
    write(redb::TableDefinition::new("sse-log"), ("format", 2));
    let (refused, text) = error(&file).await;
    assert!(matches!(of(&refused), RedbError::Newer { format: 2, known: 1, .. }), "{refused:?}");
    assert!(text.contains("newer version"), "{text}");
    write(redb::TableDefinition::new("sse-log"), ("format", 0));
    let (refused, _) = error(&file).await;
    assert!(matches!(of(&refused), RedbError::Damaged { .. }), "{refused:?}");
}

/// Whatever is wrong with it: an error at the start or of a read, or the events as they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_is_never_taken_for_a_new_one() {
    let (_folder, file) = super::file();
    let hub = super::open(&file).await;
    let ids = publish(&hub, &["a", "b"], 0..400).await;
    drop(hub);
    drop(super::open(&file).await);
    let whole = sse_tests::within_limit("the file is closed", async {
        loop {
            match redb::Database::open(&file) {
                Ok(database) => break drop(database),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    whole.await;
    let whole = fs::read(&file).expect("a file");
    let page = 4096;
    let (mut refused, mut opened) = (0, 0);
    for number in 0..whole.len() / page {
        let mut damaged = whole.clone();
        for byte in &mut damaged[number * page..(number + 1) * page] {
            *byte ^= 0x5a;
        }
        fs::write(&file, damaged).expect("written");
        let engine = Redb::open(&file).lock_timeout(sse_tests::LIMIT);
        match Hub::on(engine).start().await {
            Err(error) => {
                refused += 1;
                let kind = of(&error);
                assert!(matches!(kind, RedbError::Damaged { .. } | RedbError::Foreign { .. }), "{error:?}");
            }
            Ok(hub) => {
                opened += 1;
                assert_eq!(super::top(&hub), ids[399], "page {number}");
            }
        }
    }
    let half = whole.len() / 2;
    fs::write(&file, &whole[..half]).expect("written");
    let (error, _) = error(&file).await;
    assert!(matches!(of(&error), RedbError::Damaged { .. } | RedbError::Io { .. }), "{error:?}");
    println!("{refused} damages of a page were found at the start, {opened} were not");
    assert!(refused > 0);
}
