//! Events of the size that a server takes, and beyond.

use sse_runtime::testing::TestStream;
use sse_runtime::{PublishError, Topic};

use super::OnServer;
use crate::log::{Log, start};
use crate::node::{client, position};
use crate::server::Server as _;

on_each_server!(an_event_that_is_too_large_is_an_error_and_nothing_else);

async fn an_event_that_is_too_large_is_an_error_and_nothing_else<E: OnServer>() {
    let server = E::Server::start().await;
    let log = Log::on::<E>(&server);
    let hub = start(log.hub().max_event(E::TOO_LARGE * 2)).await;
    let beginning = position(&hub);
    let topic: Topic = hub.topic("a");
    let mut events = client(&hub).get("/a").stream().await;
    assert_eq!(events.next().await.name, "sse-open");

    let large = "x".repeat(900_000);
    topic.publish(large.as_str()).await.expect("published");
    for keyed in [false, true] {
        let too_large = "y".repeat(E::TOO_LARGE);
        let publishing = topic.publish(too_large);
        let publishing = if keyed { publishing.dedupe("key") } else { publishing };
        let error = sse_tests::within_limit("an error", publishing).await.expect_err("it is too large");
        let text = error.to_string();
        assert!(text.len() < 1000, "{} bytes of text", text.len());
        match error {
            PublishError::Refused { source, .. } => assert!(E::is_too_large(&source), "{source:?}"),
            other => panic!("{other:?}"),
        }
        println!("{}: {text}", E::Server::NAME);
    }
    // What is under way with it is not its business.
    let [before, too_large, after] = ["before".to_owned(), "y".repeat(E::TOO_LARGE), "after".to_owned()];
    let (before, failed, after) =
        tokio::join!(topic.publish(before), topic.publish(too_large), topic.publish(after));
    before.expect("published");
    after.expect("published");
    failed.expect_err("it is too large");
    topic.publish("small").dedupe("key").await.expect("the key was not used up");
    assert!(hub.health().is_up(), "{}", hub.health());
    assert_eq!(hub.stats().outages, 0, "it is no outage");

    let check = async |events: &mut TestStream| {
        assert_eq!(events.next().await.data.len(), 900_000);
        let mut two = [events.next().await.data, events.next().await.data];
        two.sort();
        assert_eq!(two, ["after", "before"]);
        events.expect("message", "small").await;
    };
    check(&mut events).await;
    let late = start(log.hub()).await;
    let mut resumed = client(&late).get("/a").last_event_id(beginning.as_str()).stream().await;
    assert_eq!(resumed.next().await.name, "sse-open");
    check(&mut resumed).await;
}
