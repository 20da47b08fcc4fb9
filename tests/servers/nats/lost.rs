//! A log that is lost, whole or in part, under hubs that run: numbers go on above all that were given out, nobody takes new
//! events for old ones, and clients are told.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sse_runtime::engine::Nats;
use sse_runtime::testing::{ReceivedEvent, TestStream};
use sse_runtime::{Hub, Topic};

use super::by_hand::ByHand;
use super::wait_until;
use crate::node::{client, position, seq};
use crate::server::{self, Server as _};

async fn hub(server: &server::Nats) -> Hub {
    let engine = Nats::connect(server.url()).stream("log").bytes(32 << 20);
    Hub::on(engine).topic_events(4).start().await.expect("started")
}

async fn follow(hub: &Hub, last: &str) -> TestStream {
    client(hub).get("/a").last_event_id(last).stream().await
}

async fn publish(hub: &Hub, text: &str) -> String {
    let topic: Topic = hub.topic("a");
    topic.publish(text).await.expect("published").as_str().to_owned()
}

/// The next event with this data; what comes before it are words of the runtime.
async fn expect(events: &mut TestStream, data: &str) -> ReceivedEvent {
    loop {
        let event = events.next().await;
        if event.name == "message" {
            assert_eq!(event.data, data);
            return event;
        }
    }
}

async fn reset(hub: &Hub, last: &str, reason: &str) {
    let mut events = follow(hub, last).await;
    let first = events.next().await;
    assert_eq!(first.name, "sse-reset", "{first:?}");
    let said: Value = serde_json::from_str(&first.data).expect("JSON");
    assert_eq!(said["reason"], reason, "{said}");
}

fn epoch(id: &str) -> &str {
    id.split_once('-').expect("epoch and number").0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_deleted_is_made_again() {
    let server = server::Nats::start().await;
    let (one, two) = (hub(&server).await, hub(&server).await);
    let old = publish(&one, "1").await;
    let newest = publish(&two, "2").await;
    let (mut near, mut far) = (follow(&one, &newest).await, follow(&two, &newest).await);

    ByHand::connect(&server).await.ask("STREAM.DELETE.log", Value::Null).await;
    let id = publish(&one, "3").await;
    assert_eq!(epoch(&id), epoch(&newest));
    assert!(seq(&id) > seq(&newest), "{id} after {newest}");
    // Streams end or are told, and come back: what is said is in the guide. From here on, all is as ever.
    wait_until("both know it", || seq(position(&two).as_str()) >= seq(&id)).await;
    for (hub, stream) in [(&one, &mut near), (&two, &mut far)] {
        reset(hub, &old, "evicted").await;
        *stream = follow(hub, &id).await;
    }
    let next = publish(&two, "4").await;
    assert!(seq(&next) > seq(&id));
    expect(&mut near, "4").await;
    expect(&mut far, "4").await;

    // A node that begins now goes on with it, and clients of the others resume there.
    let three = hub(&server).await;
    expect(&mut follow(&three, &id).await, "4").await;
    reset(&three, &old, "evicted").await;
    let last = publish(&three, "5").await;
    assert_eq!(epoch(&last), epoch(&id));
    assert!(seq(&last) > seq(&next));
    expect(&mut near, "5").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_another_node_has_begun_anew_is_joined() {
    let mut server = server::Nats::start().await;
    let (one, two) = (hub(&server).await, hub(&server).await);
    let old = publish(&one, "1").await;

    // Nothing of the old one is left, and somebody who knows nothing of it comes first.
    server.kill().await;
    let streams = server.process().folder().join("jetstream");
    fs::remove_dir_all(streams).expect("removed");
    let url = server.url();
    let starting = tokio::spawn(async move {
        loop {
            let engine = Nats::connect(&url).stream("log").bytes(32 << 20);
            if let Ok(hub) = Hub::on(engine).start().await {
                return hub;
            }
        }
    });
    server.start_again().await;
    let three = starting.await.expect("no panic");

    let by_one = publish(&one, "2").await;
    let by_two = publish(&two, "3").await;
    let by_three = publish(&three, "4").await;
    assert_eq!((epoch(&by_one), epoch(&by_two)), (epoch(&old), epoch(&old)));
    assert!(seq(&by_one) > seq(&old) && seq(&by_two) > seq(&by_one), "{old}, {by_one}, {by_two}");
    wait_until("it has all", || seq(position(&one).as_str()) > seq(&by_two)).await;
    // The two agree on numbers without having spoken.
    for hub in [&one, &two] {
        let mut events = follow(hub, &by_one).await;
        expect(&mut events, "3").await;
        expect(&mut events, "4").await;
        reset(hub, &old, "evicted").await;
    }
    // Whichever of them was first: if that was the third, the others' ids are of another log for it.
    if epoch(&by_three) != epoch(&old) {
        reset(&three, &by_one, "epoch").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_lost_the_newest_events_does_not_use_their_numbers_again() {
    let mut server = server::Nats::start().await;
    let (one, two) = (hub(&server).await, hub(&server).await);
    let kept = publish(&one, "1").await;
    server.kill().await;
    let (folder, copy) =
        (server.process().folder().join("jetstream"), server.process().folder().join("copy"));
    copy_all(&folder, &copy);
    server.start_again().await;
    for n in 2..50 {
        publish(&one, &n.to_string()).await;
    }
    let newest = publish(&two, "50").await;
    wait_until("both have it", || [&one, &two].iter().all(|hub| seq(position(hub).as_str()) == seq(&newest)))
        .await;

    // As after a loss of power, with acknowledgements that did not wait for the disk.
    server.kill().await;
    fs::remove_dir_all(&folder).expect("removed");
    fs::rename(&copy, &folder).expect("moved");
    server.start_again().await;
    let id = publish(&two, "51").await;
    assert_eq!(epoch(&id), epoch(&newest));
    assert!(seq(&id) > seq(&newest), "{id} after {newest}");
    wait_until("it has come", || seq(position(&one).as_str()) >= seq(&id)).await;
    for hub in [&one, &two] {
        expect(&mut follow(hub, &newest).await, "51").await;
    }
    // What was kept is still there, for a node that knows of no loss as well.
    expect(&mut follow(&hub(&server).await, &kept).await, "51").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_evicted_during_an_outage_is_said() {
    let mut server = server::Nats::start().await;
    let hub = hub(&server).await;
    let old = publish(&hub, "1").await;
    let mut events = follow(&hub, &old).await;
    assert_eq!(events.next().await.name, "sse-open");
    let by_hand = ByHand::connect(&server).await;
    let config = by_hand.ask("STREAM.INFO.log", Value::Null).await["config"].clone();
    let subject = config["subjects"][0].as_str().expect("one").replace('>', "b");
    drop(by_hand);

    // It hangs for so long that the node gives it up, and then does what it was told meanwhile.
    server.pause();
    wait_until("it is down", || !hub.health().is_up()).await;
    server.kill().await;
    server.start_again().await;
    let by_hand = ByHand::connect(&server).await;
    for _ in 0..10 {
        by_hand.publish(&subject).await;
    }
    by_hand.purge("log", 11).await;
    wait_until("it is up", || hub.health().is_up()).await;
    let next = publish(&hub, "2").await;
    assert!(seq(&next) >= 12, "{next}");
    reset(&hub, &old, "evicted").await;
    let mut events = follow(&hub, &next).await;
    publish(&hub, "3").await;
    expect(&mut events, "3").await;
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}
