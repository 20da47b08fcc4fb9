//! What is kept, and how much room it takes.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sse_runtime::engine::Redb;
use sse_runtime::{Hub, Topic};

use crate::{client, expect, opened, publish, reset};

const SECOND: Duration = Duration::from_secs(1);

fn size(file: &Path) -> u64 {
    fs::metadata(file).expect("a file").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_topic_has_lost_nothing() {
    let (_folder, file) = super::file();
    let hub = super::on(Redb::open(&file).events(20)).await;
    let quiet = publish(&hub, &["quiet"], 0..3).await;
    publish(&hub, &["busy"], 0..100).await;
    let newest = publish(&hub, &["quiet"], 3..4).await;
    publish(&hub, &["busy"], 100..110).await;
    drop(hub);

    let hub = super::on(Redb::open(&file).events(20)).await;
    let mut events = client(&hub).get("/quiet").last_event_id(quiet[1].as_str()).stream().await;
    reset(&mut events, "evicted").await;
    // It saw all that was evicted, long before the oldest event that is left.
    let mut events = client(&hub).get("/quiet").last_event_id(quiet[2].as_str()).stream().await;
    opened(&mut events, true).await;
    expect(&mut events, 3..4).await;
    // And here nothing is left at all.
    publish(&hub, &["busy"], 110..140).await;
    let mut events = client(&hub).get("/quiet").last_event_id(newest[0].as_str()).stream().await;
    opened(&mut events, true).await;
    let mut events = client(&hub).get("/never").last_event_id(quiet[0].as_str()).stream().await;
    opened(&mut events, true).await;
    let mut events = client(&hub).get("/busy").last_event_id(quiet[2].as_str()).stream().await;
    reset(&mut events, "evicted").await;
}

/// Waits until it is too late to come back with this id.
async fn evicted(hub: &Hub, id: &str) {
    let gone = async {
        loop {
            let mut events = client(hub).get("/a").last_event_id(id).stream().await;
            if events.next().await.name == "sse-reset" {
                break;
            }
        }
    };
    sse_tests::within_limit("eviction", gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_goes_by_itself_and_numbers_go_on() {
    let (_folder, file) = super::file();
    let hub = super::on(Redb::open(&file).age(SECOND)).await;
    let ids = publish(&hub, &["a"], 0..20).await;
    // Nobody publishes, and nothing else happens.
    evicted(&hub, ids[0].as_str()).await;
    let hub = &hub;
    let newest = &ids[19];
    assert_eq!(&super::top(hub), newest);
    let mut events = client(hub).get("/a").last_event_id(newest.as_str()).stream().await;
    opened(&mut events, true).await;
    publish(hub, &["a"], 20..21).await;
    expect(&mut events, 20..21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_go_on_in_a_log_of_which_all_was_evicted() {
    let (_folder, file) = super::file();
    let hub = super::open(&file).await;
    let ids = publish(&hub, &["a"], 0..20).await;
    drop(hub);
    // Everything is too old at once.
    let hub = super::on(Redb::open(&file).age(Duration::ZERO)).await;
    assert_eq!(super::top(&hub), ids[19]);
    evicted(&hub, ids[18].as_str()).await;
    drop(hub);
    let hub = super::open(&file).await;
    assert_eq!(super::top(&hub), ids[19]);
    let mut events = client(&hub).get("/a").last_event_id(ids[18].as_str()).stream().await;
    reset(&mut events, "evicted").await;
    let next = publish(&hub, &["a"], 20..21).await;
    assert!(next[0].as_str().ends_with("-21"), "{next:?}");
}

/// Publishes small events on a thousand topics, as fast as it can; prints what it took.
async fn publish_many(hub: &Hub, events: usize) {
    let topics: Vec<Topic> = (0..1000).map(|n| hub.topic(format!("rooms/{n}"))).collect();
    let begun = Instant::now();
    for batch in 0..events / 1000 {
        // In bursts, as traffic is.
        let publishing =
            (0..1000).map(|n| topics[(batch * 7 + n / 20) % 1000].publish(format!("{n:0>80}")).into_future());
        for published in futures_util::future::join_all(publishing).await {
            published.expect("published");
        }
    }
    println!("{events} events at {:.0}/s", events as f64 / begun.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_and_the_start_stay_small_whatever_is_published() {
    let (_folder, file) = super::file();
    let most = 2 << 20;
    let engine = || Redb::open(&file).bytes(most);
    let hub = super::on(engine()).await;
    publish_many(&hub, 40_000).await;
    let first = size(&file);
    publish_many(&hub, 60_000).await;
    let second = size(&file);
    println!("limit {most}, file {first}, later {second}");
    assert!(second <= 3 * most, "{second}");
    assert!(second <= first * 5 / 4, "{second} after {first}");
    drop(hub);
    let begun = Instant::now();
    let hub = super::on(engine()).await;
    println!("opened after {:?}", begun.elapsed());
    assert!(begun.elapsed() < SECOND);
    drop(hub);
}
