//! How many streams there may be, and what those are told who find it full.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use sse_runtime::testing::{TestClient, TestStream};
use sse_runtime::{Admission, Error, Result, Sse, StatusCode, routes, sse_route};

#[sse_route("/few", methods = ["GET", "POST"], max_streams = 2)]
async fn few(sse: Sse) -> Result<()> {
    sse.send("in").await?;
    std::future::pending().await
}

#[sse_route("/many")]
async fn many(sse: Sse) -> Result<()> {
    sse.send("in").await?;
    std::future::pending().await
}

#[sse_route("/foreign", bare, max_streams = 0)]
async fn foreign(sse: Sse) -> Result<()> {
    sse.send("in").await?;
    Ok(())
}

#[sse_route("/short")]
async fn short(sse: Sse) -> Result<()> {
    sse.send("in").await?;
    Ok(())
}

#[sse_route("/refuses/{id}")]
async fn refuses(_sse: Sse, id: u8) -> Result<()> {
    Err(Error::from(format!("no {id}")).with_status(StatusCode::NOT_FOUND))
}

fn app() -> Router {
    routes![few, many, foreign, short, refuses]
}

/// A client of the app, which comes from this address.
fn from(app: &Router, address: &str) -> TestClient {
    let peer: SocketAddr = format!("{address}:5000").parse().expect("an address");
    TestClient::new(app.clone().layer(Extension(ConnectInfo(peer))))
}

async fn enters(client: &TestClient, path: &str) -> TestStream {
    let mut events = client.get(path).stream().await;
    events.expect("message", "in").await;
    events
}

/// Leaves, and gives the runtime the time to notice.
async fn leave(events: TestStream) {
    events.disconnect();
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// As a browser's `EventSource` asks.
async fn is_told_to_come_back(client: &TestClient, path: &str) -> Duration {
    let mut events = client.get(path).header("accept", "text/event-stream").stream().await;
    let bye = events.expect("sse-bye", r#"{"reason":"Full"}"#).await;
    events.expect_end().await;
    bye.retry.expect("a time to come back")
}

async fn is_unavailable(client: &TestClient, path: &str) -> u64 {
    let answer = client.get(path).header("accept", "*/*").response().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    answer.headers["retry-after"].to_str().expect("digits").parse().expect("seconds")
}

#[tokio::test(start_paused = true)]
async fn a_full_route_tells_an_event_source_in_band_and_others_in_http() {
    let client = TestClient::new(app());
    let first = enters(&client, "/few").await;
    let mut second = enters(&client, "/few").await;

    let retry = is_told_to_come_back(&client, "/few").await;
    assert!((5..=15).contains(&retry.as_secs()), "{retry:?}");
    let seconds = is_unavailable(&client, "/few").await;
    assert!((5..=15).contains(&seconds), "{seconds}");
    let posted = client.post("/few").header("accept", "text/event-stream").response().await;
    assert_eq!(posted.status, StatusCode::SERVICE_UNAVAILABLE, "no `EventSource` posts");
    let both = client.get("/few").header("accept", "text/event-stream, application/json").response().await;
    assert_eq!(both.status, StatusCode::SERVICE_UNAVAILABLE, "nor does it want anything else");
    let foreign = client.get("/foreign").header("accept", "text/event-stream").response().await;
    assert_eq!(foreign.status, StatusCode::SERVICE_UNAVAILABLE, "a foreign protocol has no such event");

    // Other routes have their own places, and nobody was put out.
    enters(&client, "/many").await;
    second.silent_for(Duration::from_secs(1)).await;
    leave(first).await;
    enters(&client, "/few").await;
}

#[tokio::test(start_paused = true)]
async fn the_times_to_come_back_are_spread() {
    let client = TestClient::new(app().layer(Admission::new().total(0)));
    let mut retries = Vec::new();
    for _ in 0..20 {
        retries.push(is_told_to_come_back(&client, "/many").await);
    }
    retries.sort();
    retries.dedup();
    assert!(retries.len() > 10, "{retries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_held_for_the_life_of_the_stream_and_for_no_longer() {
    let admission = Admission::new().total(1);
    let client = TestClient::new(app().layer(admission.clone()));
    for _ in 0..3 {
        let mut events = client.get("/short").stream().await;
        events.rest().await;
        assert_eq!(client.get("/refuses/1").response().await.status, StatusCode::NOT_FOUND);
        assert_eq!(client.get("/refuses/x").response().await.status, StatusCode::BAD_REQUEST);
        assert_eq!(client.get("/many").header("accept", "text/html").response().await.status, 406);
    }
    let held = enters(&client, "/many").await;
    assert_eq!(admission.open_streams(), 1);
    let head = client.request(axum::http::Method::HEAD, "/many").response().await;
    assert_eq!(head.status, StatusCode::OK, "a head takes no place");
    is_unavailable(&client, "/many").await;
    leave(held).await;
    assert_eq!(admission.open_streams(), 0);
    enters(&client, "/many").await;
}

#[tokio::test(start_paused = true)]
async fn one_client_cannot_take_the_places_of_others() {
    let app = app().layer(Admission::new().total(10).per_client(3));
    let (greedy, modest) = (from(&app, "10.0.0.1"), from(&app, "10.0.0.2"));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(enters(&greedy, "/many").await);
    }
    is_told_to_come_back(&greedy, "/many").await;
    enters(&modest, "/many").await;
}

#[tokio::test(start_paused = true)]
async fn behind_a_trusted_proxy_the_client_is_who_the_proxy_says() {
    let admission = Admission::new().per_client(1).trusted_proxies(["10.0.0.0/8"]).expect("a network");
    let app = app().layer(admission);
    let (proxy, stranger) = (from(&app, "10.0.0.1"), from(&app, "9.9.9.9"));
    let asks = |client: &TestClient, forwarded: &str| {
        client.get("/many").header("x-forwarded-for", forwarded).header("accept", "*/*")
    };
    let _first = asks(&proxy, "1.1.1.1").stream().await;
    let _second = asks(&proxy, "2.2.2.2").stream().await;
    let refused = asks(&proxy, "1.1.1.1").response().await;
    assert_eq!(refused.status, 503);
    let refused = asks(&proxy, "3.3.3.3, 1.1.1.1").response().await;
    assert_eq!(refused.status, 503, "what the client itself wrote does not count");

    let _third = asks(&stranger, "4.4.4.4").stream().await;
    let refused = asks(&stranger, "5.5.5.5").response().await;
    assert_eq!(refused.status, 503, "nobody believes a stranger");
}

#[tokio::test(start_paused = true)]
async fn who_reconnects_without_rest_is_slowed_down_alone() {
    let minute = Duration::from_secs(60);
    let app = app().layer(Admission::new().client_rate(6, minute));
    let (restless, other) = (from(&app, "10.0.0.1"), from(&app, "10.0.0.2"));
    for _ in 0..6 {
        restless.get("/short").stream().await.rest().await;
    }
    let seconds = is_unavailable(&restless, "/short").await;
    assert!(seconds >= 10, "not before a sixth of the minute is over: {seconds}");
    other.get("/short").stream().await.rest().await;
    tokio::time::advance(Duration::from_secs(10)).await;
    restless.get("/short").stream().await.rest().await;
    is_unavailable(&restless, "/short").await;
}
