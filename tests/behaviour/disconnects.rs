//! The hook runs once, with the right reason, and by then the handler is gone.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{Disconnect, DisconnectReason, Event, Result, SendError, Sse, routes, sse_route};
use sse_tests::within_limit;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use crate::Hooks;

#[derive(Clone, Default)]
struct Scene {
    hooks: Hooks,
    /// Held by every handler: tells when a handler's future has been dropped.
    held: Arc<()>,
}

#[sse_route("/{how}", max_age = "10s", send_timeout = "5s")]
async fn stream(sse: Sse, how: String, State(scene): State<Scene>) -> Result<()> {
    scene.hooks.watch(&sse);
    let _held = Arc::clone(&scene.held);
    match how.as_str() {
        "endless" => loop {
            sse.send(Event::default().id("7").data("x")).await?;
            sleep(Duration::from_secs(1)).await;
        },
        "idle" => {
            sse.send("x").await?;
            sleep(Duration::from_secs(3600)).await;
        }
        "flood" => loop {
            sse.send("x".repeat(1000)).await?;
        },
        "waits" => sleep(Duration::from_secs(3600)).await,
        "early-error" => Err("early")?,
        "error" => {
            sse.send("x").await?;
            Err("late")?;
        }
        "panic" => {
            sse.send("x").await?;
            panic!("late");
        }
        _ => sse.send("done").await?,
    }
    Ok(())
}

fn scene() -> (TestClient, Scene) {
    let scene = Scene::default();
    let app: Router = routes![stream].with_state(scene.clone());
    (TestClient::new(app), scene)
}

