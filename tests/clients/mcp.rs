//! The MCP TypeScript SDK on tools that stand beside our routes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sse_tests::{Example, Response, get, node};

/// The next event on `/work`, name and data.
async fn next(work: &mut Response) -> (String, Value) {
    let event = work.event().await.expect("an event");
    (event.name, serde_json::from_str(&event.data).expect("JSON"))
}

async fn listen(example: &Example) -> Response {
    let mut work = get(example.address(), "/work").await;
    assert_eq!(next(&mut work).await.0, "sse-open");
    work
}

#[tokio::test]
async fn a_tool_reports_progress_to_its_client_and_to_our_own_route() {
    let example = Example::start("mcp").await;
    let mut work = listen(&example).await;

    let said = node("mcp.mjs", &[&example.url(""), "count", "200000"]).await;
    let schema = json!({ "below": {
        "description": "Primes below this number are counted.", "format": "uint32", "minimum": 0, "type": "integer",
    } });
    assert_eq!(said[0], "session true");
    let tool = said[1].strip_prefix("tool count_primes ").expect("the tool");
    assert_eq!(serde_json::from_str::<Value>(tool).expect("JSON"), schema);
    let rest = [
        "progress 50000 200000",
        "progress 100000 200000",
        "progress 150000 200000",
        "progress 200000 200000",
        "result false 17984",
        "unknown tool -32602",
    ];
    assert_eq!(said[2..], rest);

    assert_eq!(next(&mut work).await, ("begun".to_owned(), json!({ "type": "begun", "below": 200_000 })));
    for (looked_at, found) in [(50_000, 5_133), (100_000, 9_592), (150_000, 13_848), (200_000, 17_984)] {
        let expected =
            json!({ "type": "progress", "below": 200_000, "looked_at": looked_at, "found": found });
        assert_eq!(next(&mut work).await, ("progress".to_owned(), expected));
    }
    let done = json!({ "type": "done", "below": 200_000, "found": 17_984 });
    assert_eq!(next(&mut work).await, ("done".to_owned(), done));
}

#[tokio::test]
async fn a_call_that_is_cancelled_stops_working() {
    let example = Example::start("mcp").await;
    let mut work = listen(&example).await;

    let said = node("mcp.mjs", &[&example.url(""), "cancel", "4000000000"]).await;
    assert!(said[2].starts_with("cancelled ") && said[2].contains("enough"), "{said:#?}");
    assert_eq!(said[3..], ["still here"]);
    loop {
        match next(&mut work).await.0.as_str() {
            "begun" | "progress" => {}
            "cancelled" => break,
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_shutdown_ends_open_streams_of_both_kinds_at_once() {
    let mut example = Example::start("mcp").await;
    let mut work = listen(&example).await;

    let url = example.url("");
    let arguments = [url.as_str(), "stay", "4000000000"];
    let client = node("mcp.mjs", &arguments);
    let server = async {
        assert_eq!(next(&mut work).await.0, "begun");
        assert_eq!(next(&mut work).await.0, "progress");
        let asked = Instant::now();
        assert!(example.terminate().await.success());
        asked.elapsed()
    };
    let (said, took) = tokio::join!(client, server);
    // After 5 s, what is left is cut.
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(said.last().map(String::as_str), Some("the server is gone"));

    let mut last = next(&mut work).await;
    while last.0 == "progress" || last.0 == "cancelled" {
        last = next(&mut work).await;
    }
    assert_eq!(last, ("sse-bye".to_owned(), json!({ "reason": "ServerShutdown" })));
    assert_eq!(work.event().await, None, "a clean end");
}
