//! How many runs, how many events, and what is left when they are gone.

use sse_runtime::Hub;

use super::broker::{Broker, Delivers};
use super::*;

#[sse_route("/full", methods = ["POST"], run = "1m", run_events = 10)]
async fn full(sse: Sse) -> Result<()> {
    for n in 0.. {
        sse.send(n.to_string()).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[sse_route("/large", methods = ["POST"], run = "1m", run_bytes = "64KiB", run_keep = "1m")]
async fn large(sse: Sse) -> Result<()> {
    for _ in 0.. {
        sse.send("x".repeat(1000)).await?;
    }
    Ok(())
}

#[sse_route("/brief", methods = ["POST"], run = "1m", run_keep = "30s")]
async fn brief(sse: Sse) -> Result<()> {
    for n in 0..20 {
        sse.send(n.to_string()).await?;
        sleep(SECOND / 2).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_route_has_so_many_runs_at_a_time() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(client.get("/ticks").stream().await);
    }
    let refused = client.get("/ticks").response().await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.text, "no place for another run now");
    // To come back needs no place.
    let run = run_of(&open[0]);
    let _back = client.get(&format!("/ticks?run={run}")).stream().await;
    runs.list()[0].cancel();
    sleep(SECOND).await;
    let _fourth = client.get("/ticks").stream().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_has_so_many_events_and_so_many_bytes() {
    let runs = Runs::in_memory();
    let app: Router = routes![full, large];
    let client = TestClient::new(app.layer(runs.clone()));
    let mut events = client.post("/full").stream().await;
    opened(&mut events).await;
    let all = events.rest().await;
    let (bye, numbers) = all.split_last().expect("a last word");
    assert_eq!((bye.name.as_str(), bye.data.as_str()), ("sse-bye", r#"{"reason":"RunFull"}"#));
    assert!(numbers.len() <= 10, "{}", numbers.len());
    assert!(numbers.iter().enumerate().all(|(n, event)| event.data == n.to_string()));

    let mut events = client.post("/large").stream().await;
    opened(&mut events).await;
    let all = events.rest().await;
    let (bye, texts) = all.split_last().expect("a last word");
    assert_eq!(bye.data, r#"{"reason":"RunFull"}"#);
    assert_eq!(texts.len(), 65, "of 1008 bytes each");
}

/// All in one go.
#[sse_route("/exact/{to}", methods = ["POST"], run = "1m", run_events = 10, end = "done")]
async fn exact(sse: Sse, to: u64) -> Result<()> {
    for n in 0..to {
        sse.send(n.to_string()).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_as_many_events_as_it_may_is_whole_and_one_with_more_says_so() {
    let client = TestClient::new(routes![exact].layer(Runs::in_memory()));
    for (to, name, data) in [(10, "done", "{}"), (11, "sse-bye", r#"{"reason":"RunFull"}"#)] {
        let mut events = client.post(&format!("/exact/{to}")).stream().await;
        opened(&mut events).await;
        numbers(&mut events, 0..10).await;
        events.expect(name, data).await;
        events.expect_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_runs_with_three_clients_each_leave_nothing_behind() {
    let hub = Hub::in_memory().topic_events(usize::MAX).build();
    let runs = Runs::on(hub.clone());
    let app: Router = routes![brief];
    let client = TestClient::new(app.layer(runs.clone()));
    let before = hub.stats();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let client = client.clone();
        clients.spawn(async move {
            let mut first = client.post("/brief").stream().await;
            let path = format!("/brief?run={}", run_of(&first));
            opened(&mut first).await;
            numbers(&mut first, 0..3).await;
            let last = first.last_event_id().to_owned();
            first.disconnect();
            let (mut second, mut third) =
                (client.get(&path).stream().await, client.get("/brief").last_event_id(last).stream().await);
            opened(&mut second).await;
            opened(&mut third).await;
            numbers(&mut second, 0..20).await;
            numbers(&mut third, 3..20).await;
            second.expect_end().await;
            third.expect_end().await;
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("it saw all of it");
    }
    assert_eq!(runs.list().len(), 1000);
    sleep(31 * SECOND).await;
    assert!(runs.list().is_empty());
    let after = hub.stats();
    assert_eq!((after.events, after.bytes, after.subscribers), (before.events, before.bytes, 0));
}

/// Topics that nobody uses any more are swept, and what they have goes with its age: see [`Hub`].
#[tokio::test(start_paused = true)]
async fn many_short_runs_leave_no_more_at_any_node_than_a_hub_may_have() {
    const TOPICS: usize = 100;
    for delivers in [Delivers::Open, Delivers::Everything] {
        let broker = Broker::keeping(10_000);
        let (mut hubs, mut runs, mut clients) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..2 {
            let hub =
                Hub::on(broker.node().delivers(delivers)).topics(TOPICS).start().await.expect("started");
            runs.push(Runs::on(hub.clone()));
            clients.push(TestClient::new(routes![exact].layer(runs[runs.len() - 1].clone())));
            hubs.push(hub);
        }
        let mut most = 0;
        for run in 0..300 {
            let (here, there) = (&clients[run % 2], &clients[(run + 1) % 2]);
            let mut events = here.post("/exact/3").header("idempotency-key", run.to_string()).stream().await;
            let mut away = there.get(&format!("/exact/3?run={}", run_of(&events))).stream().await;
            for events in [&mut events, &mut away] {
                opened(events).await;
                numbers(events, 0..3).await;
                events.expect("done", "{}").await;
                events.expect_end().await;
            }
            if run % 20 == 0 {
                // Until it is not kept any more.
                sleep(700 * SECOND).await;
            }
            most = hubs.iter().map(|hub| hub.stats().topics).max().max(Some(most)).unwrap_or_default();
        }
        // Three of each run, of those that are kept; and some that say who is there.
        assert!(most <= TOPICS + 3 * 20 + 10, "{most} topics");
        sleep(4000 * SECOND).await;
        for client in &clients {
            // What is old goes when something new comes.
            client.post("/exact/1").stream().await.rest().await;
        }
        sleep(700 * SECOND).await;
        for (hub, runs) in hubs.iter().zip(&runs) {
            let stats = hub.stats();
            assert!(stats.events <= 5 && stats.bytes < 1000 && stats.subscribers == 0, "{stats:?}");
            assert!(runs.list().is_empty());
        }
    }
}
