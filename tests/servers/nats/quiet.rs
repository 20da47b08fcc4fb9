//! Hubs that follow nothing yet, and what is in the stream that nobody of this library has put there.

use serde_json::Value;
use sse_runtime::engine::Nats;
use sse_runtime::testing::TestStream;
use sse_runtime::{Hub, Topic};

use super::by_hand::ByHand;
use super::wait_until;
use crate::node::{client, position, seq};
use crate::server::{self, Server as _};

async fn hub(server: &server::Nats) -> Hub {
    let engine = Nats::connect(server.url()).stream("log").bytes(32 << 20);
    Hub::on(engine).topic_events(4).start().await.expect("started")
}

async fn publish(hub: &Hub, text: &str) -> String {
    let topic: Topic = hub.topic("a");
    topic.publish(text).await.expect("published").as_str().to_owned()
}

async fn next_message(events: &mut TestStream) -> String {
    loop {
        let event = events.next().await;
        if event.name == "message" {
            return event.data;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_follows_nothing_knows_soon_where_the_log_stands_and_can_begin_there() {
    let server = server::Nats::start().await;
    let (busy, idle) = (hub(&server).await, hub(&server).await);
    let mut newest = String::new();
    for n in 0..20 {
        newest = publish(&busy, &n.to_string()).await;
    }
    wait_until("it has looked", || seq(position(&idle).as_str()) == seq(&newest)).await;

    let rendered = position(&idle).to_string();
    publish(&busy, "20").await;
    let mut events = client(&idle).get("/a").last_event_id(&rendered).stream().await;
    assert_eq!(next_message(&mut events).await, "20");
    publish(&busy, "21").await;
    assert_eq!(next_message(&mut events).await, "21");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_somebody_else_does_not_keep_readers() {
    let server = server::Nats::start().await;
    let first = hub(&server).await;
    let one = publish(&first, "1").await;
    let by_hand = ByHand::connect(&server).await;
    let subject = by_hand.ask("STREAM.INFO.log", Value::Null).await["config"]["subjects"][0].clone();
    let subject = subject.as_str().expect("one").replace('>', "a");
    by_hand.publish(&subject, "nobody's event").await;

    // Its ring begins behind that message, and has what comes later.
    let second = hub(&server).await;
    let mut fresh = client(&second).get("/a").stream().await;
    assert_eq!(fresh.next().await.name, "sse-open");
    publish(&first, "2").await;
    assert_eq!(next_message(&mut fresh).await, "2");
    let mut events = client(&second).get("/a").last_event_id(&one).stream().await;
    assert_eq!(next_message(&mut events).await, "2");
}
