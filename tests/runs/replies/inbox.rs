//! What arrives, in which order, how often, and what is answered.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_a_client_posts_arrives_and_is_answered() {
    let client = client(None);
    let mut events = client.get("/guess/a").stream().await;
    let token = token(&mut events).await;
    assert_eq!(events.headers()["sse-reply-token"], token.as_str());
    events.expect("message", "a").await;
    let post =
        |number: i64| reply(&client, "/guess/a", &token).json(&serde_json::json!({ "number": number }));
    let more = post(7).response().await;
    assert_eq!(shown(&more), (200, r#"{"more":true}"#));
    assert_eq!(more.headers["content-type"], "application/json");
    assert_eq!(shown(&post(0).response().await), (202, ""));
    assert_eq!(shown(&post(-1).response().await), (403, "positive numbers only"));
    assert_eq!(shown(&post(42).response().await), (200, r#""yes""#));
    for number in [7, 0, -1, 42] {
        events.expect("message", &number.to_string()).await;
    }
    events.expect("end", "{}").await;
    events.expect_end().await;
    assert_eq!(shown(&post(7).response().await), (404, "no such stream"), "it is over");
}

#[tokio::test(start_paused = true)]
async fn the_token_may_be_in_a_header_and_the_stream_be_bare() {
    let client = client(None);
    let mut events = client.get("/foreign").stream().await;
    let token = events.headers()["sse-reply-token"].to_str().expect("text").to_owned();
    events.expect("message", "begin").await;
    let answer = client.post("/foreign").header("sse-reply-token", &token).json("x").response().await;
    assert_eq!(shown(&answer), (202, ""));
    events.expect("message", "x").await;
    events.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_reply_again_is_not_another() {
    let client = client(None);
    let mut events = client.get("/guess/a").stream().await;
    let token = token(&mut events).await;
    events.expect("message", "a").await;
    let post = |key: &str, number: i64| {
        let request = reply(&client, "/guess/a", &token).header("idempotency-key", key);
        request.json(&serde_json::json!({ "number": number }))
    };
    for _ in 0..3 {
        assert_eq!(shown(&post("k", 7).response().await), (200, r#"{"more":true}"#));
    }
    // At the same time, too.
    let (one, two) = tokio::join!(post("l", 50).response(), post("l", 50).response());
    assert_eq!((shown(&one), shown(&two)), ((200, r#"{"more":false}"#), (200, r#"{"more":false}"#)));
    assert_eq!(shown(&post("m", 42).response().await), (200, r#""yes""#));
    for number in [7, 50, 42] {
        events.expect("message", &number.to_string()).await;
    }
    events.expect("end", "{}").await;
    let refused = post(&"x".repeat(257), 7).response().await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "it is over, whatever else is wrong");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_was_told_to_try_again_is_heard_again() {
    let client = client(None);
    let mut events = client.get("/guess/a").stream().await;
    let token = token(&mut events).await;
    events.expect("message", "a").await;
    let post = || {
        let request = reply(&client, "/guess/a", &token).header("idempotency-key", "k");
        request.json(&serde_json::json!({ "number": 13 }))
    };
    let refused = post().response().await;
    assert_eq!(
        (shown(&refused), &refused.headers["retry-after"]),
        ((429, "in a moment"), &"1".parse().unwrap())
    );
    for _ in 0..2 {
        assert_eq!(shown(&post().response().await), (200, r#"{"more":true}"#));
    }
    assert_eq!(
        shown(
            &reply(&client, "/guess/a", &token).json(&serde_json::json!({ "number": 42 })).response().await
        )
        .0,
        200
    );
    for number in [13, 13, 42] {
        events.expect("message", &number.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn replies_wait_in_order_and_no_more_than_so_many() {
    let client = client(None);
    let mut events = client.get("/slow").stream().await;
    let token = token(&mut events).await;
    let post = |text: &str| reply(&client, "/slow", &token).json(text);
    let begun = tokio::time::Instant::now();
    let (one, two) = tokio::join!(post("1").response(), post("2").response());
    assert_eq!((shown(&one), shown(&two)), ((202, ""), (202, "")));
    assert_eq!(begun.elapsed(), 10 * SECOND, "the handler has not taken it");
    let full = post("3").response().await;
    assert_eq!(full.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(full.headers["retry-after"], "1");
    events.expect("message", "1").await;
    events.expect("message", "2").await;
    assert_eq!(shown(&post("4").response().await), (202, ""));
    events.expect("message", "4").await;
    // Whoever waits when the stream ends is told that there is none.
    let mut others = client.get("/slow").stream().await;
    let token = super::token(&mut others).await;
    let waiting = reply(&client, "/slow", &token).json("5");
    let waiting = tokio::spawn(async move { waiting.response().await });
    sleep(SECOND).await;
    others.disconnect();
    assert_eq!(shown(&waiting.await.expect("no panic")), (404, "no such stream"));
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_replies_from_whoever_has_come_back() {
    let runs = Runs::in_memory();
    let client = client(Some(runs.clone()));
    let mut events = client.post("/talk").stream().await;
    let path = format!("/talk?run={}", run_of(&events));
    opened(&mut events).await;
    let token = token(&mut events).await;
    events.expect("message", "hello").await;
    events.disconnect();
    sleep(5 * SECOND).await;
    let mut again = client.get(&path).stream().await;
    opened(&mut again).await;
    assert_eq!(super::token(&mut again).await, token);
    again.expect("message", "hello").await;
    assert_eq!(shown(&reply(&client, "/talk", &token).json("x").response().await), (202, ""));
    again.expect("message", "you said x").await;
    assert_eq!(runs.list().len(), 1);
    assert_eq!(shown(&reply(&client, "/talk", &token).json("bye").response().await), (202, ""));
    again.expect("message", "you said bye").await;
    again.expect_end().await;
    assert_eq!(shown(&reply(&client, "/talk", &token).json("x").response().await), (404, "no such stream"));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_first_announces_nothing() {
    let client = client(None);
    let response = client.get("/failing").response().await;
    assert_eq!(response.status, StatusCode::IM_A_TEAPOT);
    assert!(!response.text.contains("sse-replies"));
}

/// Waits for an answer before it says anything.
#[sse_route("/asks", methods = ["POST"], run = "15m")]
async fn asks(sse: Sse, mut replies: Replies<String>) -> Result<()> {
    if let Some(reply) = replies.next().await {
        sse.send(reply.as_str()).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_says_nothing_before_it_is_answered_tells_how_to_answer() {
    let app: Router = routes![asks];
    let client = TestClient::new(app);
    let mut events = client.post("/asks").stream().await;
    opened(&mut events).await;
    let token = token(&mut events).await;
    assert_eq!(events.headers()["sse-reply-token"], token.as_str());
    assert_eq!(reply(&client, "/asks", &token).json(&"hello").response().await.status, StatusCode::ACCEPTED);
    events.expect("message", "hello").await;
    events.expect_end().await;
}
