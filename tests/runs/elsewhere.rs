//! Runs of one node, and clients that come back to another.

use sse_runtime::{Hub, Shutdown};

use super::broker::{Broker, Delivers};
use super::*;

struct Node {
    runs: Runs,
    client: TestClient,
    said: Said,
}

async fn node(broker: &Broker, delivers: Delivers) -> Node {
    let hub = Hub::on(broker.node().delivers(delivers)).topic_events(8).start().await.expect("started");
    let (runs, said) = (Runs::on(hub), Said::default());
    let client = app(&runs, &said);
    Node { runs, client, said }
}

#[tokio::test(start_paused = true)]
async fn a_client_comes_back_to_another_node() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        let broker = Broker::keeping(100_000);
        let (here, there) = (node(&broker, delivers).await, node(&broker, delivers).await);
        let mut events = here.client.post("/count/60").stream().await;
        let run = run_of(&events);
        opened(&mut events).await;
        numbers(&mut events, 0..5).await;
        let last = events.last_event_id().to_owned();
        events.disconnect();
        sleep(20 * SECOND).await;
        let mut again = there.client.get("/count/60").last_event_id(&last).stream().await;
        let open = opened(&mut again).await;
        assert_eq!((open["run"].as_str(), open["resumed"].as_bool()), (Some(run.as_str()), Some(true)));
        numbers(&mut again, 5..60).await;
        again.expect("done", "{}").await;
        again.expect_end().await;
        assert!(there.runs.list().is_empty());
        // It was followed there for more than its `run_idle`, and so it was not abandoned.
        sleep(SECOND).await;
        assert_eq!(here.said.take(), ["left ClientClosed", "dropped", "over Completed"]);

        let mut whole = there.client.get(&format!("/count/60?run={run}")).stream().await;
        opened(&mut whole).await;
        numbers(&mut whole, 0..60).await;
        let end = whole.expect("done", "{}").await;
        let seen = there.client.get("/count/60").last_event_id(end.id.expect("an id")).response().await;
        assert_eq!(seen.status, StatusCode::NO_CONTENT);
        sleep(601 * SECOND).await;
        let foreign = there.client.get(&format!("/count/61?run={run}")).response().await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_followed_nowhere_is_abandoned_and_one_that_is_followed_elsewhere_is_not() {
    let broker = Broker::keeping(100_000);
    let (here, there) = (node(&broker, Delivers::Open).await, node(&broker, Delivers::Open).await);
    let mut events = here.client.post("/count/600").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    events.disconnect();
    let mut away = there.client.get(&format!("/count/600?run={run}")).stream().await;
    opened(&mut away).await;
    numbers(&mut away, 0..300).await;
    assert_eq!(here.said.take(), ["left ClientClosed"]);
    away.disconnect();
    sleep(80 * SECOND).await;
    assert_eq!(here.said.take(), ["dropped", "over Abandoned"]);
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_for_a_while_at_another_node_is_there_all_the_same() {
    let broker = Broker::keeping(100_000);
    let (here, there) = (node(&broker, Delivers::Open).await, node(&broker, Delivers::Open).await);
    let mut events = here.client.post("/patient").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    events.disconnect();
    let mut away = there.client.get(&format!("/patient?run={run}")).stream().await;
    opened(&mut away).await;
    away.stall();
    sleep(120 * SECOND).await;
    assert_eq!(here.said.take(), ["left ClientClosed"]);
    away.resume();
    numbers(&mut away, 0..100).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_ended_from_another_node() {
    let broker = Broker::keeping(100_000);
    let (here, there) = (node(&broker, Delivers::Open).await, node(&broker, Delivers::Open).await);
    let mut events = here.client.post("/count/600").stream().await;
    let path = format!("/count/600?run={}", run_of(&events));
    opened(&mut events).await;
    let mut away = there.client.get(&path).stream().await;
    opened(&mut away).await;
    numbers(&mut away, 0..1).await;
    let deleted = there.client.request(axum::http::Method::DELETE, &path).response().await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let rest = away.rest().await;
    assert_eq!(rest.last().map(|last| last.data.as_str()), Some(r#"{"reason":"Cancelled"}"#));
    assert!(rest.len() < 5, "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_request_joins_the_run_of_another_node() {
    let broker = Broker::keeping(100_000);
    let (here, there) = (node(&broker, Delivers::Open).await, node(&broker, Delivers::Open).await);
    let post = |node: &Node| node.client.post("/echo").header("idempotency-key", "a").json("hello");
    let (one, same) = tokio::join!(post(&here).stream(), post(&there).stream());
    assert_eq!(run_of(&one), run_of(&same));
    for mut events in [one, same] {
        opened(&mut events).await;
        for _ in 0..3 {
            events.expect("message", "hello").await;
        }
        events.expect_end().await;
    }
    assert_eq!(here.runs.list().len() + there.runs.list().len(), 1);
}

#[tokio::test]
async fn a_run_whose_node_is_gone_is_replayed_and_then_said_to_be_lost() {
    let broker = Broker::keeping(100_000);
    let lease = Duration::from_millis(600);
    // A runtime that is gone is a process that is gone.
    let run = tokio::task::spawn_blocking({
        let broker = broker.clone();
        move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let hub = Hub::on(broker.node()).start().await.expect("started");
                let client = app(&Runs::on(hub).lease(lease), &Said::default());
                let mut events = client.post("/count/60").stream().await;
                opened(&mut events).await;
                numbers(&mut events, 0..2).await;
                run_of(&events)
            })
        }
    });
    let run = run.await.expect("no panic");
    let hub = Hub::on(broker.node()).start().await.expect("started");
    let client = app(&Runs::on(hub).lease(lease), &Said::default());
    let path = format!("/count/60?run={run}");
    let begun = std::time::Instant::now();
    let mut events = client.get(&path).stream().await;
    opened(&mut events).await;
    numbers(&mut events, 0..2).await;
    let lost = events.next().await;
    assert_eq!(lost.name, "run-lost");
    assert!(lost.data.contains(&run), "{lost:?}");
    events.expect_end().await;
    assert!(begun.elapsed() >= lease && begun.elapsed() < lease * 5, "{:?}", begun.elapsed());
    let again = client.get(&path).last_event_id(lost.id.expect("an id")).response().await;
    assert_eq!(again.status, StatusCode::NO_CONTENT, "a client stops at that");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_server_that_leaves_says_so_and_is_not_lost() {
    let broker = Broker::keeping(100_000);
    let there = node(&broker, Delivers::Open).await;
    let hub = Hub::on(broker.node()).start().await.expect("started");
    let (runs, said, shutdown) = (Runs::on(hub), Said::default(), Shutdown::new());
    let app: Router = routes![count].with_state(said.clone());
    let client = TestClient::new(app.layer(runs).layer(shutdown.clone()));
    let mut events = client.post("/count/600").stream().await;
    let path = format!("/count/600?run={}", run_of(&events));
    opened(&mut events).await;
    numbers(&mut events, 0..2).await;
    shutdown.begin();
    let bye = events.next().await;
    assert_eq!((bye.name.as_str(), bye.data.as_str()), ("sse-bye", r#"{"reason":"ServerShutdown"}"#));
    events.expect_end().await;
    assert!(shutdown.drained(10 * SECOND).await, "in time");
    assert!(said.take().contains(&"over ServerShutdown".to_owned()));
    // All of it is in the log when the process may go, its end too.
    let begun = tokio::time::Instant::now();
    let mut whole = there.client.get(&path).stream().await;
    opened(&mut whole).await;
    numbers(&mut whole, 0..2).await;
    whole.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#).await;
    whole.expect_end().await;
    assert!(begun.elapsed() < SECOND, "nobody had to wait for a sign of life: {:?}", begun.elapsed());
}
