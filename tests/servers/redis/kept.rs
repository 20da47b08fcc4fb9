//! What is kept, and how much room it takes.

use std::time::Duration;

use sse_runtime::engine::{Engine as _, Record, Redis};

use super::node::Node;
use super::{SHARED, raw};
use crate::server::{Server as _, fresh_name};

/// How many keys the log has.
async fn keys(prefix: &str) -> usize {
    let server = SHARED.get().await;
    let mut scan = redis::cmd("KEYS");
    let keys: Vec<String> =
        scan.arg(format!("{{{prefix}}}:*")).query_async(&mut raw(&server).await).await.expect("keys");
    keys.len()
}

#[tokio::test]
async fn a_quiet_topic_has_lost_nothing() {
    let server = SHARED.get().await;
    let engine = || Redis::connect(server.url()).topic_events(10);
    let prefix = fresh_name();
    let node = Node::start(engine().prefix(prefix.as_str())).await;
    let quiet = node.publish("quiet", "1").await;
    let mut busy = Vec::new();
    for n in 0..50 {
        busy.push(node.publish("busy", &n.to_string()).await);
    }
    assert_eq!(node.read("quiet", 0).await, Some(vec![quiet]));
    assert_eq!(node.read("quiet", busy[40]).await, Some(vec![]));
    assert_eq!(node.read("busy", busy[38]).await, None);
    assert_eq!(node.read("busy", busy[39]).await.as_deref(), Some(&busy[40..]));
    assert_eq!(node.read("never", 0).await, Some(vec![]));
}

