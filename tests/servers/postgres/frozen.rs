//! Others that hang, with something locked or not.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sse_runtime::engine::{Postgres, PostgresError};
use sse_runtime::{PublishError, Topic};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::{SERVER, publish, raw, start};
use crate::server::{self, Server as _, fresh_name};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_the_log_holds_up_a_publisher_for_its_time_only() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let limit = Duration::from_secs(2);
    let hub = start(Postgres::connect(server.url()).schema(&*schema).publish_timeout(limit)).await;
    let ids = publish(&hub, "a", 0..10).await;
    let other = raw(&server.url()).await;
    let sql = format!("BEGIN; SELECT * FROM {schema}.log FOR UPDATE");
    other.batch_execute(&sql).await.expect("locked");
    let topic: Topic = hub.topic("a");
    let begun = Instant::now();
    let error = topic.publish("late").await.expect_err("it is locked");
    assert!(begun.elapsed() < 2 * limit, "{:?}", begun.elapsed());
    let PublishError::Engine { source, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(source.downcast_ref(), Some(PostgresError::Timeout { .. })), "{source:?}");
    // Who reads does not wait.
    super::resume(&hub, "a", &ids[0]).await;
    other.batch_execute("ROLLBACK").await.expect("free");
    let soon = async { while topic.publish("again").await.is_err() {} };
    sse_tests::within_limit("the next event", soon).await;
}

/// The variable that says to this program, run again, where the server is.
const URL: &str = "SSE_TESTS_POSTGRES";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_freezes_holds_up_nobody() {
    if let Ok(url) = std::env::var(URL) {
        let hub = start(Postgres::connect(url)).await;
        println!("\npublishing");
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..16 {
            let topic: Topic = hub.topic(format!("other {task}"));
            tasks.spawn(async move {
                let text = "x".repeat(task * 2000);
                // It may be frozen for longer than a publisher waits.
                loop {
                    drop(topic.publish(text.as_str()).await);
                }
            });
        }
        tasks.join_all().await;
        return;
    }
    let server = server::Postgres::start().await;
    let hub = start(Postgres::connect(server.url())).await;
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "postgres::frozen::a_node_that_freezes_holds_up_nobody", "--nocapture"])
        .env(URL, server.url())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(other.stdout.take().expect("a pipe")).lines();
    let publishing = async {
        while lines.next_line().await.expect("text").expect("it goes on for ever") != "publishing" {}
    };
    sse_tests::within_limit("the other node", publishing).await;
    let id = other.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("it runs");
    let topic: Topic = hub.topic("a");
    let mut longest = Duration::ZERO;
    for round in 0..60 {
        tokio::time::sleep(Duration::from_millis(round % 7)).await;
        kill_process(id, Signal::STOP).expect("it runs");
        let begun = Instant::now();
        topic.publish("x").await.expect("published");
        longest = longest.max(begun.elapsed());
        kill_process(id, Signal::CONT).expect("it runs");
    }
    println!("published within {longest:?} at the most");
    assert!(longest < Duration::from_secs(3), "{longest:?}");
}
