//! What went wrong once, as the comment before each test says, and must not again: wake-ups between source and handler, locks
//! under foreign code, turns, ends, and what strangers can do.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::State;
use serde::{Serialize, Serializer};
use sse_runtime::testing::TestClient;
use sse_runtime::{Event, Hub, Message, Result, Shutdown, Sse, Topic, routes, sse_route};
use tokio::sync::Notify;

use super::{following, following_all, id, position};
use crate::Hooks;

#[derive(Clone)]
struct App {
    hub: Hub,
    topic: Topic,
    now: Arc<Notify>,
    then: Arc<Notify>,
    hooks: Hooks,
}

impl App {
    fn new(hub: Hub) -> (Self, TestClient) {
        let topic = hub.topic("t");
        let app = Self { hub, topic, now: Arc::default(), then: Arc::default(), hooks: Hooks::default() };
        let routes = routes![
            yields_after,
            wakes_while_it_writes,
            floods,
            follows_in_a_task,
            rooms,
            latest,
            latest_until_told
        ];
        (app.clone(), TestClient::new(routes.with_state(app)))
    }
}

/// As `futures_lite::future::yield_now` does it, or a `FuturesUnordered` that has had its turn: it wakes itself at once.
async fn yield_at_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[sse_route("/yields_after", keep_alive = "off", send_timeout = "off")]
async fn yields_after(sse: Sse, State(app): State<App>) -> Result<()> {
    tokio::select! {
        result = sse.follow(&app.topic) => result?,
        () = app.now.notified() => {}
    }
    yield_at_once().await;
    sse.send("goodbye").await?;
    Ok(())
}

// A handler that is woken while it is polled, in the poll in which it stops following, is never polled again.
#[tokio::test(start_paused = true)]
async fn a_handler_that_wakes_itself_in_the_poll_in_which_it_stops_following_goes_on() {
    let (app, client) = App::new(Hub::in_memory().build());
    let mut events = client.get("/yields_after").stream().await;
    position(&events.next().await);
    app.topic.publish("1").await.expect("published");
    assert_eq!(events.next().await.data, "1");
    app.now.notify_one();
    assert_eq!(events.next().await.data, "goodbye");
}

/// Wakes somebody when it is written, as a value does that looks into a tokio `RwLock` for it.
struct Loud(Arc<Notify>);

impl Serialize for Loud {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.notify_one();
        serializer.serialize_str("loud")
    }
}

#[sse_route("/wakes_while_it_writes")]
async fn wakes_while_it_writes(sse: Sse, State(app): State<App>) -> Result<()> {
    let tells = async {
        app.now.notified().await;
        sse.send_json(Loud(Arc::clone(&app.then))).await
    };
    let listens = async {
        app.then.notified().await;
        sse.send("heard").await
    };
    let (following, told, listened) = tokio::join!(listens, sse.follow(&app.topic), tells);
    following.and(told).and(listened)?;
    Ok(())
}

// A `Serialize` that wakes something in the same handler deadlocks: the handler's waker now takes the stream's lock.
#[test]
fn an_event_may_wake_its_own_handler_while_it_is_written() {
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (app, client) = App::new(Hub::in_memory().build());
            let mut events = client.get("/wakes_while_it_writes").stream().await;
            position(&events.next().await);
            app.now.notify_one();
            assert_eq!(events.next().await.data, r#""loud""#);
            assert_eq!(events.next().await.data, "heard");
        });
        let _ = done.send(());
    });
    finished.recv_timeout(Duration::from_secs(10)).expect("no deadlock");
}

#[sse_route("/floods")]
async fn floods(sse: Sse, State(app): State<App>) -> Result<()> {
    let much = async {
        loop {
            if let Err(error) = sse.send("x".repeat(1000)).await {
                break Err::<(), _>(error);
            }
        }
    };
    let (followed, sent) = tokio::join!(sse.follow(&app.topic), much);
    followed.and(sent)?;
    Ok(())
}

