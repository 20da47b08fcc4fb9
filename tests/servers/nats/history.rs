//! What a server has to do for those who read history.

use serde_json::Value;
use sse_runtime::engine::Nats;
use sse_runtime::{Hub, Topic};

use super::by_hand::ByHand;
use crate::node::{client, position};
use crate::server::{self, Server as _};

/// How many events there are of a topic that has many, and beside it.
const DENSE: u64 = 3000;
const OTHERS: u64 = 9000;

async fn hub(server: &server::Nats) -> Hub {
    let engine = Nats::connect(server.url()).stream("log").bytes(64 << 20);
    Hub::on(engine).topic_events(4).replay_bytes(1 << 30).start().await.expect("started")
}

/// Publishes these numbers on a topic, many at a time.
async fn publish(hub: &Hub, topic: &str, numbers: std::ops::Range<u64>) {
    let topic: Topic = hub.topic(topic);
    let publishing = numbers.map(|number| topic.publish(number.to_string()));
    for published in futures_util::future::join_all(publishing).await {
        published.expect("published");
    }
}

/// A server that counts what is left of a topic at each record would do so a thousand times for each page, and keep all who
/// publish waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_server_is_not_made_to_count_what_is_left_of_a_topic_at_each_of_its_events() {
    let server = server::Nats::start().await;
    let writer = hub(&server).await;
    let start = position(&writer).to_string();
    publish(&writer, "sparse", 0..1).await;
    for round in 0..3 {
        publish(&writer, "dense", round * DENSE / 3..(round + 1) * DENSE / 3).await;
        publish(&writer, "other", round * OTHERS / 3..(round + 1) * OTHERS / 3).await;
    }
    publish(&writer, "sparse", 1..2).await;

    let by_hand = ByHand::connect(&server).await;
    let is_old = by_hand.version().starts_with("2.9.");
    let mut made = by_hand.listen("$JS.API.CONSUMER.CREATE.log").await;
    let mut consumers = async || {
        // Whether each of those who read is of one topic.
        let mut filtered = Vec::new();
        for config in made.until_quiet().await {
            let config: Value = serde_json::from_str(&config).expect("JSON");
            // The others are for what is delivered.
            if config["config"]["deliver_subject"].is_null() {
                filtered.push(config["config"]["filter_subject"].is_string());
            }
        }
        filtered
    };

    let late = hub(&server).await;
    let mut events = client(&late).get("/dense").last_event_id(&start).stream().await;
    assert_eq!(events.next().await.name, "sse-open");
    let mut heard: Vec<u64> = Vec::new();
    for _ in 0..DENSE {
        heard.push(events.next().await.data.parse().expect("a number"));
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..DENSE).collect::<Vec<_>>());
    let filtered = consumers().await;
    assert!((2..=16).contains(&filtered.len()), "{filtered:?}");
    assert!(filtered.iter().all(|filtered| *filtered != is_old), "{filtered:?}");

    // One of which there is nothing for long: the next of them is found by its subject.
    let mut events = client(&late).get("/sparse").last_event_id(&start).stream().await;
    assert_eq!(events.next().await.name, "sse-open");
    for number in ["0", "1"] {
        events.expect("message", number).await;
    }
    let filtered = consumers().await;
    assert!(filtered.len() <= 6 && filtered.contains(&true), "{filtered:?}");
}
