//! Nodes that do the same at the same moment, and connections that end in the middle of it.

use std::collections::HashMap;
use std::time::Duration;

use sse_runtime::Topic;
use sse_runtime::engine::Postgres;
use tokio::task::JoinSet;

use super::{SERVER, number, raw, seq, start};
use crate::server::{self, Server as _, fresh_name};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_begin_one_log() {
    let server = SERVER.get().await;
    for _ in 0..5 {
        let (schema, url) = (fresh_name(), server.url());
        let mut starting = JoinSet::new();
        for _ in 0..8 {
            let engine = Postgres::connect(&*url).schema(&*schema);
            starting.spawn(async move { start(engine).await });
        }
        let hubs = starting.join_all().await;
        let mut ids = Vec::new();
        for hub in &hubs {
            let topic: Topic = hub.topic("a");
            ids.push(topic.publish("x").await.expect("published"));
        }
        let numbers: Vec<u64> = ids.iter().map(seq).collect();
        assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
        let epochs = ids.iter().map(|id| id.as_str().split_once('-').expect("an id").0);
        assert_eq!(epochs.collect::<std::collections::HashSet<_>>().len(), 1);
    }
}

/// Without dedupe keys: the log knows what it has of each node. No `publish` fails, and nothing is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_in_the_middle_costs_nothing() {
    const TASKS: usize = 16;
    const EACH: usize = 200;
    // Its own: all connections to it are cut.
    let server = server::Postgres::start().await;
    let url = server.url();
    let hubs = [start(Postgres::connect(&*url)).await, start(Postgres::connect(&*url)).await];
    let mut events = crate::node::client(&hubs[0]).get("/a").stream().await;
    assert_eq!(events.next().await.name, "sse-open");
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let topic: Topic = hubs[task % 2].topic("a");
        tasks.spawn(async move {
            for n in 0..EACH {
                topic.publish(format!("{task} {n}")).await.expect("it is sent again, until it is there");
            }
        });
    }
    let client = raw(&url).await;
    let mut cut = 0;
    while !tasks.is_empty() {
        // One that appends at this moment, or has just done so; and once in a while one that listens.
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'sse-runtime' \
            AND (query LIKE '%.append%' AND state = 'active' OR {} AND query LIKE '%octet_length%')",
            cut % 10 == 5
        );
        let now = number(&client, &sql).await;
        cut += now;
        // They need a moment to come back, if anything is to happen at all.
        let pause = if now > 0 { Duration::from_millis(50) } else { Duration::from_millis(1) };
        let ended = async {
            while let Some(ended) = tasks.join_next().await {
                ended.expect("no panic");
            }
        };
        let _still_at_it = tokio::time::timeout(pause, ended).await;
    }
    println!("{cut} connections were cut");
    assert!(cut > 8, "{cut}");
    let mut next: HashMap<String, usize> = HashMap::new();
    for _ in 0..TASKS * EACH {
        let event = events.next().await;
        let (task, n) = event.data.split_once(' ').expect("two numbers");
        let next = next.entry(task.to_owned()).or_default();
        assert_eq!(n.parse(), Ok(*next), "of {task}: in order, and once");
        *next += 1;
    }
    let rows = number(&client, "SELECT count(*) FROM sse.events").await;
    assert_eq!(rows, i64::try_from(TASKS * EACH).expect("small"));
}