// A handler that always has something to send keeps its topic's events from ever leaving.
#[tokio::test(start_paused = true)]
async fn a_topic_has_its_turn_beside_a_handler_that_sends_as_fast_as_its_client_reads() {
    let (app, client) = App::new(Hub::in_memory().build());
    let mut events = client.get("/floods").stream().await;
    // What the client's kernel takes before it is stopped is not ours to order.
    events.stall();
    while tokio::time::timeout(Duration::from_secs(1), events.next()).await.is_ok() {}
    app.topic.publish("of the topic").await.expect("published");
    events.resume();
    for _ in 0..200 {
        if events.next().await.data == "of the topic" {
            return;
        }
    }
    panic!("200 KB of other events, and not this one");
}

// What was published before the shutdown began is not sent, and is gone with the process: followers that keep up lose it.
#[tokio::test(start_paused = true)]
async fn what_was_published_before_a_shutdown_is_sent_before_its_goodbye() {
    let shutdown = Shutdown::new();
    let (app, _) = App::new(Hub::in_memory().build());
    let client =
        TestClient::new(routes![super::follow].with_state(app.topic.clone()).layer(shutdown.clone()));
    let mut events = client.get("/follow").stream().await;
    position(&events.next().await);
    app.topic.publish("famous last words").await.expect("published");
    shutdown.begin();
    let rest: Vec<_> = events.rest().await.into_iter().map(|event| event.name).collect();
    assert_eq!(rest, ["message", "sse-bye"]);
}

#[sse_route("/follows_in_a_task", send_timeout = "off", keep_alive = "off", slow = "skip")]
async fn follows_in_a_task(sse: Sse, State(app): State<App>) -> Result<()> {
    let clone = sse.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                _ = clone.follow(&app.topic) => return,
                _ = ticks.tick() => {}
            }
        }
    });
    sse.open().await?;
    std::future::pending().await
}

// A task that stops and resumes following piles up, for a client that does not read, everything that is published.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_costs_no_memory_however_often_following_begins_anew() {
    let (app, client) = App::new(Hub::in_memory().topic_events(4).build());
    let mut events = client.get("/follows_in_a_task").stream().await;
    position(&events.next().await);
    events.stall();
    for _ in 0..2000 {
        app.topic.publish("x".repeat(1000)).await.expect("published");
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    events.resume();
    let mut queued = 0;
    app.topic.publish("last").await.expect("published");
    while events.next().await.data != "last" {
        queued += 1;
    }
    assert!(queued < 200, "{queued} KB lay in the stream's buffer");
}

#[sse_route("/latest", slow = "latest", send_timeout = "off")]
async fn latest(sse: Sse, State(app): State<App>) -> Result<()> {
    app.hooks.watch(&sse);
    sse.follow(&app.topic.clone().snapshot(|| async { Ok::<[&str; 0], _>([]) })).await?;
    Ok(())
}

// A snapshot without events counts as one with the newest id: the hook is told an id that the client never got.
#[tokio::test(start_paused = true)]
async fn a_disconnect_names_no_id_of_a_snapshot_that_was_empty() {
    let (app, client) = App::new(Hub::in_memory().topic_events(4).build());
    let mut events = client.get("/latest").stream().await;
    let open = events.next().await;
    events.stall();
    for n in 0..20 {
        app.topic.publish(n.to_string()).await.expect("published");
    }
    events.resume();
    let gap = events.next().await;
    assert_eq!(gap.name, "sse-gap");
    events.silent_for(Duration::from_secs(1)).await;
    events.disconnect();
    assert_eq!(app.hooks.only().await.last_event_id.as_deref(), Some(id(&open)));
}

