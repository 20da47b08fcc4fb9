//! The test client fails where a test should fail, and says why; it never hangs.

use std::time::Duration;

use sse_runtime::testing::TestClient;
use sse_runtime::{Event, Result, Sse, StatusCode, routes, sse_route};
use tokio::time::sleep;

#[sse_route("/one")]
async fn one(sse: Sse) -> Result<()> {
    sse.send(Event::new("first").id("1").data("a")).await?;
    std::future::pending().await
}

#[sse_route("/late")]
async fn late(sse: Sse) -> Result<()> {
    sse.open().await?;
    sleep(Duration::from_secs(10)).await;
    sse.send("late").await?;
    Ok(())
}

#[sse_route("/never", open_after = "off")]
async fn never(sse: Sse) -> Result<()> {
    drop(sse);
    std::future::pending().await
}

#[sse_route("/refuses")]
async fn refuses(_: Sse) -> Result<()> {
    Err(sse_runtime::Error::from("no").with_status(StatusCode::FORBIDDEN).public("not for you"))
}

#[sse_route("/resumes", methods = ["GET", "POST"])]
async fn resumes(sse: Sse, body: String) -> Result<()> {
    let after: u32 = sse.last_event_id().map_or(Ok(0), str::parse)?;
    for n in after + 1..=after + 3 {
        sse.send(Event::default().id(n).data(format!("{n}{body}"))).await?;
    }
    std::future::pending().await
}

fn client() -> TestClient {
    TestClient::new(routes![one, late, never, refuses, resumes])
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "no event within 60s")]
async fn an_event_that_never_comes_is_a_failure() {
    let mut events = client().get("/one").stream().await;
    events.next().await;
    events.next().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "no event within 5s")]
async fn the_limit_is_the_clients() {
    client().limit(Duration::from_secs(5)).get("/late").stream().await.next().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "no response head within 60s")]
async fn a_head_that_never_comes_is_a_failure() {
    client().get("/never").stream().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "did not end within 60s")]
async fn a_body_that_never_ends_is_a_failure() {
    client().get("/one").response().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "not for you")]
async fn an_answer_that_is_no_stream_is_shown() {
    client().get("/refuses").stream().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = r#"expected the event "first" with "b""#)]
async fn another_event_than_expected_is_a_failure() {
    client().get("/one").stream().await.expect("first", "b").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "expected 11s of silence")]
async fn an_event_breaks_silence() {
    client().get("/late").stream().await.silent_for(Duration::from_secs(11)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the stream ended where an event was expected")]
async fn an_early_end_is_a_failure() {
    let mut events = client().get("/late").stream().await;
    events.take(2).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "expected a comment")]
async fn an_event_is_no_keep_alive() {
    client().get("/one").stream().await.expect_keep_alive().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "expected the end of the stream")]
async fn an_event_is_no_end() {
    client().get("/late").stream().await.expect_end().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "did not end within 60s")]
async fn keep_alives_do_not_renew_the_wait_for_an_end() {
    let mut events = client().get("/one").stream().await;
    events.next().await;
    events.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_names_the_last_event_that_the_test_has_seen() {
    let mut events = client().post("/resumes").body("!").stream().await;
    assert_eq!(events.take(2).await[1].data, "2!");
    assert_eq!(events.last_event_id(), "2");
    let mut events = events.reconnect().await;
    let ids: Vec<_> = events.take(3).await.into_iter().filter_map(|event| event.id).collect();
    assert_eq!(ids, ["3", "4", "5"]);
    assert_eq!(events.raw_text(), "id: 3\ndata: 3!\n\nid: 4\ndata: 4!\n\nid: 5\ndata: 5!\n\n");
    assert_eq!(events.raw(), events.raw_text().as_bytes());
    events.disconnect();
}

#[tokio::test(start_paused = true)]
async fn three_virtual_minutes_take_no_time() {
    let real = std::time::Instant::now();
    let mut events = client().get("/one").stream().await;
    events.next().await;
    events.silent_for(Duration::from_secs(180)).await;
    assert!(real.elapsed() < Duration::from_secs(2), "{:?}", real.elapsed());
}
