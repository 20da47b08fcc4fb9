//! Mistakes that were made once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use sse_runtime::testing::{ReceivedEvent, TestClient, TestStream};
use sse_runtime::{Hub, Message, Result, Shutdown, Sse, Topic, routes, sse_route};
use tokio::sync::Notify;

use super::scripted::Scripted;

/// What the handlers below are told: to do what they do besides following.
#[derive(Clone)]
struct App {
    hub: Hub,
    now: Arc<Notify>,
    shutdown: Shutdown,
}

impl App {
    fn new(hub: Hub) -> (Self, TestClient) {
        let app = Self { hub, now: Arc::default(), shutdown: Shutdown::new() };
        let routes = routes![once, with_pauses, shuts_down, all, skipping];
        let client = TestClient::new(routes.with_state(app.clone()).layer(app.shutdown.clone()))
            // The clock stands still: what does not come at once was not sent, or woke nobody.
            .limit(Duration::from_millis(1));
        (app, client)
    }

    fn topics(&self, names: &str) -> Vec<Topic> {
        names.split(',').map(|name| self.hub.topic(name)).collect()
    }

    async fn publish(&self, topic: &str, data: impl Into<String>) {
        self.hub.topic::<Message>(topic).publish(data.into()).await.expect("published");
    }
}

/// Stops following when it is told to, and says goodbye.
#[sse_route("/once/{names}")]
async fn once(sse: Sse, names: String, State(app): State<App>) -> Result<()> {
    tokio::select! {
        biased;
        () = app.now.notified() => {}
        result = sse.follow_all(app.topics(&names)) => result?,
    }
    sse.send("goodbye").await?;
    Ok(())
}

/// Stops following when it is told to, and follows again when it is told so.
#[sse_route("/pauses/{names}", slow = "skip")]
async fn with_pauses(sse: Sse, names: String, State(app): State<App>) -> Result<()> {
    loop {
        tokio::select! {
            biased;
            () = app.now.notified() => {}
            result = sse.follow_all(app.topics(&names)) => result?,
        }
        app.now.notified().await;
    }
}

/// Begins the shutdown and stops following, in one poll.
#[sse_route("/shuts_down/{names}")]
async fn shuts_down(sse: Sse, names: String, State(app): State<App>) -> Result<()> {
    let told = async {
        app.now.notified().await;
        app.shutdown.begin();
    };
    tokio::select! {
        biased;
        () = told => {}
        result = sse.follow_all(app.topics(&names)) => result?,
    }
    Ok(())
}

#[sse_route("/all/{names}", keep_alive = "off")]
async fn all(sse: Sse, names: String, State(app): State<App>) -> Result<()> {
    sse.follow_all(app.topics(&names)).await?;
    Ok(())
}

#[sse_route("/skip/{names}", slow = "skip", keep_alive = "off")]
async fn skipping(sse: Sse, names: String, State(app): State<App>) -> Result<()> {
    sse.follow_all(app.topics(&names)).await?;
    Ok(())
}

async fn opened(stream: &mut TestStream) {
    assert_eq!(stream.next().await.name, "sse-open");
}

fn json(event: &ReceivedEvent) -> serde_json::Value {
    serde_json::from_str(&event.data).expect("JSON")
}

fn data(events: &[ReceivedEvent]) -> Vec<&str> {
    events.iter().map(|event| event.data.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_follower_dropped_while_one_of_its_topics_has_lost_events_sends_no_later_ones_of_another() {
    let (app, client) = App::new(Hub::in_memory().topic_events(2).build());
    let mut events = client.get("/once/a,b").stream().await;
    opened(&mut events).await;
    events.stall();
    for n in 0..5 {
        app.publish("a", n.to_string()).await;
    }
    app.publish("b", "b").await;
    app.now.notify_one();
    events.resume();
    let rest = events.rest().await;
    // An id of an event of `b` would hide for ever that those of `a` are missing.
    assert!(
        matches!(rest.as_slice(), [last, bye] if last.data == "goodbye" && bye.name == "sse-bye"),
        "{rest:?}"
    );
    assert_eq!((app.hub.stats().fell_behind, app.hub.stats().missed), (1, 3));
    let mut events = events.reconnect().await;
    let reset = events.next().await;
    assert_eq!((reset.name.as_str(), json(&reset)["reason"].as_str()), ("sse-reset", Some("evicted")));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_in_the_moment_in_which_a_handler_stops_following_repeats_nothing() {
    let (app, client) = App::new(Hub::in_memory().build());
    let mut events = client.get("/shuts_down/a").stream().await;
    opened(&mut events).await;
    for n in 0..3 {
        app.publish("a", n.to_string()).await;
        assert_eq!(events.next().await.data, n.to_string());
    }
    events.stall();
    app.publish("a", "3").await;
    app.now.notify_one();
    events.resume();
    let rest = events.rest().await;
    assert!(
        matches!(rest.as_slice(), [three, bye] if three.data == "3" && bye.name == "sse-bye"),
        "{rest:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_goes_missing_while_a_handler_does_not_follow_is_counted() {
    for topics in ["a", "a,b"] {
        let (app, client) = App::new(Hub::in_memory().topic_events(2).build());
        let mut events = client.get(&format!("/pauses/{topics}")).stream().await;
        opened(&mut events).await;
        app.publish("a", "first").await;
        assert_eq!(events.next().await.data, "first");
        app.now.notify_one();
        events.silent_for(Duration::from_secs(1)).await;
        for n in 0..10 {
            app.publish("a", n.to_string()).await;
        }
        app.now.notify_one();
        let gap = events.next().await;
        assert_eq!((gap.name.as_str(), json(&gap)["missed"].as_u64()), ("sse-gap", Some(8)), "{topics}");
        assert_eq!(data(&events.take(2).await), ["8", "9"]);
        assert_eq!(app.hub.stats().missed, 8);
    }
}

async fn scripted() -> (Scripted, App, TestClient) {
    let engine = Scripted::default();
    let (app, client) = App::new(Hub::on(engine.clone()).start().await.expect("it starts"));
    (engine, app, client)
}

#[tokio::test(start_paused = true)]
async fn a_loss_of_old_events_does_not_put_a_follower_to_sleep() {
    for path in ["/all/a", "/all/a,b"] {
        let (engine, _app, client) = scripted().await;
        let mut events = client.get(path).stream().await;
        opened(&mut events).await;
        for seq in [1, 3] {
            engine.deliver("a", seq);
            assert_eq!(events.next().await.data, format!("a:{seq} "));
        }
        engine.feed().lost(2);
        events.silent_for(Duration::from_millis(1)).await;
        for seq in 4..=5 {
            engine.deliver("a", seq);
            assert_eq!(events.next().await.data, format!("a:{seq} "), "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_loss_wakes_those_who_wait_and_each_is_told() {
    for path in ["/skip/a", "/skip/a,b"] {
        let (engine, _app, client) = scripted().await;
        let mut events = client.get(path).stream().await;
        opened(&mut events).await;
        engine.deliver("a", 1);
        assert_eq!(events.next().await.data, "a:1 ");
        engine.feed().lost(7);
        assert_eq!(json(&events.next().await)["until"], "1-7", "{path}");
        if path.contains(',') {
            assert_eq!(
                events.next().await.name,
                "sse-gap",
                "the other topic may have lost something as well"
            );
        }
        engine.deliver("a", 8);
        assert_eq!(events.next().await.data, "a:8 ");
        events.silent_for(Duration::from_secs(1)).await;
    }
}
