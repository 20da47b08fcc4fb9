//! A reply that reaches another node than the stream.

use sse_runtime::Hub;

use super::*;
use crate::broker::{Broker, Delivers};

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
