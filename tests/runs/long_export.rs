//! The example `long_export` on the paused clock: all fifteen minutes of it.

#[path = "../../examples/long_export/export.rs"]
mod export;

use export::{ROWS, app};
use serde_json::{Value, json};
use sse_runtime::StatusCode;
use tokio::time::Instant;

use super::*;

const TIME: Duration = Duration::from_secs(15 * 60);

/// How many rows the next event says there are.
async fn rows(events: &mut TestStream) -> u64 {
    let progress: Value = events.next_as().await;
    assert_eq!(progress["of"], ROWS);
    progress["rows"].as_u64().expect("a number")
}

#[tokio::test(start_paused = true)]
async fn fifteen_minutes_without_anybody_and_then_the_link() {
    let (client, begun) = (TestClient::new(app(TIME)), Instant::now());
    let mut events = client.post("/exports").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    assert_eq!([rows(&mut events).await, rows(&mut events).await, rows(&mut events).await], [0, 500, 1_000]);
    let last = events.last_event_id().to_owned();
    let file = format!("/exports/{run}/orders.csv");
    assert_eq!(client.get(&file).response().await.status, StatusCode::NOT_FOUND, "not all of it");
    events.disconnect();

    sleep(TIME / 2).await;
    let mut back = client.get("/exports").last_event_id(&last).stream().await;
    opened(&mut back).await;
    let mut next = 1_500;
    while next <= u64::from(ROWS) {
        assert_eq!(rows(&mut back).await, next, "nothing is missing or there twice");
        next += 500;
    }
    assert!(begun.elapsed() >= TIME && begun.elapsed() < TIME + 2 * SECOND, "{:?}", begun.elapsed());
    let ready: Value = back.next_as().await;
    back.expect("end", "{}").await;
    back.expect_end().await;

    let csv = client.get(&file).response().await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(ready, json!({ "url": file, "bytes": csv.text.len() }));
    let mut lines = csv.text.lines();
    assert_eq!(lines.next(), Some("order,customer,cents"));
    for order in 1..=ROWS {
        let line = lines.next().expect("a line for each order");
        assert!(line.starts_with(&format!("{order},")), "{line}");
    }
    assert_eq!(lines.next(), None);

    // Who opens the page after lunch has all of it, and after two hours nothing.
    sleep(45 * 60 * SECOND).await;
    let mut late = client.get(&format!("/exports?run={run}")).stream().await;
    opened(&mut late).await;
    assert_eq!(late.rest().await.len(), 1 + 90_000 / 500 + 2);
    sleep(60 * 60 * SECOND).await;
    for gone in [file, format!("/exports?run={run}")] {
        assert_eq!(client.get(&gone).response().await.status, StatusCode::NOT_FOUND, "{gone}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_export_has_no_file_and_nobody_guesses_one() {
    let client = TestClient::new(app(TIME));
    let mut events = client.post("/exports").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    assert_eq!(rows(&mut events).await, 0);
    let path = format!("/exports?run={run}");
    let cancelled = client.request(axum::http::Method::DELETE, &path).response().await;
    assert_eq!(cancelled.status, StatusCode::NO_CONTENT);
    let bye: Value = events.next_as().await;
    assert_eq!(bye["reason"], "Cancelled");
    events.expect_end().await;
    sleep(2 * TIME).await;
    for path in
        [format!("/exports/{run}/orders.csv"), "/exports/aaaaaaaaaaaaaaaaaaaaaaaaaa/orders.csv".to_owned()]
    {
        assert_eq!(client.get(&path).response().await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
