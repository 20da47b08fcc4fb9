//! From the request that begins a run to its end, and what clients see of it.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_client_that_stays_sees_a_stream_like_any_other() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.post("/count/3").stream().await;
    let run = run_of(&events);
    let open = opened(&mut events).await;
    assert_eq!(open["run"], run.as_str());
    numbers(&mut events, 0..3).await;
    let done = events.expect("done", "{}").await;
    assert_eq!(done.id.as_deref(), Some("sse-end"));
    events.expect_end().await;
    sleep(SECOND).await;
    assert_eq!(said.take(), ["dropped", "over Completed", "left Completed"]);
}

#[tokio::test(start_paused = true)]
async fn the_handler_goes_on_and_who_comes_back_gets_what_was_missed_once() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.post("/count/60").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    numbers(&mut events, 0..5).await;
    let last = events.last_event_id().to_owned();
    assert!(last.starts_with(&format!("{run}.")), "{last}");
    events.disconnect();
    sleep(20 * SECOND).await;
    assert_eq!(said.take(), ["left ClientClosed"]);

    // By the id alone, as a fetch client does that repeats its request; by the run, as one that has lost everything.
    let mut again = client.post("/count/60").last_event_id(&last).stream().await;
    let mut anew = client.get(&format!("/count/60?run={run}")).stream().await;
    let mut event_source = client.get("/count/60").last_event_id(&last).stream().await;
    for (events, from) in [(&mut again, 5), (&mut anew, 0), (&mut event_source, 5)] {
        let open = opened(events).await;
        assert_eq!((open["resumed"].as_bool(), open["run"].as_str()), (Some(true), Some(run.as_str())));
        numbers(events, from..60).await;
        events.expect("done", "{}").await;
        events.expect_end().await;
    }
    assert_eq!(runs.list().len(), 1, "nobody began another");
    sleep(SECOND).await;
    assert_eq!(said.take().iter().filter(|said| said.starts_with("left")).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_is_replayed_whole_for_a_while_and_its_end_is_final() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.post("/count/3").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    numbers(&mut events, 0..2).await;
    let last = events.last_event_id().to_owned();
    events.disconnect();
    sleep(30 * SECOND).await;
    let mut whole = client.get(&format!("/count/3?run={run}")).stream().await;
    opened(&mut whole).await;
    numbers(&mut whole, 0..3).await;
    whole.expect("done", "{}").await;
    whole.expect_end().await;
    let mut rest = client.get("/count/3").last_event_id(&last).stream().await;
    opened(&mut rest).await;
    numbers(&mut rest, 2..3).await;
    let end = rest.expect("done", "{}").await;
    // An EventSource that has seen the end comes back, and is told to stop.
    let seen =
        client.get(&format!("/count/3?run={run}")).last_event_id(end.id.expect("an id")).response().await;
    assert_eq!(seen.status, StatusCode::NO_CONTENT);

    sleep(600 * SECOND).await;
    let gone = client.get(&format!("/count/3?run={run}")).response().await;
    assert_eq!((gone.status, gone.text.as_str()), (StatusCode::NOT_FOUND, "no such run"));
    assert!(runs.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_the_first_event_is_an_http_response_and_no_run() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    for (how, status, text) in [
        ("early", StatusCode::IM_A_TEAPOT, "I am a teapot"),
        ("panic", StatusCode::INTERNAL_SERVER_ERROR, ""),
        ("answer", StatusCode::ACCEPTED, "later"),
    ] {
        let response = client.post(&format!("/fails/{how}")).response().await;
        assert_eq!((response.status, response.text.as_str()), (status, text), "{how}");
        sleep(SECOND).await;
        assert!(runs.list().is_empty(), "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_later_is_in_the_log_and_not_asked_for_again() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.post("/fails/late").stream().await;
    assert_eq!(events.headers()["x-mine"], "1", "what the handler says of the head");
    let run = run_of(&events);
    opened(&mut events).await;
    events.expect("message", "x").await;
    events.disconnect();
    sleep(5 * SECOND).await;
    let mut events = client.get(&format!("/fails/late?run={run}")).stream().await;
    opened(&mut events).await;
    events.expect("message", "x").await;
    let failure = events.next().await;
    assert_eq!(failure.name, "failure");
    assert!(failure.data.contains("too late"), "{failure:?}");
    events.expect_end().await;
    // All of it has been seen.
    let again = client.get("/fails/late").last_event_id(failure.id.expect("an id")).response().await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn a_handler_gives_its_events_no_ids_and_comments_are_not_kept() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.post("/fails/ids").stream().await;
    opened(&mut events).await;
    let refused = events.next().await;
    assert!(refused.data.starts_with("the event has the id \"7\"; on a route with `run`"), "{refused:?}");
    events.expect("message", "z").await;
    events.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_follows_for_a_while_is_abandoned() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.post("/count/600").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    events.disconnect();
    sleep(50 * SECOND).await;
    // Somebody looks in, and the minute begins anew.
    let look = client.get(&format!("/count/600?run={run}")).stream().await;
    sleep(5 * SECOND).await;
    look.disconnect();
    sleep(55 * SECOND).await;
    assert_eq!(said.take(), ["left ClientClosed", "left ClientClosed"]);
    sleep(10 * SECOND).await;
    assert_eq!(said.take(), ["dropped", "over Abandoned"]);
    let mut late = client.get(&format!("/count/600?run={run}")).stream().await;
    opened(&mut late).await;
    let events = late.rest().await;
    let bye = events.last().expect("a last word");
    assert_eq!((bye.name.as_str(), bye.data.as_str()), ("sse-bye", r#"{"reason":"Abandoned"}"#));
    assert!((110..=125).contains(&events.len()), "{} numbers", events.len());
}

#[tokio::test(start_paused = true)]
async fn its_time_is_limited_whoever_follows() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.post("/count/100000").stream().await;
    opened(&mut events).await;
    let all = events.rest().await;
    let bye = all.last().expect("a last word");
    assert_eq!((bye.name.as_str(), bye.data.as_str()), ("sse-bye", r#"{"reason":"MaxAge"}"#));
    assert!((895..=905).contains(&all.len()), "a number a second: {}", all.len());
    sleep(SECOND).await;
    assert_eq!(said.take(), ["dropped", "over MaxAge", "left Completed"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_ends_at_once() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.post("/count/600").stream().await;
    opened(&mut events).await;
    numbers(&mut events, 0..2).await;
    let [run] = &runs.list()[..] else { panic!("one run") };
    assert_eq!((run.attached(), run.is_over()), (1, false));
    let info = run.info();
    assert_eq!((info.route, info.path.as_str(), info.ended), ("/count/{to}", "/count/600", None));
    assert!(run.cancel());
    assert!(!run.cancel(), "it is ending already");
    events.expect("sse-bye", r#"{"reason":"Cancelled"}"#).await;
    events.expect_end().await;
    sleep(SECOND).await;
    assert_eq!(said.take(), ["dropped", "over Cancelled", "left Completed"]);
    assert!(run.is_over());
    assert_eq!(run.info().ended.map(sse_runtime::DisconnectReason::as_str), Some("Cancelled"));

    // Or by a client.
    let mut events = client.post("/count/600").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    let deleted = client.request(http_delete(), &format!("/count/600?run={run}")).response().await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    numbers(&mut events, 0..1).await;
    events.expect("sse-bye", r#"{"reason":"Cancelled"}"#).await;
}

fn http_delete() -> axum::http::Method {
    axum::http::Method::DELETE
}

#[tokio::test(start_paused = true)]
async fn an_event_source_comes_back_to_its_run_by_itself() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let mut events = client.get("/ticks").stream().await;
    opened(&mut events).await;
    numbers(&mut events, 0..3).await;
    let mut events = events.reconnect().await;
    opened(&mut events).await;
    numbers(&mut events, 3..6).await;
    assert_eq!(runs.list().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_request_again_joins_the_run() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let post = |key: &str| client.post("/echo").header("idempotency-key", key).json("hello");
    let (mut one, mut same) = (post("a").stream().await, post("a").stream().await);
    let mut other = post("b").stream().await;
    assert_eq!(run_of(&one), run_of(&same));
    assert_ne!(run_of(&one), run_of(&other));
    for events in [&mut one, &mut same, &mut other] {
        opened(events).await;
        for _ in 0..3 {
            events.expect("message", "hello").await;
        }
        events.expect_end().await;
    }
    let mut late = post("a").stream().await;
    opened(&mut late).await;
    assert_eq!(late.rest().await.len(), 3, "it is over, and replayed");
    let refused = post(&"x".repeat(257)).response().await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn a_route_has_runs_without_a_layer() {
    let app: Router = routes![count, ticks, fails, echo].with_state(Said::default());
    let client = TestClient::new(app);
    let mut events = client.get("/ticks").stream().await;
    opened(&mut events).await;
    numbers(&mut events, 0..3).await;
    let mut events = events.reconnect().await;
    opened(&mut events).await;
    numbers(&mut events, 3..4).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_begins_nothing_and_says_whether_there_is_such_a_run() {
    let (runs, said) = (Runs::in_memory(), Said::default());
    let client = app(&runs, &said);
    let head = |path: &str| client.request(axum::http::Method::HEAD, path);
    assert_eq!(head("/ticks").response().await.status, StatusCode::OK);
    assert_eq!(head("/count/3").response().await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(runs.list().is_empty());
    let mut events = client.post("/count/60").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    assert_eq!(head(&format!("/count/60?run={run}")).response().await.status, StatusCode::OK);
    assert_eq!(head(&format!("/count/61?run={run}")).response().await.status, StatusCode::NOT_FOUND);
    assert_eq!(runs.list().iter().map(sse_runtime::Run::attached).sum::<usize>(), 1, "that was no client");

    // As GET says it.
    client.request(axum::http::Method::DELETE, &format!("/count/60?run={run}")).response().await;
    events.rest().await;
    let all = head(&format!("/count/60?run={run}")).last_event_id(events.last_event_id());
    assert_eq!(all.response().await.status, StatusCode::NO_CONTENT);
}

/// Thinks before it says something.
#[sse_route("/thinks/{seconds}", methods = ["POST"], run = "15m")]
async fn thinks(sse: Sse, seconds: u64) -> Result<()> {
    sse.set_header("x-mine", "1")?;
    sleep(Duration::from_secs(seconds)).await;
    if seconds == 5 {
        return Err(sse_runtime::Error::from("no").with_status(StatusCode::IM_A_TEAPOT));
    }
    sse.send("at last").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_handler_thinks_can_be_come_back_to_after_a_second() {
    let app: Router = routes![thinks];
    let client = TestClient::new(app);
    let begun = tokio::time::Instant::now();
    let mut events = client.post("/thinks/10").stream().await;
    let run = run_of(&events);
    assert!((SECOND..2 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(events.headers()["x-mine"], "1");
    assert_eq!(opened(&mut events).await["run"], run);
    events.disconnect();
    let mut back = client.get(&format!("/thinks/10?run={run}")).stream().await;
    opened(&mut back).await;
    back.expect("message", "at last").await;
    back.expect_end().await;

    // Until then it is an answer as any, and afterwards the run has failed.
    let mut failed = client.post("/thinks/5").stream().await;
    opened(&mut failed).await;
    assert_eq!(failed.next().await.name, "failure");
}

/// Its connections are ended after a while.
#[sse_route("/brief", methods = ["POST"], run = "2m", max_age = "30s")]
async fn brief(sse: Sse) -> Result<()> {
    for n in 0.. {
        sse.send(n.to_string()).await?;
        sleep(SECOND).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_is_not_taken_for_that_of_its_run() {
    let client = TestClient::new(routes![brief].layer(Runs::in_memory()));
    let mut events = client.post("/brief").stream().await;
    let path = format!("/brief?run={}", run_of(&events));
    let mut seen = 0;
    let end = loop {
        opened(&mut events).await;
        let all = events.rest().await;
        let (bye, some) = all.split_last().expect("a last word");
        assert_eq!((bye.name.as_str(), bye.data.as_str()), ("sse-bye", r#"{"reason":"MaxAge"}"#));
        assert!(some.iter().zip(seen..).all(|(event, n)| event.data == n.to_string()));
        seen += some.len();
        if bye.id.is_some() {
            break bye.id.clone();
        }
        assert!(some.len() <= 31, "that was the connection");
        events = client.get(&path).last_event_id(events.last_event_id()).stream().await;
    };
    assert_eq!((end.as_deref(), (119..=121).contains(&seen)), (Some("sse-end"), true), "{seen}");
    for wait in [0, 1000] {
        sleep(wait * SECOND).await;
        let again = client.get(&path).last_event_id("sse-end").response().await;
        assert_eq!(again.status, StatusCode::NO_CONTENT, "also when it is gone");
    }
}
