//! Ending for good: the terminal event, and what a client that comes back with its id is told.

use std::time::Duration;

use sse_runtime::testing::TestClient;
use sse_runtime::{Result, SendError, Sse, routes, sse_route};
use tokio::time::sleep;

#[sse_route("/finish")]
async fn finish(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    sse.finish().await?;
    assert!(matches!(sse.send("more").await, Err(SendError::Finished)));
    assert!(matches!(sse.finish().await, Err(SendError::Finished)));
    // Tidying up after the client has been told.
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[sse_route("/end", end = "done")]
async fn end(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    Ok(())
}

#[sse_route("/fails", end = "done")]
async fn fails(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    Err("no")?;
    Ok(())
}

#[sse_route("/finish-fails")]
async fn finish_fails(sse: Sse) -> Result<()> {
    sse.finish().await?;
    Err("no")?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn finish_sends_the_terminal_event_and_nothing_follows() {
    for path in ["/finish", "/finish-fails"] {
        let answer = TestClient::new(routes![finish, finish_fails]).get(path).response().await;
        assert!(answer.text.ends_with("event: end\nid: sse-end\ndata: {}\n\n"), "{}", answer.text);
        assert_eq!(answer.text.matches("event:").count(), 1, "{}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_with_an_end_sends_it_when_its_handler_returns() {
    let client = TestClient::new(routes![end, fails]);
    assert_eq!(client.get("/end").response().await.text, "data: x\n\nevent: done\nid: sse-end\ndata: {}\n\n");
    let failed = client.get("/fails").response().await.text;
    assert_eq!(
        failed, "data: x\n\nevent: failure\ndata: {\"reason\":\"HandlerError\"}\n\n",
        "a failure is no end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_seen_the_end_is_told_to_stop() {
    let client = TestClient::new(routes![end]);
    let mut events = client.get("/end").stream().await;
    events.rest().await;
    let answer = events.reconnect_request().response().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
}

#[sse_route("/bare/{how}", bare)]
async fn bare(sse: Sse, how: String) -> Result<()> {
    sse.send("x").await?;
    match how.as_str() {
        "fails" => Err("no")?,
        "fails-later" => {
            sleep(Duration::from_secs(1)).await;
            Err("no")?;
        }
        "panics" => panic!("no"),
        _ => {}
    }
    sse.send("[DONE]").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_bare_route_adds_no_event_of_its_own() {
    let client = TestClient::new(routes![bare]);
    assert_eq!(client.get("/bare/ok").response().await.text, "data: x\n\ndata: [DONE]\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_bare_stream_that_breaks_off_does_not_look_like_one_that_has_ended() {
    let client = TestClient::new(routes![bare]);
    for how in ["fails", "fails-later", "panics"] {
        let mut events = client.get(&format!("/bare/{how}")).stream().await;
        events.expect("message", "x").await;
        events.expect_cut().await;
        assert_eq!(events.raw_text(), "data: x\n\n", "{how}");
    }
}