// Names that strangers make up push out the history of topics whose clients are about to come back.
#[tokio::test(start_paused = true)]
async fn topics_without_events_do_not_push_out_those_that_hold_some() {
    let hub = Hub::in_memory().topics(100).build();
    let client = following_all(&hub);
    let events = client.get("/all/room").stream().await;
    hub.topic::<Message>("room").publish("1").await.expect("published");
    let mut events = events;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "1");
    let request = events.reconnect_request();
    hub.topic::<Message>("room").publish("2").await.expect("published");
    for n in 0..200 {
        drop(client.get(&format!("/all/made-up-{n}")).stream().await);
        tokio::task::yield_now().await;
    }
    let mut events = request.stream().await;
    let first = events.next().await;
    assert_eq!(first.name, "sse-open", "{first:?}");
}

#[sse_route("/rooms")]
async fn rooms(sse: Sse, State(app): State<App>) -> Result<()> {
    for name in ["first", "second"] {
        let room: Topic =
            app.hub.topic(name).snapshot(move || async move { Ok([format!("state of {name}")]) });
        tokio::select! {
            result = sse.follow(&room) => result?,
            () = app.now.notified() => {}
        }
    }
    Ok(())
}

// A stream that goes over to another topic gets that one's changes, and never the state that they change.
#[tokio::test(start_paused = true)]
async fn a_stream_that_goes_over_to_another_topic_gets_its_snapshot() {
    let (app, client) = App::new(Hub::in_memory().build());
    let mut events = client.get("/rooms").stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "state of first");
    app.now.notify_one();
    tokio::time::sleep(Duration::from_millis(1)).await;
    app.hub.topic::<Message>("second").publish("a change of second").await.expect("published");
    let next = events.next().await.data;
    assert_ne!(next, "a change of second");
}

#[sse_route("/latest_until_told", slow = "latest", send_timeout = "off")]
async fn latest_until_told(sse: Sse, State(app): State<App>) -> Result<()> {
    let topic =
        app.topic.clone().snapshot(|| async { Ok([Event::new("price").data("a, b and all others")]) });
    loop {
        tokio::select! {
            biased;
            () = app.now.notified() => {}
            result = sse.follow(&topic) => result?,
        }
    }
}

// Where following stops and begins anew, a `latest` client that is behind gets no snapshot: `a` stays wrong for ever.
#[tokio::test(start_paused = true)]
async fn latest_gives_the_snapshot_to_a_stream_that_follows_again_too() {
    let (app, client) = App::new(Hub::in_memory().topic_events(4).build());
    let mut events = client.get("/latest_until_told").stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "a, b and all others");
    events.stall();
    app.topic.publish(Event::new("price").data("new a")).key("a").await.expect("published");
    for _ in 0..20 {
        app.topic.publish(Event::new("price").data("new b")).key("b").await.expect("published");
    }
    app.now.notify_one();
    events.resume();
    assert_eq!(events.next().await.name, "sse-gap");
    assert_eq!(events.next().await.data, "a, b and all others");
}

// A burst of more than `topic_events`, without a pause, makes every client "slow", though each reads all the time.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_all_the_time_is_not_slow() {
    let (app, _) = App::new(Hub::in_memory().build());
    let mut events = following(&app.topic).get("/follow").stream().await;
    position(&events.next().await);
    for n in 0..1100 {
        app.topic.publish(n.to_string()).await.expect("published");
    }
    assert_eq!(events.next().await.data, "0");
}

/// Memory of this process that lies in RAM.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number of pages") * 4096
}

// Strangers' names are kept twice each, at any length, for ten thousand topics: 1.2 GB by the default limits.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn names_that_strangers_make_up_are_not_kept_at_any_length() {
    let hub = Hub::in_memory().build();
    let client = following_all(&hub);
    let before = resident();
    for n in 0..2000 {
        let name = format!("{n:0>60000}");
        drop(client.get(&format!("/all/{name}")).stream().await);
        tokio::task::yield_now().await;
    }
    let grown = resident().saturating_sub(before) / 1_000_000;
    assert_eq!((hub.stats().subscribers, hub.stats().events, hub.stats().bytes), (0, 0, 0));
    assert!(grown < 100, "{grown} MB, of which no number of the hub tells");
}
