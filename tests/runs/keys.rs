//! Requests that name themselves: one run for all that have one key, and no key that is used up in vain.

use sse_runtime::Hub;

use super::broker::Broker;
use super::*;

/// Thinks for longer than a lease before it says anything.
#[sse_route("/late", methods = ["POST"], run = "5m", open_after = "off")]
async fn late(sse: Sse) -> Result<()> {
    sleep(40 * SECOND).await;
    sse.send("at last").await?;
    sleep(20 * SECOND).await;
    Ok(())
}

async fn node(broker: &Broker) -> TestClient {
    let hub = Hub::on(broker.node()).start().await.expect("started");
    let app: Router = routes![count, ticks, fails, echo, late].with_state(Said::default());
    TestClient::new(app.layer(Runs::on(hub))).limit(Duration::from_secs(1200))
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_request_that_was_refused_is_free_again() {
    let broker = Broker::keeping(100_000);
    let (here, there) = (node(&broker).await, node(&broker).await);
    for client in [&here, &here, &there, &here] {
        let begun = tokio::time::Instant::now();
        let refused = client.post("/fails/early").header("idempotency-key", "a").response().await;
        assert_eq!((refused.status, refused.text.as_str()), (StatusCode::IM_A_TEAPOT, "I am a teapot"));
        assert!(begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
    }
    // So is one for which there was no place.
    let mut ticks = Vec::new();
    for _ in 0..3 {
        ticks.push(here.get("/ticks").stream().await);
    }
    let full = here.get("/ticks").header("idempotency-key", "b").response().await;
    assert_eq!(full.text, "no place for another run now");
    ticks.clear();
    sleep(70 * SECOND).await;
    let mut events = here.get("/ticks").header("idempotency-key", "b").stream().await;
    opened(&mut events).await;
    numbers(&mut events, 0..2).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_slow_to_begin_is_begun_once() {
    let broker = Broker::keeping(100_000);
    let (here, there) = (node(&broker).await, node(&broker).await);
    let post = |client: &TestClient| client.post("/late").header("idempotency-key", "a");
    let first = tokio::spawn(post(&here).stream());
    sleep(SECOND).await;
    let same = post(&there).response().await;
    assert_eq!(
        (same.status, same.headers["retry-after"].as_bytes()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"1"[..])
    );
    let mut first = first.await.expect("no panic");
    opened(&mut first).await;
    first.expect("message", "at last").await;
    let mut same = post(&there).stream().await;
    let open = opened(&mut same).await;
    assert!(first.last_event_id().starts_with(open["run"].as_str().expect("an id")), "{open}");
    same.expect("message", "at last").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_are_asked_at_the_same_time_begin_one_run() {
    let runs = Runs::in_memory();
    let client = app(&runs, &Said::default());
    for round in 0..50 {
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let request = client.post("/echo").header("idempotency-key", format!("{round}")).json("hello");
            requests.spawn(async move { run_of(&request.stream().await) });
        }
        let mut ids = requests.join_all().await;
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
    assert_eq!(runs.list().len(), 50);
}
