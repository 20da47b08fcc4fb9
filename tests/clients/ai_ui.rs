//! The example `ai_ui`: on the wire, and by Vercel's AI SDK.

use serde_json::{Value, json};
use sse_tests::{Example, Response, get, node, post_json};

use crate::{stopped_after, values};

const OUT_OF_BREATH: &str = "The model is out of breath. Please try again later.";

async fn ask(example: &Example, request: &Value) -> Response {
    post_json(example.address(), "/api/chat", &[], &request.to_string()).await
}

fn question(text: &str) -> Value {
    let parts = [json!({ "type": "text", "text": text })];
    json!({ "messages": [{ "id": "user-1", "role": "user", "parts": parts }] })
}

/// What a component is told that an answer has come to its end.
fn finished(asked: u8, answered: u8) -> Value {
    let metadata = json!({ "asked": asked, "answered": answered });
    let outcome = json!({
        "isAbort": false, "isDisconnect": false, "isError": false, "finishReason": "stop", "metadata": metadata,
    });
    json!(["finish", outcome])
}

fn status(status: &str) -> Value {
    json!(["status", status])
}

#[tokio::test]
async fn the_stream_is_theirs_to_the_byte() {
    let example = Example::start("ai_ui").await;
    let response = ask(&example, &question("Who is there?")).await;
    let head = [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "cache-control: no-store, no-transform",
        "x-accel-buffering: no",
        "x-content-type-options: nosniff",
        "x-vercel-ai-ui-message-stream: v1",
        "transfer-encoding: chunked",
    ];
    assert_eq!(response.head(), head);
    let body = response.rest().await;
    let (start, rest) = body.split_once("\n\n").expect("an event");
    assert!(start.starts_with(r#"data: {"type":"start","messageId":"msg-"#), "{start}");
    let expected = r#"data: {"type":"start-step"}

data: {"type":"text-start","id":"text-1"}

data: {"type":"text-delta","id":"text-1","delta":"Who "}

data: {"type":"text-delta","id":"text-1","delta":"is "}

data: {"type":"text-delta","id":"text-1","delta":"there?"}

data: {"type":"text-end","id":"text-1"}

data: {"type":"finish-step"}

data: {"type":"finish","finishReason":"stop","messageMetadata":{"asked":3,"answered":3}}

data: [DONE]

"#;
    assert_eq!(rest, expected);
    example.wait_for_line(|line| line.contains("Completed after 3 of 3 tokens, 0 spared")).await;
}

#[tokio::test]
async fn an_answer_says_how_it_ended() {
    let example = Example::start("ai_ui").await;
    let mut request = question("one two three four five");
    request["maxTokens"] = json!(4);
    let cut_short = ask(&example, &request).await.rest().await;
    let end = r#"data: {"type":"finish","finishReason":"length","messageMetadata":{"asked":5,"answered":4}}

data: [DONE]

"#;
    assert!(cut_short.ends_with(end), "{cut_short}");

    request["model"] = json!("parrot-tired");
    let broken = ask(&example, &request).await.rest().await;
    let end = format!("data: {{\"type\":\"error\",\"errorText\":\"{OUT_OF_BREATH}\"}}\n\ndata: [DONE]\n\n");
    assert!(broken.ends_with(&end), "{broken}");
    example.wait_for_line(|line| line.contains("Completed after 3 of 4 tokens, 1 spared")).await;
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_in_words_for_the_user() {
    let example = Example::start("ai_ui").await;
    let mut unknown = question("hello");
    unknown["model"] = json!("other");
    let mut picture = question("");
    picture["messages"][0]["parts"][0] = json!({ "type": "file", "url": "data:," });
    let refusals = [
        (unknown, "There is no model other."),
        (json!({ "messages": [] }), "There is nothing to answer."),
        (picture, "There is nothing to answer."),
    ];
    for (request, why) in refusals {
        let refused = ask(&example, &request).await;
        assert_eq!((refused.status(), refused.rest().await.as_str()), (400, why));
    }
    assert_eq!(ask(&example, &json!({})).await.status(), 422);
}

#[tokio::test]
async fn their_transport_reads_each_chunk() {
    let example = Example::start("ai_ui").await;
    let mut seen = values(&node("ai_ui.mjs", &[&example.url(""), "chunks"]).await);
    let id = seen[0]["messageId"].take();
    assert!(id.as_str().is_some_and(|id| id.starts_with("msg-")), "{id}");
    let delta = |delta| json!({ "type": "text-delta", "id": "text-1", "delta": delta });
    let metadata = json!({ "asked": 3, "answered": 3 });
    let expected = [
        json!({ "type": "start", "messageId": null }),
        json!({ "type": "start-step" }),
        json!({ "type": "text-start", "id": "text-1" }),
        delta("Who "),
        delta("is "),
        delta("there?"),
        json!({ "type": "text-end", "id": "text-1" }),
        json!({ "type": "finish-step" }),
        json!({ "type": "finish", "finishReason": "stop", "messageMetadata": metadata }),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn their_reader_shows_the_message_as_it_grows() {
    let example = Example::start("ai_ui").await;
    let mut seen = values(&node("ai_ui.mjs", &[&example.url(""), "messages"]).await);
    // It repeats what it shows when a part begins or ends.
    seen.dedup();
    let expected = [
        json!(["assistant", "", null]),
        json!(["assistant", "Who ", null]),
        json!(["assistant", "Who is ", null]),
        json!(["assistant", "Who is there?", null]),
        json!(["assistant", "Who is there?", { "asked": 3, "answered": 3 }]),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn their_chat_asks_asks_again_and_has_an_answer_made_anew() {
    let example = Example::start("ai_ui").await;
    let seen = values(&node("ai_ui.mjs", &[&example.url(""), "chat"]).await);
    let mut expected = Vec::new();
    for words in [3, 1, 1] {
        expected.extend(["submitted", "streaming", "ready"].map(status));
        expected.push(finished(words, words));
    }
    expected.push(json!([
        ["user", "Who is there?"],
        ["assistant", "Who is there?"],
        ["user", "Nobody."],
        ["assistant", "Nobody."],
    ]));
    expected.push(
        json!([[{ "type": "step-start" }, { "type": "text", "text": "Nobody.", "state": "done" }], null]),
    );
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_stop_in_their_chat_stops_the_model() {
    let example = Example::start("ai_ui").await;
    let seen = values(&node("ai_ui.mjs", &[&example.url(""), "abort"]).await);
    let outcome = json!({ "isAbort": true, "isDisconnect": false, "isError": false });
    let expected =
        [status("submitted"), status("streaming"), status("ready"), json!(["finish", outcome]), json!(true)];
    assert_eq!(seen, expected);
    let said = stopped_after(&example).await;
    assert!((3..1000).contains(&said), "{said}");
}

#[tokio::test]
async fn errors_reach_their_chat_before_the_stream_and_in_the_middle() {
    let example = Example::start("ai_ui").await;
    let seen = values(&node("ai_ui.mjs", &[&example.url(""), "errors"]).await);
    let outcome = json!({ "isAbort": false, "isDisconnect": false, "isError": true });
    let expected = [
        status("submitted"),
        status("streaming"),
        status("error"),
        json!(["finish", outcome]),
        json!([OUT_OF_BREATH, "one two three "]),
        status("submitted"),
        status("error"),
        json!(["finish", outcome]),
        json!(["APICallError", 400, "There is no model other."]),
    ];
    assert_eq!(seen, expected);
    let told = format!("in the middle of an answer: {OUT_OF_BREATH}");
    example.wait_for_line(|line| line.ends_with(&told)).await;
}

#[tokio::test]
async fn there_is_no_answer_under_way_to_go_on_with() {
    let example = Example::start("ai_ui").await;
    assert_eq!(node("ai_ui.mjs", &[&example.url(""), "resume"]).await, ["null"]);
    assert_eq!(get(example.address(), "/api/chat/chat-1/stream").await.status(), 204);
}
