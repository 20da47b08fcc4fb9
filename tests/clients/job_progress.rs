//! The example `job_progress`, over the wire and by a generated client in TypeScript that starts a job and follows it.

use serde_json::{Value, json};
use sse_tests::{Example, get, get_with, node, post_json};

#[tokio::test]
async fn a_job_tells_its_state_to_who_comes_late_and_is_over_for_who_has_seen_the_end() {
    let example = Example::start("job_progress").await;
    let accepted = post_json(example.address(), "/jobs", &[], &json!({ "pages": 2 }).to_string()).await;
    assert_eq!((accepted.status(), accepted.rest().await.as_str()), (202, r#"{"id":1}"#));

    let whole = get(example.address(), "/jobs/1/events").await.rest().await;
    let begun = "event: queued\nretry: 1000\ndata: {\"type\":\"queued\"}\n\n\
                 event: progress\ndata: {\"type\":\"progress\",\"pages\":1,\"of\":2}\n\n\
                 event: progress\ndata: {\"type\":\"progress\",\"pages\":2,\"of\":2}\n\n";
    let done = "event: done\nid: sse-end\ndata: {\"type\":\"done\",\"url\":\"/jobs/1/report\"}\n\n";
    assert_eq!(whole, [begun, done].concat());

    let late = get(example.address(), "/jobs/1/events").await.rest().await;
    assert_eq!(late, done.replace("id: sse-end", "retry: 1000\nid: sse-end"));
    let again = get_with(example.address(), "/jobs/1/events", &[("last-event-id", "sse-end")]).await;
    assert_eq!(again.status(), 204);
    for (path, status) in [("/jobs/2/events", 404), ("/jobs/one/events", 400), ("/jobs/2/report", 404)] {
        assert_eq!(get(example.address(), path).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn its_document_has_its_streams_and_its_other_routes() {
    let example = Example::start("job_progress").await;
    let document = get(example.address(), "/openapi.json").await.rest().await;
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let operations: Vec<_> = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|item| item.as_object().expect("an item").values())
        .map(|operation| operation["operationId"].as_str().expect("an id"))
        .collect();
    assert_eq!(operations.len(), 3, "{operations:?}");
    for id in ["job_events", "start_job", "report"] {
        assert!(operations.contains(&id), "{operations:?}");
    }
    assert_eq!(get(example.address(), "/docs").await.status(), 200);
}

#[tokio::test]
async fn a_generated_client_starts_a_job_and_follows_it() {
    let example = Example::start("job_progress").await;
    let address = example.url("/openapi.client.json");
    let printed = node("hey_api/main.mjs", &[&address, "job_progress.ts"]).await;
    assert_eq!(printed.first().map(String::as_str), Some("job 1"));
    assert_eq!(printed.last().map(String::as_str), Some("done: The report of job 1."));
    assert!(printed.contains(&"3 of 3".to_owned()), "{printed:?}");
}
