//! A handler that stops following, and other things it does meanwhile.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{DisconnectReason, Hub, Result, SendError, Sse, Topic, routes, sse_route};
use tokio::sync::Notify;

use super::{following, following_all, id, position};
use crate::Hooks;

type App = (Topic, Arc<Notify>, Hooks);

#[sse_route("/until_done")]
async fn until_done(sse: Sse, State((topic, done, hooks)): State<App>) -> Result<()> {
    hooks.watch(&sse);
    tokio::select! {
        result = sse.follow(&topic) => result?,
        () = done.notified() => {}
    }
    sse.send("goodbye").await?;
    Ok(())
}

fn app() -> (App, TestClient) {
    let app: App = (Hub::in_memory().build().topic("t"), Arc::default(), Hooks::default());
    let client = TestClient::new(routes![until_done, with_ticks, in_a_task].with_state(app.clone()));
    (app, client)
}

#[tokio::test(start_paused = true)]
async fn what_was_published_before_the_handler_stops_following_is_sent_first() {
    let ((topic, done, hooks), client) = app();
    let mut events = client.get("/until_done").stream().await;
    position(&events.next().await);
    events.stall();
    topic.publish("1").await.expect("published");
    topic.publish("2").await.expect("published");
    done.notify_one();
    events.resume();
    let last = topic.position();
    let rest: Vec<_> = events.rest().await.into_iter().map(|event| event.data).collect();
    assert_eq!(rest, ["1", "2", "goodbye"]);
    let gone = hooks.only().await;
    assert_eq!(
        (gone.reason, gone.events, gone.last_event_id.as_deref()),
        (DisconnectReason::Completed, 4, Some(last.as_str()))
    );
    assert_eq!(topic.subscribers(), 0);
}

#[sse_route("/with_ticks")]
async fn with_ticks(sse: Sse, State((topic, _, _)): State<App>) -> Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            result = sse.follow(&topic) => result?,
            _ = ticks.tick() => sse.comment("tick").await?,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_is_dropped_and_made_again_loses_and_repeats_nothing() {
    let ((topic, _, _), client) = app();
    let start = topic.position();
    for n in 0..5 {
        topic.publish(n.to_string()).await.expect("published");
    }
    let mut events = client.get("/with_ticks").last_event_id(start.as_str()).stream().await;
    position(&events.next().await);
    for n in 5..50 {
        topic.publish(n.to_string()).await.expect("published");
        tokio::time::advance(Duration::from_millis(700)).await;
    }
    for n in 0..50 {
        assert_eq!(events.next().await.data, n.to_string());
    }
}

#[sse_route("/in_a_task")]
async fn in_a_task(sse: Sse, State((topic, done, _)): State<App>) -> Result<()> {
    let following = sse.clone();
    tokio::spawn(async move {
        let error = following.follow(&topic).await.expect_err("it never ends otherwise");
        assert!(matches!(error, SendError::Closed), "{error:?}");
        done.notify_one();
    });
    sse.open().await?;
    std::future::pending::<()>().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_spawned_task_may_follow_and_learns_that_the_client_left() {
    let ((topic, done, _), client) = app();
    let mut events = client.get("/in_a_task").stream().await;
    position(&events.next().await);
    topic.publish("x").await.expect("published");
    assert_eq!(events.next().await.data, "x");
    assert_eq!(topic.subscribers(), 1);
    events.disconnect();
    tokio::time::timeout(sse_tests::LIMIT, done.notified()).await.expect("the task ends");
    assert_eq!(topic.subscribers(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_disconnect_names_the_last_event_that_was_handed_over() {
    let ((topic, _, hooks), client) = app();
    let mut events = client.get("/until_done").stream().await;
    position(&events.next().await);
    topic.publish("1").await.expect("published");
    let last = topic.publish("2").await.expect("published");
    assert_eq!(id(&events.take(2).await[1]), last.as_str());
    events.disconnect();
    let gone = hooks.only().await;
    assert_eq!((gone.reason, gone.events), (DisconnectReason::ClientClosed, 3));
    assert_eq!(gone.last_event_id.as_deref(), Some(last.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_topic_is_kept_alive_and_a_busy_one_needs_no_pings() {
    let hub = Hub::in_memory().build();
    let topic: Topic = hub.topic("a");
    for (client, path) in [(following(&topic), "/follow"), (following_all(&hub), "/all/a,b")] {
        let mut events = client.get(path).stream().await;
        position(&events.next().await);
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(10)).await;
            topic.publish("x").await.expect("published");
            assert_eq!(events.next().await.data, "x");
        }
        assert!(!events.raw_text().contains("\n:"), "{}", events.raw_text());
        events.expect_keep_alive().await;
        topic.publish("y").await.expect("published");
        assert_eq!(events.next().await.data, "y");
    }
}

#[sse_route("/finished")]
async fn finished(sse: Sse, State((topic, done, _)): State<App>) -> Result<()> {
    let clone = sse.clone();
    let (followed, finished) = tokio::join!(sse.follow(&topic), async {
        done.notified().await;
        clone.finish().await
    });
    assert!(matches!(followed, Err(SendError::Finished)), "{followed:?}");
    finished?;
    let again = sse.follow(&topic).await;
    assert!(matches!(again, Err(SendError::Finished)), "{again:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_the_terminal_event() {
    let (app, _) = app();
    let client = TestClient::new(routes![finished].with_state(app.clone()));
    let (topic, done, _) = app;
    let mut events = client.get("/finished").stream().await;
    position(&events.next().await);
    events.stall();
    topic.publish("before").await.expect("published");
    done.notify_one();
    tokio::time::sleep(Duration::from_secs(1)).await;
    events.resume();
    assert_eq!(events.next().await.data, "before", "what was published before is not lost");
    topic.publish("after").await.expect("published");
    let end = events.next().await;
    assert_eq!((end.name.as_str(), id(&end)), ("end", "sse-end"));
    events.expect_end().await;
    assert_eq!(events.reconnect_request().response().await.status, 204);
}
