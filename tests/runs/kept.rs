//! A log that has been there for long, and has let go of what was in it before: runs, their keys and replies are found all
//! the same. And one that keeps little of a topic.

use sse_runtime::{Hub, Replies};

use super::broker::{Broker, Delivers};
use super::*;

/// Says what it is told, if it is worth it.
#[sse_route("/talk", methods = ["POST"], run = "15m", run_idle = "5m")]
async fn talk(sse: Sse, mut replies: Replies<u64>) -> Result<()> {
    sse.send("hello").await?;
    while let Some(reply) = replies.next().await {
        if *reply < 100 {
            sse.send(format!("you said {}", *reply)).await?;
        }
    }
    Ok(())
}

async fn node(broker: &Broker, delivers: Delivers) -> (TestClient, Runs) {
    let hub = Hub::on(broker.node().delivers(delivers)).topic_events(8).start().await.expect("started");
    let runs = Runs::on(hub);
    let app: Router = routes![count, talk].with_state(Said::default());
    (TestClient::new(app.layer(runs.clone())).limit(Duration::from_secs(1200)), runs)
}

/// Two nodes of a log of which much is gone.
async fn nodes(broker: &Broker, delivers: Delivers) -> [(TestClient, Runs); 2] {
    let old = Hub::on(broker.node()).start().await.expect("started");
    let topic: sse_runtime::Topic = old.topic("old");
    for n in 0..20 {
        topic.publish(n.to_string()).await.expect("published");
    }
    broker.forget(broker.top() - 3);
    [node(broker, delivers).await, node(broker, delivers).await]
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_of_a_log_was_not_of_the_runs_that_have_begun_since() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        let broker = Broker::keeping(100_000);
        let [(here, at_home), (there, away)] = nodes(&broker, delivers).await;
        let post = |client: &TestClient| client.post("/count/30").header("idempotency-key", "a");
        let (mut events, same) = tokio::join!(post(&here).stream(), post(&there).stream());
        assert_eq!(run_of(&events), run_of(&same), "of one key");
        assert_eq!(at_home.list().len() + away.list().len(), 1);
        opened(&mut events).await;
        numbers(&mut events, 0..3).await;
        for client in [&here, &there] {
            let mut whole = client.get(&format!("/count/30?run={}", run_of(&events))).stream().await;
            opened(&mut whole).await;
            numbers(&mut whole, 0..30).await;
            whole.expect("done", "{}").await;
        }
        for client in [&here, &there] {
            let deleted =
                client.request(axum::http::Method::DELETE, &format!("/count/30?run={}", run_of(&events)));
            assert_eq!(deleted.response().await.status, StatusCode::NO_CONTENT, "it is kept");
            assert_eq!(run_of(&post(client).stream().await), run_of(&events), "its key, too");
            let guess = run_of(&events).chars().rev().collect::<String>();
            let guess = client.get(&format!("/count/30?run={guess}")).response().await;
            assert_eq!(guess.status, StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nor_was_it_of_the_streams_that_take_replies() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        let broker = Broker::keeping(100_000);
        let [(here, _), (there, _)] = nodes(&broker, delivers).await;
        let mut events = here.post("/talk").stream().await;
        opened(&mut events).await;
        let token = events.next().await;
        let token: serde_json::Value = serde_json::from_str(&token.data).expect("JSON");
        events.expect("message", "hello").await;
        sleep(SECOND).await;
        let path = format!("/talk?reply={}", token["token"].as_str().expect("a token"));
        let answer = there.post(&path).json(&7).response().await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::ACCEPTED, ""));
        events.expect("message", "you said 7").await;
    }
}

/// On a log that keeps eight events of each topic, which is what the run has.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_followed_for_long_is_found_where_little_is_kept_of_a_topic() {
    let broker = Broker::keeping_of_a_topic(8);
    let [(here, _), (there, _)] = nodes(&broker, Delivers::Open).await;
    let mut events = here.post("/talk").stream().await;
    let path = format!("/talk?run={}", run_of(&events));
    opened(&mut events).await;
    let token = events.next().await;
    let token: serde_json::Value = serde_json::from_str(&token.data).expect("JSON");
    let reply = format!("/talk?reply={}", token["token"].as_str().expect("a token"));
    events.expect("message", "hello").await;
    let (mut one, mut two) = (there.get(&path).stream().await, there.get(&path).stream().await);
    for away in [&mut one, &mut two] {
        opened(away).await;
        assert_eq!(away.next().await.name, "sse-replies");
        away.expect("message", "hello").await;
    }
    for n in 0..5 {
        sleep(170 * SECOND).await;
        for _ in 0..20 {
            assert_eq!(there.post(&reply).json(&100).response().await.status, StatusCode::ACCEPTED);
        }
        let answer = there.post(&reply).json(&n).response().await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::ACCEPTED, ""), "{n}");
        let mut again = there.get(&path).stream().await;
        opened(&mut again).await;
        assert_eq!(again.next().await.name, "sse-replies");
        again.expect("message", "hello").await;
        for said in 0..=n {
            again.expect("message", &format!("you said {said}")).await;
        }
    }
}
