//! A reply that reaches another node than the stream.

use sse_runtime::Hub;

use super::*;
use crate::broker::{Broker, Call, Delivers, Node};

async fn node(broker: &Broker, delivers: Delivers) -> TestClient {
    let hub = Hub::on(broker.node().delivers(delivers)).start().await.expect("started");
    client(Some(Runs::on(hub)))
}

#[tokio::test(start_paused = true)]
async fn a_reply_finds_its_stream_at_another_node() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        let broker = Broker::keeping(10_000);
        let (here, there) = (node(&broker, delivers).await, node(&broker, delivers).await);
        let mut events = here.get("/guess/a").header("user", "ada").stream().await;
        let token = token(&mut events).await;
        events.expect("message", "a").await;
        // The other node may not know of it yet.
        sleep(SECOND).await;
        let post = |number: i64, key: &str| {
            let request =
                reply(&there, "/guess/a", &token).header("user", "ada").header("idempotency-key", key);
            request.json(&serde_json::json!({ "number": number }))
        };
        assert_eq!(shown(&post(7, "a").response().await), (200, r#"{"more":true}"#));
        assert_eq!(shown(&post(7, "a").response().await), (200, r#"{"more":true}"#), "once");
        assert_eq!(shown(&post(0, "b").response().await), (202, ""));
        assert_eq!(shown(&post(-1, "c").response().await), (403, "positive numbers only"));
        let eve = reply(&there, "/guess/a", &token).header("user", "eve");
        let eve = eve.json(&serde_json::json!({ "number": 1 })).response().await;
        assert_eq!(shown(&eve), (404, "no such stream"));
        let nonsense = reply(&there, "/guess/a", &token).header("user", "ada").json("x").response().await;
        assert_eq!(nonsense.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(shown(&post(42, "d").response().await), (200, r#""yes""#));
        for number in [7, 0, -1, 42] {
            events.expect("message", &number.to_string()).await;
        }
        events.expect("end", "{}").await;
        sleep(SECOND).await;
        assert_eq!(shown(&post(7, "e").response().await), (404, "no such stream"), "it is over");
    }
}

/// One node, and its connection to the log.
async fn node_with_log(broker: &Broker) -> (TestClient, Node) {
    let log = broker.node();
    let hub = Hub::on(log.clone()).start().await.expect("started");
    (client(Some(Runs::on(hub))), log)
}

#[tokio::test(start_paused = true)]
async fn who_answers_into_a_stream_of_a_node_that_is_gone_is_told_so_soon() {
    let broker = Broker::keeping(10_000);
    let ((here, log), (there, _)) = (node_with_log(&broker).await, node_with_log(&broker).await);
    let mut events = here.get("/guess/a").stream().await;
    let token = token(&mut events).await;
    sleep(SECOND).await;
    // It neither hears anything any more nor can say anything.
    log.halt();
    log.fail(Call::Publish, usize::MAX);
    let begun = tokio::time::Instant::now();
    let answer = reply(&there, "/guess/a", &token).json(&serde_json::json!({ "number": 7 })).response().await;
    assert_eq!(shown(&answer), (503, "the stream's server does not answer; try again"));
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_its_time_is_waited_for_at_another_node_too() {
    let broker = Broker::keeping(10_000);
    let ((here, _), (there, _)) = (node_with_log(&broker).await, node_with_log(&broker).await);
    let mut events = here.get("/slow").stream().await;
    let token = token(&mut events).await;
    sleep(55 * SECOND).await;
    let begun = tokio::time::Instant::now();
    let answer = reply(&there, "/slow", &token).json("x").response().await;
    assert_eq!(shown(&answer), (202, ""), "it is taken when a minute is over");
    assert!(begun.elapsed() >= 4 * SECOND, "{:?}", begun.elapsed());
    events.expect("message", "x").await;
}

#[tokio::test(start_paused = true)]
async fn that_a_stream_is_over_is_said_when_the_log_can_be_written_again() {
    let broker = Broker::keeping(10_000);
    let ((here, log), (there, _)) = (node_with_log(&broker).await, node_with_log(&broker).await);
    let mut events = here.get("/guess/a").stream().await;
    let token = token(&mut events).await;
    sleep(SECOND).await;
    log.fail(Call::Publish, 5);
    events.disconnect();
    sleep(3 * SECOND).await;
    let answer = reply(&there, "/guess/a", &token).json(&serde_json::json!({ "number": 7 })).response().await;
    assert_eq!(shown(&answer), (404, "no such stream"));
}
