//! Streams seen and ended from outside, and those that end because their client's right to them does.

use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use sse_runtime::testing::{TestClient, TestStream};
use sse_runtime::{DisconnectReason, Registry, Result, Shutdown, Sse, routes, sse_route};
use tokio::time::{Instant, sleep};

use crate::Hooks;

#[sse_route("/inbox/{user}")]
async fn inbox(sse: Sse, user: String, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.set_principal(user);
    sse.send(sse_runtime::Event::new("hello").id("7").data("x")).await?;
    std::future::pending().await
}

#[sse_route("/foreign", bare)]
async fn foreign(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/session/{seconds}", keep_alive = "off", send_timeout = "off")]
async fn session(sse: Sse, seconds: u64, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.expires_at(Instant::now() + Duration::from_secs(seconds));
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/prolonged")]
async fn prolonged(sse: Sse) -> Result<()> {
    sse.expires_at(SystemTime::now() + Duration::from_secs(60));
    sse.send("x").await?;
    sleep(Duration::from_secs(50)).await;
    sse.expires_at(Instant::now() + Duration::from_secs(3600));
    std::future::pending().await
}

#[sse_route("/expired")]
async fn expired(sse: Sse) -> Result<()> {
    sse.expires_at(SystemTime::UNIX_EPOCH);
    sse.send("x").await?;
    std::future::pending().await
}

fn app() -> (TestClient, Registry, Hooks) {
    let (shutdown, hooks) = (Shutdown::new(), Hooks::default());
    let app: Router = routes![inbox, foreign, session, prolonged, expired].with_state(hooks.clone());
    let registry = shutdown.registry();
    (TestClient::new(app.layer(shutdown)), registry, hooks)
}

async fn open(client: &TestClient, path: &str) -> TestStream {
    let mut events = client.get(path).stream().await;
    events.next().await;
    events
}

#[tokio::test(start_paused = true)]
async fn the_open_streams_can_be_listed() {
    let (client, registry, _) = app();
    let ada = open(&client, "/inbox/ada").await;
    sleep(Duration::from_secs(5)).await;
    let _ben = open(&client, "/inbox/ben").await;

    let streams = registry.streams();
    assert_eq!(streams.len(), 2);
    let (first, second) = (&streams[0], &streams[1]);
    assert!(first.id < second.id);
    assert_eq!(first.route, "/inbox/{user}");
    assert_eq!(first.principal.as_deref(), Some("ada"));
    assert_eq!(second.principal.as_deref(), Some("ben"));
    assert_eq!(first.age.as_secs(), 5);
    assert_eq!(first.events, 1);
    assert_eq!(first.bytes, ada.raw().len() as u64);
    assert_eq!(first.last_event_id.as_deref(), Some("7"));
    assert_eq!((first.queued, first.blocked), (0, None));

    ada.disconnect();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(registry.streams().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn streams_can_be_ended_from_outside_and_are_told_why() {
    let (client, registry, hooks) = app();
    let mut ada = open(&client, "/inbox/ada").await;
    let mut ben = open(&client, "/inbox/ben").await;
    let is_adas = |stream: &sse_runtime::StreamInfo| stream.principal.as_deref() == Some("ada");
    assert_eq!(registry.kick(is_adas, "logged out\r\n\"elsewhere\""), 1);
    assert_eq!(registry.kick(is_adas, "twice"), 0, "it is ending already");

    let bye = ada.expect("sse-bye", r#"{"reason":"Kicked","message":"logged out\r\n\"elsewhere\""}"#).await;
    assert!(bye.retry.is_some());
    ada.expect_end().await;
    assert_eq!(hooks.only().await.reason, DisconnectReason::Kicked);
    ben.silent_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_bare_stream_that_is_kicked_is_cut() {
    let (client, registry, hooks) = app();
    let mut events = open(&client, "/foreign").await;
    assert_eq!(registry.kick(|_| true, "no reason"), 1);
    events.expect_cut().await;
    assert_eq!(hooks.only().await.reason, DisconnectReason::Kicked);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_clients_right_to_it_does() {
    let (client, _, hooks) = app();
    let begun = Instant::now();
    let mut events = open(&client, "/session/90").await;
    events.silent_for(Duration::from_secs(89)).await;
    let bye = events.expect("sse-bye", r#"{"reason":"AuthExpired"}"#).await;
    assert!(bye.retry.is_some());
    events.expect_end().await;
    let late = begun.elapsed() - Duration::from_secs(90);
    assert!(late <= Duration::from_millis(100), "{late:?}");
    assert_eq!(hooks.only().await.reason, DisconnectReason::AuthExpired);
}

#[tokio::test(start_paused = true)]
async fn a_right_can_be_prolonged_and_one_that_is_over_ends_the_stream_at_once() {
    let (client, _, _) = app();
    let client = client.limit(Duration::from_secs(7200));
    let begun = Instant::now();
    let mut events = open(&client, "/prolonged").await;
    events.expect("sse-bye", r#"{"reason":"AuthExpired"}"#).await;
    assert_eq!(begun.elapsed().as_secs(), 3650);

    let begun = Instant::now();
    let mut events = open(&client, "/expired").await;
    events.expect("sse-bye", r#"{"reason":"AuthExpired"}"#).await;
    assert!(begun.elapsed() <= Duration::from_millis(100), "{:?}", begun.elapsed());
}