/// The one disconnect of `scene`, after which nothing of the handler is left.
async fn gone(scene: &Scene) -> Disconnect {
    let gone = scene.hooks.only().await;
    assert_eq!(
        Arc::strong_count(&scene.held),
        1 + 1,
        "the handler's future is dropped; the router has a copy"
    );
    gone
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_an_idle_stream() {
    let (client, scene) = scene();
    let mut events = client.get("/idle").stream().await;
    events.next().await;
    sleep(Duration::from_secs(2)).await;
    events.disconnect();
    let gone = gone(&scene).await;
    assert_eq!(gone.reason, DisconnectReason::ClientClosed);
    assert_eq!((gone.events, gone.bytes, gone.duration.as_secs()), (1, "data: x\n\n".len() as u64, 2));
    assert_eq!(gone.last_event_id, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_a_send_waits() {
    let (client, scene) = scene();
    let mut events = client.get("/flood").stream().await;
    events.stall();
    sleep(Duration::from_secs(1)).await;
    events.disconnect();
    assert_eq!(gone(&scene).await.reason, DisconnectReason::ClientClosed);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_response_head() {
    let (client, scene) = scene();
    let request = tokio::time::timeout(Duration::from_millis(500), client.get("/waits").stream()).await;
    assert!(request.is_err(), "the head is out after a second only");
    let gone = gone(&scene).await;
    assert_eq!((gone.reason, gone.events), (DisconnectReason::ClientClosed, 0));
}

#[tokio::test(start_paused = true)]
async fn handlers_that_return_fail_or_panic() {
    for (path, reason, events) in [
        ("/done", DisconnectReason::Completed, 1),
        ("/early-error", DisconnectReason::HandlerError, 0),
        ("/error", DisconnectReason::HandlerError, 2),
        ("/panic", DisconnectReason::HandlerPanic, 2),
    ] {
        let (client, scene) = scene();
        client.get(path).response().await;
        let gone = gone(&scene).await;
        assert_eq!((gone.reason, gone.events), (reason, events), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_reaches_its_maximum_age() {
    let (client, scene) = scene();
    let mut events = client.get("/endless").stream().await;
    let seen = events.rest().await;
    let bye = seen.last().expect("events");
    assert_eq!((bye.name.as_str(), bye.data.as_str()), ("sse-bye", r#"{"reason":"MaxAge"}"#));
    assert!(bye.retry.is_some(), "{bye:?}");
    let gone = gone(&scene).await;
    assert_eq!(gone.reason, DisconnectReason::MaxAge);
    assert!((8..=10).contains(&gone.duration.as_secs()), "{:?}", gone.duration);
    assert_eq!(gone.last_event_id.as_deref(), Some("7"));
    assert_eq!(gone.events, seen.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_for_the_send_timeout() {
    let (client, scene) = scene();
    let mut events = client.get("/flood").stream().await;
    events.stall();
    let gone = gone(&scene).await;
    assert_eq!(gone.reason, DisconnectReason::SendTimeout);
    assert_eq!(gone.duration.as_secs(), 5);
    assert!(gone.bytes < 100_000, "no more than a few buffers were produced: {}", gone.bytes);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_pauses_for_less_than_the_send_timeout_loses_nothing() {
    let (client, scene) = scene();
    let mut events = client.get("/endless").stream().await;
    events.next().await;
    events.stall();
    sleep(Duration::from_secs(4)).await;
    events.resume();
    // The handler was not polled meanwhile: it goes on where it was.
    events.next().await;
    assert_eq!(scene.hooks.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_client_last_saw_is_the_last_event_id() {
    let (client, scene) = scene();
    let request = client.get("/idle").last_event_id("41");
    request.stream().await.disconnect();
    assert_eq!(
        gone(&scene).await.last_event_id.as_deref(),
        Some("41"),
        "it brought this, and was given no other"
    );
}

#[sse_route("/nested")]
async fn nested(sse: Sse, State(told): State<mpsc::UnboundedSender<DisconnectReason>>) -> Result<()> {
    let tell = told.clone();
    sse.on_disconnect(move |gone| async move {
        let _ = tell.send(gone.reason);
    });
    sse.on_disconnect(on_disconnect_panics);
    sse.on_disconnect(move |gone| async move {
        let _ = told.send(gone.reason);
    });
    sse.send("x").await?;
    Ok(())
}

async fn on_disconnect_panics(_: Disconnect) {
    panic!("a hook that panics concerns nobody else");
}

#[tokio::test]
async fn every_hook_runs_even_if_one_panics() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let app: Router = routes![nested].with_state(told);
    TestClient::new(app).get("/nested").response().await;
    assert_eq!(within_limit("a hook", heard.recv()).await, Some(DisconnectReason::Completed));
    assert_eq!(within_limit("a hook", heard.recv()).await, Some(DisconnectReason::Completed));
}

#[derive(Clone)]
struct Handles(mpsc::UnboundedSender<Sse>);

#[sse_route("/outlived")]
async fn outlived(sse: Sse, State(handles): State<Handles>) -> Result<()> {
    sse.send("x").await?;
    drop(handles.0.send(sse.clone()));
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn work_in_a_task_outlives_the_client_and_is_told() {
    let (sender, mut handles) = mpsc::unbounded_channel();
    let app: Router = routes![outlived].with_state(Handles(sender));
    let events = TestClient::new(app).get("/outlived").stream().await;
    let sse = within_limit("the handle", handles.recv()).await.expect("the handler's clone");
    assert!(!sse.is_closed());
    sse.send("from outside").await.expect("open");

    events.disconnect();
    within_limit("the end", sse.closed()).await;
    assert!(sse.is_closed());
    assert!(matches!(sse.send("late").await, Err(SendError::Closed)));
    assert!(matches!(sse.open().await, Err(SendError::Closed)));
    sse.closed().await;

    let hooks = Hooks::default();
    hooks.watch(&sse);
    assert_eq!(hooks.only().await.reason, DisconnectReason::ClientClosed, "a hook given late runs at once");
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_in_a_task_is_told_too() {
    let (sender, mut handles) = mpsc::unbounded_channel();
    let app: Router = routes![outlived].with_state(Handles(sender));
    let mut events = TestClient::new(app).get("/outlived").stream().await;
    let sse = within_limit("the handle", handles.recv()).await.expect("the handler's clone");
    events.stall();
    let flood = tokio::spawn(async move {
        loop {
            sse.send("x".repeat(1000)).await?;
        }
    });
    sleep(Duration::from_secs(1)).await;
    events.disconnect();
    let ended: Result<(), SendError> = within_limit("the task's end", flood).await.expect("no panic");
    assert!(matches!(ended, Err(SendError::Closed)), "{ended:?}");
}

#[derive(Clone)]
struct Drops(Arc<Semaphore>);

struct PanicsWhenDropped(Drops);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        self.0.0.add_permits(1);
        panic!("in a destructor");
    }
}

#[sse_route("/bad-destructor")]
async fn bad_destructor(sse: Sse, State(drops): State<Drops>) -> Result<()> {
    let _bad = PanicsWhenDropped(drops);
    sse.send("x").await?;
    std::future::pending().await
}

#[tokio::test]
async fn a_destructor_that_panics_stays_inside_its_stream() {
    let drops = Drops(Arc::new(Semaphore::new(0)));
    let app: Router = routes![bad_destructor].with_state(drops.clone());
    let client = TestClient::new(app);
    for _ in 0..2 {
        client.get("/bad-destructor").stream().await.disconnect();
        within_limit("the destructor", drops.0.acquire()).await.expect("open").forget();
    }
}
