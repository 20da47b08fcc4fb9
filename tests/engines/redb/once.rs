//! Dedupe keys: for how long, how many, and what they are stored with.

use std::fs;
use std::time::Duration;

use sse_runtime::engine::Redb;
use sse_runtime::{Hub, PublishError, Topic};

async fn once(hub: &Hub, key: &str) -> String {
    let topic: Topic = hub.topic("a");
    topic.publish("x").dedupe(key).await.expect("published").as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_outlives_its_event_and_the_process() {
    let (_folder, file) = super::file();
    let engine = || Redb::open(&file).events(1);
    let hub = super::on(engine()).await;
    let first = once(&hub, "first").await;
    for n in 0..10 {
        once(&hub, &n.to_string()).await;
    }
    assert_eq!(once(&hub, "first").await, first);
    drop(hub);
    let hub = super::on(engine()).await;
    assert_eq!(once(&hub, "first").await, first);
    assert_ne!(once(&hub, "second").await, first);
}

/// Of one that is published five times at once, the answers wait for the same transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_that_are_published_at_once_there_is_one() {
    let (_folder, file) = super::file();
    let hub = super::open(&file).await;
    let mut expected = 0;
    for round in 0..50 {
        let keys = (0..20).map(|n| format!("{round} {}", n % 4));
        let ids = futures_util::future::join_all(keys.map(async |key| once(&hub, &key).await)).await;
        expected += 4;
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(*id, ids[n % 4], "{n}");
        }
        assert!(super::top(&hub).as_str().ends_with(&format!("-{expected}")), "{}", super::top(&hub));
    }
    assert_eq!(hub.stats().published, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_known_for_its_window_and_refused_if_there_is_none() {
    let (_folder, file) = super::file();
    let window = Duration::from_millis(200);
    let hub = super::on(Redb::open(&file).dedupe_window(window)).await;
    let first = once(&hub, "k").await;
    let again = async {
        while once(&hub, "k").await == first {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    sse_tests::within_limit("it is forgotten", again).await;
    drop(hub);

    let hub = super::on(Redb::open(&file).dedupe_window(Duration::ZERO)).await;
    let topic: Topic = hub.topic("a");
    let refused = topic.publish("x").dedupe("k").await.expect_err("refused");
    assert!(matches!(refused, PublishError::NoDedupe { .. }), "{refused}");
}

/// Neither in the file nor for the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_keys_is_bounded() {
    let (_folder, file) = super::file();
    let bytes = 1 << 20;
    let engine = || Redb::open(&file).events(100).dedupe_bytes(bytes);
    let hub = super::on(engine()).await;
    let key = |n: usize| format!("key {n:0>100}");
    let flood = async |from: usize| {
        let mut last = String::new();
        for batch in (from..from + 30_000).step_by(1000) {
            let publishing = (batch..batch + 1000).map(async |n| once(&hub, &key(n)).await);
            last = futures_util::future::join_all(publishing).await.pop().expect("some");
        }
        (fs::metadata(&file).expect("a file").len(), last)
    };
    let (first, _) = flood(0).await;
    let (second, last) = flood(30_000).await;
    println!("{bytes} bytes of keys, file {first}, later {second}");
    assert!(second <= 4 * bytes as u64, "{second}");
    assert!(second <= first * 5 / 4, "{second} after {first}");
    // Those that are left are known, and the oldest are not.
    let top = super::top(&hub);
    drop(hub);
    let hub = super::on(engine()).await;
    assert_eq!(once(&hub, &key(59_999)).await, last);
    assert_eq!(super::top(&hub), top);
    once(&hub, &key(50_000)).await;
    assert_ne!(super::top(&hub), top);
}
