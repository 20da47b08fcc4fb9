//! Ids of all kinds that clients come back with, also when everything was restarted and nothing was published since.

use sse_runtime::testing::TestClient;

use super::OnServer;
use crate::log::Log;
use crate::node::{client, publish_for, seq};
use crate::server::Server as _;

on_each_server!(every_id_gets_what_it_should);

async fn every_id_gets_what_it_should<E: OnServer>() {
    let mut server = E::Server::start().await;
    let kept = Log::on::<E>(&server);
    let short = Log::on::<E>(&server).keeping(10);

    let hub = kept.small().await;
    let mut ids = Vec::new();
    for number in 0..12 {
        // On a second topic, too: the numbers of one have holes.
        let topic = ["a", "a", "b"][number % 3];
        ids.push(publish_for(&hub, topic, &number.to_string(), sse_tests::LIMIT).await.to_string());
    }
    let foreign = Log::on::<E>(&server).small().await;
    let foreign = publish_for(&foreign, "a", "elsewhere", sse_tests::LIMIT).await.to_string();
    let (epoch, _) = ids[0].split_once('-').expect("epoch and number");
    let ahead = format!("{epoch}-{}", seq(&ids[11]) + 1000);
    let ids = Ids { good: ids, foreign, ahead };
    ids.check(&client(&hub)).await;
    ids.check(&client(&kept.small().await)).await;

    let evicted = evict(&short).await;
    reset(&client(&short.small().await), &evicted, "evicted").await;

    // Everything again, when nothing is left in any process.
    drop(hub);
    server.kill().await;
    server.start_again().await;
    let hub = kept.small().await;
    ids.check(&client(&hub)).await;
    let short_again = short.small().await;
    reset(&client(&short_again), &evicted, "evicted").await;

    // The log goes on where it was.
    let mut events = client(&hub).get("/a").last_event_id(&ids.good[10]).stream().await;
    resumed(&events.next().await);
    let next = publish_for(&hub, "a", "goes on", sse_tests::LIMIT).await.to_string();
    assert!(seq(&next) > seq(&ids.good[11]), "{next} after {}", ids.good[11]);
    events.expect("message", "goes on").await;
}

struct Ids {
    /// Of the events 0 to 11.
    good: Vec<String>,
    foreign: String,
    ahead: String,
}

impl Ids {
    async fn check(&self, client: &TestClient) {
        for (id, reason) in [
            (self.foreign.as_str(), "epoch"),
            (self.ahead.as_str(), "ahead"),
            ("garbage", "malformed"),
            ("-1", "malformed"),
            ("1-1-1", "malformed"),
            ("' OR 1=1 --", "malformed"),
            ("1-18446744073709551616", "malformed"),
        ] {
            reset(client, id, reason).await;
        }
        // 0, 1, 3, 4, .. are on `a`.
        for (path, last) in [("/a", 0), ("/a", 2), ("/a", 9), ("/a,b", 4), ("/b", 11)] {
            let mut events = client.get(path).last_event_id(&self.good[last]).stream().await;
            resumed(&events.next().await);
            for number in last + 1..12 {
                if path.contains(["a", "a", "b"][number % 3]) {
                    let event = events.expect("message", &number.to_string()).await;
                    assert_eq!(event.id.as_deref(), Some(self.good[number].as_str()));
                }
            }
            events.silent_for(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// Publishes on a log that keeps ten events until the first one is gone, whose id is the answer.
async fn evict(log: &Log) -> String {
    let hub = log.small().await;
    let client = client(&hub);
    let first = publish_for(&hub, "a", "first", sse_tests::LIMIT).await.to_string();
    let mut published = 1;
    let gone = async {
        loop {
            for _ in 0..50 {
                published += 1;
                publish_for(&hub, "a", &published.to_string(), sse_tests::LIMIT).await;
            }
            let mut events = client.get("/a").last_event_id(&first).stream().await;
            if events.next().await.name == "sse-reset" {
                break;
            }
        }
    };
    sse_tests::within_limit("an event that is evicted", gone).await;
    println!("{}: the first is gone when there are {published}", log.name);
    first
}

fn resumed(open: &sse_runtime::testing::ReceivedEvent) {
    assert!(open.name == "sse-open" && open.data.contains(r#""resumed":true"#), "{open:?}");
}

async fn reset(client: &TestClient, id: &str, reason: &str) {
    let mut events = client.get("/a").last_event_id(id).stream().await;
    let reset = events.next().await;
    let said: serde_json::Value = serde_json::from_str(&reset.data).expect("JSON");
    assert_eq!(
        (reset.name.as_str(), said["reason"].as_str()),
        ("sse-reset", Some(reason)),
        "{id}: {reset:?}"
    );
    assert_eq!(said["asked"].as_str(), Some(id));
    let open = events.next().await;
    assert!(open.name == "sse-open" && open.data.contains(r#""resumed":false"#), "{open:?}");
}