#[tokio::test]
async fn topics_beyond_the_limit_go_and_it_is_said() {
    let server = SHARED.get().await;
    let prefix = fresh_name();
    let node = Node::start(Redis::connect(server.url()).prefix(prefix.as_str()).topics(20)).await;
    let mut last = Vec::new();
    for n in 0..100 {
        let topic = format!("topic {n}");
        let (first, second) = (node.publish(&topic, "1"), node.publish(&topic, "2"));
        last.push(if n % 2 == 0 {
            first.await;
            second.await
        } else {
            // As one group.
            tokio::join!(first, second).1
        });
    }
    let keys = keys(&prefix).await;
    assert!(keys <= 20 + 4, "{keys}");
    assert_eq!(node.read("topic 99", 0).await.map(|records| records.len()), Some(2));
    assert_eq!(node.read("topic 80", 0).await.map(|records| records.len()), Some(2));
    assert_eq!(node.read("topic 79", 0).await, None);
    assert_eq!(node.read("topic 79", last[79]).await, Some(vec![]));
    assert_eq!(node.read("never", 0).await, None, "it is not known any more that it was never there");
    assert_eq!(node.read("never", last[79]).await, Some(vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_goes_by_itself() {
    let server = SHARED.get().await;
    let prefix = fresh_name();
    let node =
        Node::start(Redis::connect(server.url()).prefix(prefix.as_str()).age(Duration::from_secs(2))).await;
    let mut old = Vec::new();
    for n in 0..30 {
        old.push(node.publish(&format!("topic {}", n % 10), "old").await);
    }
    assert_eq!(node.read("topic 9", 0).await.map(|records| records.len()), Some(3));
    // Nobody publishes, and nothing else happens.
    let gone = async {
        while keys(&prefix).await > 4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    sse_tests::within_limit("eviction", gone).await;
    assert_eq!(node.read("topic 9", 0).await, None);
    assert_eq!(node.read("topic 9", old[28]).await, None);
    assert_eq!(node.read("topic 9", old[29]).await, Some(vec![]));
    let next = node.publish("topic 9", "new").await;
    assert_eq!(node.read("topic 9", old[29]).await, Some(vec![next]));
    assert_eq!(node.read("topic 9", old[19]).await, None);
    assert_eq!(node.read("never", 0).await, Some(vec![]));
}

#[tokio::test]
async fn what_is_too_old_goes_from_a_topic_that_goes_on() {
    let server = SHARED.get().await;
    let engine = || Redis::connect(server.url()).age(Duration::from_secs(1)).topic_events(1_000_000);
    for together in [1, 2] {
        let prefix = fresh_name();
        let node = Node::start(engine().prefix(prefix.as_str())).await;
        node.publish("t", "old").await;
        let gone = async {
            while node.read("t", 0).await.is_some() {
                futures_util::future::join_all((0..together).map(|_| node.publish("t", "new"))).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        sse_tests::within_limit("eviction", gone).await;
        let kept: usize = redis::cmd("XLEN")
            .arg(format!("{{{prefix}}}:t:t"))
            .query_async(&mut raw(&server).await)
            .await
            .expect("a length");
        assert!(kept > 0, "only what is old is gone");
    }
}

#[tokio::test]
async fn what_is_too_old_goes_from_all_topics_that_take_turns() {
    let server = SHARED.get().await;
    let prefix = fresh_name();
    let engine = Redis::connect(server.url()).age(Duration::from_secs(1)).topic_events(1_000_000);
    let node = Node::start(engine.prefix(prefix.as_str())).await;
    let mut connection = raw(&server).await;
    let gone = async {
        let mut left = 32;
        while left > 0 {
            let mut oldest = redis::pipe();
            for topic in 0..32 {
                node.publish(&topic.to_string(), "new").await;
                let stream = format!("{{{prefix}}}:t:{topic}");
                oldest.cmd("XRANGE").arg(stream).arg("-").arg("+").arg("COUNT").arg(1);
            }
            let oldest: Vec<Vec<(String, Vec<String>)>> =
                oldest.query_async(&mut connection).await.expect("entries");
            // Which record of its topic was before it: of the first one, none.
            left = oldest.iter().flatten().filter(|(_, record)| record[0] == "0").count();
        }
    };
    sse_tests::within_limit("eviction", gone).await;
}

#[tokio::test]
async fn a_dedupe_key_is_known_for_its_time() {
    let server = SHARED.get().await;
    let prefix = fresh_name();
    let engine =
        Redis::connect(server.url()).prefix(prefix.as_str()).dedupe_window(Duration::from_millis(300));
    let node = Node::start(engine).await;
    let publish = || async {
        let record = Record::new(b"x", "").deduped(Some("k"));
        node.engine.publish("t", record).await.expect("published")
    };
    let first = publish().await;
    let (second, third) = tokio::join!(publish(), publish());
    assert_eq!((second, third), (first, first));
    let again = async { while publish().await == first {} };
    sse_tests::within_limit("its time is over", again).await;
    let with_the_key_gone = async {
        while keys(&prefix).await > 5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    sse_tests::within_limit("the key expires", with_the_key_gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_gone_is_forgotten_and_one_that_is_there_is_not() {
    let server = SHARED.get().await;
    let prefix = fresh_name();
    let (log, nodes) = (format!("{{{prefix}}}:log"), format!("{{{prefix}}}:nodes"));
    let node = Node::start(Redis::connect(server.url()).prefix(prefix.as_str())).await;
    let mut connection = raw(&server).await;
    // So long ago that nothing of it can still come.
    let mut gone = redis::pipe();
    gone.hset(&log, "node gone", 7).hset(&log, "node gone 2", "7:1-3").zadd(&nodes, "node gone", 1);
    gone.exec_async(&mut connection).await.expect("written");
    node.publish("t", "1").await;
    let forgotten = async {
        loop {
            let known: Vec<String> = redis::cmd("ZRANGE")
                .arg(&nodes)
                .arg(0)
                .arg(-1)
                .query_async(&mut connection)
                .await
                .expect("the nodes");
            if let [known] = known.as_slice() {
                if known != "node gone" {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    sse_tests::within_limit("it is forgotten", forgotten).await;
    let fields: Vec<String> =
        redis::cmd("HKEYS").arg(&log).query_async(&mut raw(&server).await).await.expect("the log");
    assert_eq!(fields.iter().filter(|field| field.contains("gone")).count(), 0, "{fields:?}");
    assert_eq!(fields.iter().filter(|field| field.starts_with("node ")).count(), 2, "{fields:?}");
}
