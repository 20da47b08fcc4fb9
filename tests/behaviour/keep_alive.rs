//! A comment goes out after silence, and only then.

use std::time::Duration;

use sse_runtime::testing::TestClient;
use sse_runtime::{Result, Sse, routes, sse_route};
use tokio::time::{Instant, sleep};

#[sse_route("/silent")]
async fn silent(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/often", keep_alive = "2s")]
async fn often(sse: Sse) -> Result<()> {
    sse.open().await?;
    std::future::pending().await
}

#[sse_route("/off", keep_alive = "off")]
async fn off(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    sleep(Duration::from_secs(600)).await;
    Ok(())
}

#[sse_route("/busy", keep_alive = "2s")]
async fn busy(sse: Sse) -> Result<()> {
    for _ in 0..100 {
        sse.send("x").await?;
        sleep(Duration::from_millis(1500)).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_ping_follows_at_most_fifteen_seconds_of_silence() {
    let real = std::time::Instant::now();
    let mut events = TestClient::new(routes![silent]).get("/silent").stream().await;
    events.next().await;
    for _ in 0..12 {
        let quiet_since = Instant::now();
        events.expect_keep_alive().await;
        let silence = quiet_since.elapsed();
        assert!((13_400..=15_100).contains(&silence.as_millis()), "{silence:?}");
    }
    assert_eq!(events.raw_text(), format!("data: x\n\n{}", ":\n".repeat(12)), "no blank line after a ping");
    assert!(real.elapsed() < Duration::from_secs(5), "three virtual minutes: {:?}", real.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_interval_is_the_routes() {
    let mut events = TestClient::new(routes![often]).get("/often").stream().await;
    let start = Instant::now();
    for _ in 0..10 {
        events.expect_keep_alive().await;
    }
    assert!((17..=21).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn it_can_be_switched_off() {
    let answer = TestClient::new(routes![off]).limit(Duration::from_secs(1000)).get("/off").response().await;
    assert_eq!(answer.text, "data: x\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_speaks_often_enough_is_not_pinged() {
    let client = TestClient::new(routes![busy]).limit(Duration::from_secs(1000));
    assert_eq!(client.get("/busy").response().await.text, "data: x\n\n".repeat(100));
}

#[tokio::test(start_paused = true)]
async fn pings_of_streams_that_began_together_drift_apart() {
    let client = TestClient::new(routes![silent]);
    let mut times = Vec::new();
    for _ in 0..20 {
        let mut events = client.get("/silent").stream().await;
        events.next().await;
        let since = Instant::now();
        events.expect_keep_alive().await;
        times.push(since.elapsed().as_millis());
    }
    times.dedup();
    assert!(times.len() > 5, "{times:?}");
}
