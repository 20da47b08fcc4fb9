//! What goes wrong around a run: its log, its hooks, and ids that are none of it.

use sse_runtime::Hub;

use super::broker::{Broker, Call, Delivers, Node};
use super::*;

/// One node, and its connection to the log.
async fn node(broker: &Broker, lease: Duration) -> (TestClient, Node) {
    let engine = broker.node().delivers(Delivers::Open);
    let hub = Hub::on(engine.clone()).topic_events(8).start().await.expect("started");
    (app(&Runs::on(hub).lease(lease), &Said::default()), engine)
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_log_cannot_be_written_is_said_to_be_lost_at_every_node() {
    let broker = Broker::keeping(100_000);
    let ((here, log), (there, _)) = (node(&broker, 15 * SECOND).await, node(&broker, 15 * SECOND).await);
    let mut events = here.post("/count/600").stream().await;
    let path = format!("/count/600?run={}", run_of(&events));
    opened(&mut events).await;
    numbers(&mut events, 0..3).await;
    let mut away = there.get(&path).stream().await;
    opened(&mut away).await;
    numbers(&mut away, 0..3).await;
    // Another run keeps the node in sight.
    let _other = here.get("/ticks").stream().await;
    log.fail(Call::Publish, 1_000_000);
    let lost = events.next().await;
    assert_eq!((lost.name.as_str(), lost.id.as_deref()), ("run-lost", Some("sse-end")));
    events.expect_end().await;
    log.fail(Call::Publish, 0);
    assert_eq!(away.next().await.name, "run-lost");
    away.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_brings_nothing_for_a_while_is_not_taken_for_the_end_of_a_node() {
    let broker = Broker::keeping(100_000);
    let ((here, _), (there, log)) = (node(&broker, 5 * SECOND).await, node(&broker, 5 * SECOND).await);
    let mut events = here.post("/count/600").stream().await;
    let path = format!("/count/600?run={}", run_of(&events));
    opened(&mut events).await;
    let mut away = there.get(&path).stream().await;
    opened(&mut away).await;
    numbers(&mut away, 0..3).await;
    log.halt();
    sleep(30 * SECOND).await;
    log.go_on();
    numbers(&mut away, 3..40).await;
    log.fail(Call::Publish, 1_000_000);
    log.halt();
    sleep(30 * SECOND).await;
    log.fail(Call::Publish, 0);
    log.go_on();
    numbers(&mut away, 40..100).await;
}

/// Says much at once.
#[sse_route("/much", methods = ["POST"], run = "1m")]
async fn much(sse: Sse) -> Result<()> {
    for n in 0..200 {
        sse.send(format!("{n} {}", "x".repeat(8000))).await?;
    }
    std::future::pending().await
}

#[tokio::test]
async fn a_slow_client_gets_all_of_a_lost_run_before_it_is_told() {
    let broker = Broker::keeping(100_000);
    let lease = Duration::from_millis(300);
    let app = move |broker: Broker| async move {
        let hub = Hub::on(broker.node()).topic_events(8).start().await.expect("started");
        TestClient::new(routes![much].layer(Runs::on(hub).lease(lease)))
    };
    // A runtime that is gone is a process that is gone.
    let there = app(broker.clone()).await;
    let run = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut events = app(broker).await.post("/much").stream().await;
            opened(&mut events).await;
            for n in 0..200 {
                assert!(events.next().await.data.starts_with(&format!("{n} ")));
            }
            run_of(&events)
        })
    });
    let run = run.await.expect("no panic");
    let mut events = there.get(&format!("/much?run={run}")).stream().await;
    opened(&mut events).await;
    // By reading nothing, for longer than the lease.
    events.stall();
    sleep(3 * lease).await;
    events.resume();
    for n in 0..200 {
        let event = events.next().await;
        assert!(event.data.starts_with(&format!("{n} ")), "{n}: {}", event.name);
    }
    assert_eq!(events.next().await.name, "run-lost");
    events.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_with_an_id_of_something_else_gets_the_run_whole() {
    let runs = Runs::in_memory();
    let client = app(&runs, &Said::default());
    let mut events = client.post("/count/10").stream().await;
    let path = format!("/count/10?run={}", run_of(&events));
    opened(&mut events).await;
    numbers(&mut events, 0..3).await;
    for (moment, rest) in [(0, 3), (20, 10)] {
        sleep(moment * SECOND).await;
        for (id, reason) in [("7", "malformed"), (&format!("{}.0-1", run_of(&events)), "epoch")] {
            let mut again = client.get(&path).last_event_id(id).stream().await;
            let reset = again.next().await;
            assert_eq!(reset.name, "sse-reset");
            assert!(reset.data.contains(reason), "{reset:?}");
            opened(&mut again).await;
            numbers(&mut again, 0..rest).await;
        }
    }
}

/// Its first hook panics, and its second holds the run.
#[sse_route("/hooked", methods = ["POST"], run = "1m", run_keep = "1m")]
async fn hooked(sse: Sse, State(said): State<Said>) -> Result<()> {
    let run = sse.run().expect("a run");
    run.on_disconnect(|_| async { panic!("a hook") });
    let held = (run.clone(), Arc::new(Dropped(said.clone())));
    run.on_disconnect(move |_| {
        let (held, said) = (held.clone(), said.clone());
        async move { said.say(format!("cancelled {}", held.0.cancel())) }
    });
    sse.send("x").await?;
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_concerns_no_other_and_one_that_holds_the_run_does_not_keep_it() {
    let said = Said::default();
    let app: Router = routes![hooked].with_state(said.clone());
    let client = TestClient::new(app.layer(Runs::in_memory()));
    let mut events = client.post("/hooked").stream().await;
    opened(&mut events).await;
    events.expect("message", "x").await;
    events.disconnect();
    sleep(10 * SECOND).await;
    assert_eq!(said.take(), ["cancelled true"]);
    sleep(60 * SECOND).await;
    assert_eq!(said.take(), ["dropped"]);
}
