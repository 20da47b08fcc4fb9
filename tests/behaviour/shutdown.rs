//! The end of all streams, without a server of ours: what `Shutdown` does for an app on plain `axum::serve`.

use std::collections::HashSet;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{Disconnect, DisconnectReason, Result, Shutdown, Sse, routes, sse_route};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::Hooks;

#[sse_route("/idle")]
async fn idle(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

/// With no deadline of its own.
#[sse_route("/silent", keep_alive = "off", send_timeout = "off")]
async fn silent(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/unopened", bare, open_after = "off")]
async fn unopened(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    std::future::pending().await
}

#[sse_route("/bare", bare)]
async fn bare(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

fn app() -> (TestClient, Shutdown, Hooks) {
    let (shutdown, hooks) = (Shutdown::new(), Hooks::default());
    let app: Router = routes![idle, unopened, bare].with_state(hooks.clone());
    (TestClient::new(app.layer(shutdown.clone())), shutdown, hooks)
}

#[tokio::test(start_paused = true)]
async fn every_stream_is_told_when_to_come_back_each_at_its_own_time() {
    let (client, shutdown, hooks) = app();
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut events = client.get("/idle").stream().await;
        events.next().await;
        streams.push(events);
    }
    assert_eq!(shutdown.open_streams(), 50);
    shutdown.begin();
    let mut retries = HashSet::new();
    for mut events in streams {
        let bye = events.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#).await;
        let retry = bye.retry.expect("a time to come back").as_millis();
        assert!((500..=3000).contains(&retry), "{retry}");
        retries.insert(retry);
        events.expect_end().await;
    }
    assert!(retries.len() > 25, "spread: {retries:?}");
    assert_eq!(shutdown.open_streams(), 0);
    assert!(shutdown.drained(Duration::from_secs(1)).await);
    assert_eq!(hooks.count(), 50);
    assert_eq!(hooks.nth(50).await.reason, DisconnectReason::ServerShutdown);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_begins_after_that_ends_at_once() {
    let (client, shutdown, _) = app();
    shutdown.begin();
    let mut events = client.get("/idle").stream().await;
    events.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#).await;
    events.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_bare_stream_is_cut_off_because_it_has_no_word_for_it_and_an_unopened_one_ends_in_http() {
    let (client, shutdown, _) = app();
    let mut events = client.get("/bare").stream().await;
    let unopened = tokio::spawn(client.get("/unopened").response());
    sleep(Duration::from_secs(5)).await;
    shutdown.begin();
    events.expect("message", "x").await;
    events.expect_cut().await;
    let answer = unopened.await.expect("no panic");
    assert_eq!(answer.status, 503);
    let seconds: u64 = answer.headers["retry-after"].to_str().expect("digits").parse().expect("seconds");
    assert!((1..=3).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn the_times_to_come_back_can_be_chosen() {
    let shutdown = Shutdown::with_retry(Duration::from_secs(60)..=Duration::from_secs(60));
    let app: Router = routes![idle].with_state(Hooks::default());
    let mut events = TestClient::new(app.layer(shutdown.clone())).get("/idle").stream().await;
    shutdown.begin();
    events.rest().await;
    assert_eq!(events.retry(), Some(Duration::from_secs(60)));
}

#[sse_route("/slow-hook")]
async fn slow_hook(sse: Sse, State(done): State<mpsc::Sender<Disconnect>>) -> Result<()> {
    sse.on_disconnect(|gone| async move {
        sleep(Duration::from_secs(3)).await;
        drop(done.send(gone).await);
    });
    sse.send("x").await?;
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_hooks_but_not_for_ever() {
    let (done, mut hooks) = mpsc::channel(8);
    let shutdown = Shutdown::new();
    let app: Router = routes![slow_hook].with_state(done);
    let client = TestClient::new(app.layer(shutdown.clone()));
    let mut events = client.get("/slow-hook").stream().await;
    events.next().await;

    assert!(!shutdown.drained(Duration::from_secs(1)).await, "it has not begun");
    shutdown.begin();
    events.rest().await;
    assert!(!shutdown.drained(Duration::from_secs(1)).await, "the hook takes three seconds");
    let waited = Instant::now();
    assert!(shutdown.drained(Duration::from_secs(10)).await);
    assert_eq!(waited.elapsed().as_secs(), 2);
    assert_eq!(hooks.try_recv().expect("the hook has run").reason, DisconnectReason::ServerShutdown);
}

#[tokio::test(start_paused = true)]
async fn a_drain_spreads_the_goodbyes_evenly_over_its_time() {
    let (client, shutdown, hooks) = app();
    let client = client.limit(Duration::from_secs(200));
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut events = client.get("/idle").stream().await;
        events.next().await;
        streams.push(events);
    }
    let window = Duration::from_secs(100);
    shutdown.drain(window);
    let mut late = client.get("/idle").stream().await;
    late.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#).await;

    let begun = Instant::now();
    let moments = futures_util::future::join_all(streams.into_iter().map(|mut events| async move {
        let bye = events.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#).await;
        events.expect_end().await;
        (begun.elapsed(), bye.retry.expect("a time to come back"))
    }))
    .await;
    for tenth in 0..10 {
        let from = window / 10 * tenth;
        let count = moments.iter().filter(|(at, _)| (from..from + window / 10).contains(at)).count();
        assert!((8..=12).contains(&count), "{count} in the time from {from:?}: {moments:?}");
    }
    let retries: HashSet<_> = moments.iter().map(|(_, retry)| retry).collect();
    assert!(retries.len() > 50, "spread: {retries:?}");
    let in_order = moments.windows(2).filter(|pair| pair[0].0 <= pair[1].0).count();
    assert!((25..75).contains(&in_order), "those who came first do not go first: {in_order} of 99");
    assert!(shutdown.drained(Duration::from_secs(1)).await);
    assert_eq!(hooks.count(), 100, "the late one never ran");
}

#[tokio::test(start_paused = true)]
async fn a_drain_can_be_cut_short() {
    let (client, shutdown, _) = app();
    let mut events = client.get("/idle").stream().await;
    events.next().await;
    shutdown.drain(Duration::from_secs(3600));
    events.silent_for(Duration::from_millis(10)).await;
    shutdown.begin();
    let begun = Instant::now();
    events.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(shutdown.drained(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn a_second_drain_puts_nothing_off_and_one_without_end_is_no_panic() {
    let (client, shutdown, _) = app();
    let mut events = client.get("/idle").stream().await;
    events.next().await;
    shutdown.drain(Duration::from_secs(10));
    shutdown.drain(Duration::MAX);
    let begun = Instant::now();
    events.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#).await;
    assert!(begun.elapsed() <= Duration::from_secs(11), "{:?}", begun.elapsed());
}

#[test]
fn a_drain_may_be_asked_for_outside_of_any_runtime() {
    let shutdown = Shutdown::new();
    let app: Router = routes![silent];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = TestClient::new(app.layer(shutdown.clone()));
    let mut events = runtime.block_on(async {
        let mut events = client.get("/silent").stream().await;
        events.next().await;
        events
    });
    shutdown.drain(Duration::from_millis(100));
    runtime.block_on(events.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#));
}
