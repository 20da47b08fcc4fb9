//! Limits of the server and of the stream.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use sse_runtime::engine::{EngineError, Nats, NatsError};
use sse_runtime::{Hub, PublishError, Topic};

use super::by_hand::ByHand;
use super::wait_until;
use crate::server::{self, PASSWORD, Server as _, USER};

fn engine(server: &server::Nats) -> Nats {
    Nats::connect(server.url()).stream("log").bytes(32 << 20)
}

async fn refused(topic: &Topic, text: &str) -> NatsError {
    let publishing = sse_tests::within_limit("an error", topic.publish(text)).await;
    let (PublishError::Refused { source, .. } | PublishError::Engine { source, .. }) =
        publishing.expect_err("refused")
    else {
        panic!("another error")
    };
    source.downcast_ref::<NatsError>().unwrap_or_else(|| panic!("{source:?}")).clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_lowered_holds_for_what_waits() {
    let settings = |most: usize| {
        let login = format!("authorization {{ user: {USER}, password: {PASSWORD:?} }}");
        format!("jetstream {{}}\n{login}\nmax_payload: {most}\n")
    };
    let mut server = server::Nats::configured(&settings(100_000)).await;
    let hub = Hub::on(engine(&server)).start().await.expect("started");
    let topic: Topic = hub.topic("a");
    let text = "x".repeat(5000);
    topic.publish(text.as_str()).await.expect("small enough");
    let error = refused(&topic, &"x".repeat(100_000)).await;
    assert!(matches!(error, NatsError::TooLarge { size: 100_001..100_200, most: 100_000 }), "{error:?}");

    server.kill().await;
    fs::write(server.process().folder().join(server::Nats::CONFIG), settings(2000)).expect("written");
    wait_until("it is down", || !hub.health().is_up()).await;
    let waits = tokio::spawn({
        let topic = topic.clone();
        async move { (refused(&topic, &text).await, topic.publish("small").await) }
    });
    server.start_again().await;
    let (error, small) = waits.await.expect("no panic");
    assert!(matches!(error, NatsError::TooLarge { size: 5000..5200, most: 2000 }), "{error:?}");
    small.expect("small enough");
}

#[tokio::test]
async fn a_stream_that_is_full_says_so_and_goes_on_when_there_is_room() {
    let server = server::Nats::start().await;
    let hub = Hub::on(engine(&server)).start().await.expect("started");
    let topic: Topic = hub.topic("a");
    let by_hand = ByHand::connect(&server).await;
    let mut config = by_hand.ask("STREAM.INFO.log", Value::Null).await["config"].clone();
    (config["discard"], config["max_msgs"]) = (json!("new"), json!(3));
    by_hand.ask("STREAM.UPDATE.log", config.clone()).await;
    for n in 0..3 {
        topic.publish(n.to_string()).await.expect("there is room");
    }
    let error = refused(&topic, "3").await;
    assert!(matches!(&error, NatsError::Full { stream, .. } if stream == "log"), "{error:?}");
    assert!(hub.health().is_up(), "{}", hub.health());
    (config["max_msgs"], config["max_msg_size"]) = (json!(10), json!(200));
    by_hand.ask("STREAM.UPDATE.log", config).await;
    topic.publish("3").await.expect("there is room again");
    let error = refused(&topic, &"x".repeat(1000)).await;
    assert!(matches!(error, NatsError::TooLarge { size: 1001.., most: 0 }), "{error:?}");
}

#[tokio::test]
async fn limits_are_those_of_the_program_that_names_them() {
    let server = server::Nats::start().await;
    let by_hand = ByHand::connect(&server).await;
    let config = async || by_hand.ask("STREAM.INFO.log", Value::Null).await["config"].clone();
    let hour = Duration::from_secs(3600);
    Hub::on(engine(&server).age(hour).events(100)).start().await.expect("started");
    let first = config().await;
    let seconds = |config: &Value, name: &str| config[name].as_u64().expect("a number") / 1_000_000_000;
    assert_eq!((seconds(&first, "max_age"), &first["max_msgs"]), (3600, &json!(100)));
    assert_eq!(seconds(&first, "duplicate_window"), 120);

    // What the operator has set stays, and so does what this one does not name.
    let mut changed = first.clone();
    changed["description"] = json!("mine");
    by_hand.ask("STREAM.UPDATE.log", changed).await;
    Hub::on(Nats::connect(server.url()).stream("log").events(200)).start().await.expect("started");
    let second = config().await;
    assert_eq!((seconds(&second, "max_age"), &second["max_msgs"]), (3600, &json!(200)));
    assert_eq!(second["description"], "mine");

    let minute = Duration::from_secs(60);
    Hub::on(Nats::connect(server.url()).stream("log").age(minute)).start().await.expect("started");
    let third = config().await;
    assert_eq!((seconds(&third, "max_age"), seconds(&third, "duplicate_window")), (60, 60));
}

/// A server that hangs: `publish` says after its time that the outcome is unknown, and everything else has an end as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_wait_for_a_server_has_an_end() {
    let server = server::Nats::start().await;
    let after = Duration::from_millis(300);
    let hub = Hub::on(engine(&server).publish_timeout(after)).start().await.expect("started");
    let topic: Topic = hub.topic("a");
    topic.publish("1").await.expect("published");
    server.pause();
    let error = refused(&topic, "2").await;
    assert_eq!(error, NatsError::TimedOut { doing: "publish", after });
    let starting = sse_tests::within_limit("an error", Hub::on(engine(&server)).start()).await;
    let error: EngineError = starting.expect_err("it hangs");
    assert!(matches!(error.downcast_ref(), Some(NatsError::Unreachable { .. })), "{error:?}");
    server.resume();
    wait_until("it is up", || hub.health().is_up()).await;
    topic.publish("3").await.expect("published");
}
