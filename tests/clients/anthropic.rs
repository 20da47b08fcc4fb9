//! The example `anthropic_compat`: on the wire, and by Anthropic's clients for JavaScript and Python.

use serde_json::{Value, json};
use sse_tests::{Example, Response, get, node, post_json, python};

use crate::{Headers, stopped_after, values};

const PATH: &str = "/v1/messages";
const KEY: (&str, &str) = ("x-api-key", "sk-parrot");
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
const OUT_OF_BREATH: &str = "The model is out of breath. Please try again later.";

/// Asks the way the clients do: they accept JSON, and nothing else, also for streams.
async fn ask(example: &Example, request: &Value) -> Response {
    let headers = [KEY, VERSION, ("accept", "application/json")];
    post_json(example.address(), PATH, &headers, &request.to_string()).await
}

fn question(model: &str, content: &str, stream: bool) -> Value {
    let messages = [json!({ "role": "user", "content": content })];
    json!({ "model": model, "max_tokens": 100, "messages": messages, "stream": stream })
}

/// The events of the answer to "Who is there?" but for the id of the message and the pings, which no client shows.
fn who_is_there() -> [Value; 8] {
    let text = |text| {
        let delta = json!({ "type": "text_delta", "text": text });
        json!({ "type": "content_block_delta", "index": 0, "delta": delta })
    };
    let message = json!({
        "id": null, "type": "message", "role": "assistant", "model": "parrot", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 3, "output_tokens": 0 },
    });
    let stop = json!({ "stop_reason": "end_turn", "stop_sequence": null });
    [
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        text("Who "),
        text("is "),
        text("there?"),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": stop, "usage": { "output_tokens": 3 } }),
        json!({ "type": "message_stop" }),
    ]
}

/// The answer to "Who is there?" in one piece, but for the ids.
fn whole() -> Value {
    json!({
        "id": null, "type": "message", "role": "assistant", "model": "parrot",
        "content": [{ "type": "text", "text": "Who is there?" }], "stop_reason": "end_turn",
        "stop_sequence": null, "usage": { "input_tokens": 3, "output_tokens": 3 }, "request_id": null,
    })
}

/// Takes an id out of what was received; it begins with `prefix`, and is another one each time.
fn take_id(value: &mut Value, prefix: &str) -> String {
    let id = value.take().as_str().expect("an id").to_owned();
    assert!(id.starts_with(prefix) && id.len() == prefix.len() + 16, "{id}");
    id
}

/// The id under which the client knows its request is the one in the log.
async fn is_logged(example: &Example, request_id: &str) {
    let line = format!("{request_id}: Completed after 3 of 3 tokens, 0 spared");
    example.wait_for_line(|logged| logged.ends_with(&line)).await;
}

#[tokio::test]
async fn the_stream_is_theirs_to_the_byte() {
    let example = Example::start("anthropic_compat").await;
    let response = ask(&example, &question("parrot", "Who is there?", true)).await;
    let request_id = response.header("request-id").expect("an id").to_owned();
    let numbered = format!("request-id: {request_id}");
    let head = [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "cache-control: no-store, no-transform",
        "x-accel-buffering: no",
        "x-content-type-options: nosniff",
        &numbered,
        "transfer-encoding: chunked",
    ];
    assert_eq!(response.head(), head);
    let body = response.rest().await;
    let (before, rest) = body.split_once("\"msg_").expect("an id");
    let (_, after) = rest.split_once('"').expect("its end");
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"","type":"message","role":"assistant","model":"parrot","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Who "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"is "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"there?"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}

event: message_stop
data: {"type":"message_stop"}

"#;
    assert_eq!(format!("{before}\"\"{after}"), expected);
    is_logged(&example, &request_id).await;
}

#[tokio::test]
async fn what_goes_wrong_in_the_middle_is_an_event() {
    let example = Example::start("anthropic_compat").await;
    let mut response = ask(&example, &question("parrot-tired", "one two three four", true)).await;
    let request_id = response.header("request-id").expect("an id").to_owned();
    let mut last = None;
    while let Some(block) = response.block().await {
        last = Some(block);
    }
    let error = format!(r#"{{"type":"overloaded_error","message":"{OUT_OF_BREATH}"}}"#);
    let data = format!(r#"{{"type":"error","error":{error},"request_id":"{request_id}"}}"#);
    assert_eq!(last.expect("events"), format!("event: error\ndata: {data}\n\n"));
    let told = format!("{request_id}: in the middle of an answer: {OUT_OF_BREATH}");
    example.wait_for_line(|line| line.ends_with(&told)).await;
}

#[tokio::test]
async fn a_whole_answer_is_json_and_no_stream() {
    let example = Example::start("anthropic_compat").await;
    // It takes longer than the second after which a stream that is still silent is opened.
    let text = "word ".repeat(50);
    let response = ask(&example, &question("parrot", &text, false)).await;
    let request_id = response.header("request-id").expect("an id").to_owned();
    assert_eq!((response.status(), response.header("content-type")), (200, Some("application/json")));
    assert_eq!(response.header("x-accel-buffering"), None);
    let mut answer: Value = serde_json::from_str(&response.rest().await).expect("JSON");
    take_id(&mut answer["id"], "msg_");
    let mut expected = json!({ "content": [{ "type": "text", "text": text }] });
    for field in ["id", "type", "role", "model", "stop_reason", "stop_sequence"] {
        expected[field] = whole()[field].take();
    }
    expected["usage"] = json!({ "input_tokens": 50, "output_tokens": 50 });
    assert_eq!(answer, expected);
    let told = format!("{request_id}: Completed after 50 of 50 tokens, 0 spared");
    example.wait_for_line(|line| line.ends_with(&told)).await;
}

#[tokio::test]
async fn every_refusal_has_their_shape_and_their_status() {
    let example = Example::start("anthropic_compat").await;
    let stream = question("parrot", "hello", true).to_string();
    let other = stream.replace("parrot", "other");
    let image = stream.replace("\"hello\"", r#"[{"type":"image"}]"#);
    let nobody = stream.replace("\"user\"", "\"assistant\"");
    let endless = stream.replace("max_tokens", "least_tokens");
    // One byte more than axum reads.
    let huge = " ".repeat(2 * 1024 * 1024 + 1);
    let wrong = ("x-api-key", "sk-other");
    let bearer = ("authorization", "Bearer sk-parrot");
    let all: &[_] = &[KEY, VERSION];
    // Who has no key, is told of nothing else.
    let refusals: [(Headers<'_>, &str, u16, &str, &str); 11] = [
        (&[VERSION], "{", 401, "authentication_error", "invalid x-api-key"),
        (&[VERSION, wrong], &stream, 401, "authentication_error", "invalid x-api-key"),
        (&[VERSION, wrong, bearer], &stream, 401, "authentication_error", "invalid x-api-key"),
        (&[KEY], &stream, 400, "invalid_request_error", "anthropic-version: header is required"),
        (&[VERSION, bearer], &other, 404, "not_found_error", "model: other"),
        (all, "{", 400, "invalid_request_error", "Failed to parse the request body as JSON"),
        (all, &endless, 400, "invalid_request_error", "missing field `max_tokens`"),
        (all, &image, 400, "invalid_request_error", "Failed to deserialize the JSON body"),
        (all, &nobody, 400, "invalid_request_error", "messages: there is none with the role `user`"),
        (all, &huge, 413, "request_too_large", "length limit exceeded"),
        (
            &[("content-type", "text/plain"), KEY, VERSION],
            &stream,
            415,
            "invalid_request_error",
            "application/json",
        ),
    ];
    for (headers, body, status, kind, message) in refusals {
        let refused = post_json(example.address(), PATH, headers, body).await;
        assert_eq!((refused.status(), refused.header("content-type")), (status, Some("application/json")));
        let request_id = refused.header("request-id").expect("an id").to_owned();
        let mut said: Value = serde_json::from_str(&refused.rest().await).expect("JSON");
        let text = said["error"]["message"].take();
        assert!(text.as_str().is_some_and(|text| text.contains(message)), "{text}");
        let error = json!({ "type": kind, "message": null });
        assert_eq!(said, json!({ "type": "error", "error": error, "request_id": request_id }));
    }
    assert_eq!(get(example.address(), PATH).await.status(), 405);
}

#[tokio::test]
async fn their_javascript_client_reads_the_stream_and_the_whole() {
    let example = Example::start("anthropic_compat").await;
    let mut events = values(&node("anthropic.mjs", &[&example.url(""), "streaming"]).await);
    take_id(&mut events[0]["message"]["id"], "msg_");
    assert_eq!(events, who_is_there());

    let mut answers = values(&node("anthropic.mjs", &[&example.url(""), "whole"]).await);
    take_id(&mut answers[0]["id"], "msg_");
    let request_id = take_id(&mut answers[0]["request_id"], "req_");
    assert_eq!(answers[0], whole());
    assert_eq!(answers[1]["content"], json!([{ "type": "text", "text": "one two three " }]));
    assert_eq!(answers[1]["stop_reason"], "max_tokens");
    is_logged(&example, &request_id).await;
}

#[tokio::test]
async fn their_javascript_helper_puts_the_stream_together() {
    let example = Example::start("anthropic_compat").await;
    let mut seen = values(&node("anthropic.mjs", &[&example.url(""), "helper"]).await);
    let request_id = take_id(&mut seen.last_mut().expect("an id")["request_id"], "req_");
    let expected = [
        json!(["connect"]),
        json!(["text", "Who ", "Who "]),
        json!(["text", "is ", "Who is "]),
        json!(["text", "there?", "Who is there?"]),
        json!(["contentBlock", "text", "Who is there?"]),
        json!(["message", "assistant"]),
        json!(["end"]),
        json!(["end_turn", "Who is there?", { "input_tokens": 3, "output_tokens": 3 }]),
        json!({ "request_id": null }),
    ];
    assert_eq!(seen, expected);
    is_logged(&example, &request_id).await;
}

#[tokio::test]
async fn an_abort_in_javascript_stops_the_model() {
    let example = Example::start("anthropic_compat").await;
    let seen = values(&node("anthropic.mjs", &[&example.url(""), "abort"]).await);
    assert_eq!((&seen[0]["class"], &seen[1]), (&json!("APIUserAbortError"), &json!(3)));
    let said = stopped_after(&example).await;
    assert!((3..1000).contains(&said), "{said}");
}

/// Nothing was sent to this client, and nothing was to be sent before the end.
#[tokio::test]
async fn a_client_that_does_not_wait_for_the_whole_stops_the_model_too() {
    let example = Example::start("anthropic_compat").await;
    let seen = values(&node("anthropic.mjs", &[&example.url(""), "timeout"]).await);
    assert_eq!(seen[0]["class"], "APIConnectionTimeoutError");
    assert!(stopped_after(&example).await < 1000);
}

#[tokio::test]
async fn errors_become_the_exceptions_of_their_javascript_client() {
    let example = Example::start("anthropic_compat").await;
    let mut seen = values(&node("anthropic.mjs", &[&example.url(""), "errors"]).await);
    for error in seen.iter_mut().filter(|error| error.is_object()) {
        take_id(&mut error["requestID"], "req_");
    }
    let refusal = |class, status, kind, message| {
        let mut error = json!({ "class": class, "status": status, "type": kind });
        error["message"] = json!(message);
        error["requestID"] = Value::Null;
        error
    };
    let bad = "invalid_request_error";
    let missing = seen[3]["message"].clone();
    assert!(missing.as_str().is_some_and(|text| text.contains("missing field `max_tokens`")), "{missing}");
    // In the middle of a stream there is no status any more.
    let mut in_the_stream = refusal("APIError", 0, "overloaded_error", OUT_OF_BREATH);
    in_the_stream.as_object_mut().expect("an object").remove("status");
    let expected = [
        refusal("AuthenticationError", 401, "authentication_error", "invalid x-api-key"),
        refusal("NotFoundError", 404, "not_found_error", "model: other"),
        refusal("BadRequestError", 400, bad, "messages: there is none with the role `user`"),
        refusal("BadRequestError", 400, bad, missing.as_str().expect("text")),
        refusal("OverloadedError", 529, "overloaded_error", OUT_OF_BREATH),
        json!("one "),
        json!("two "),
        json!("three "),
        in_the_stream,
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn their_python_client_reads_the_stream_and_the_whole_and_its_helper_puts_it_together() {
    let example = Example::start("anthropic_compat").await;
    let arguments = [&example.url(""), "streaming", "whole", "helper"];
    let mut seen = values(&python("anthropic_client.py", &arguments).await);
    let mut helped = seen.split_off(9);

    let mut answer = seen.pop().expect("an answer");
    take_id(&mut answer["id"], "msg_");
    take_id(&mut answer["request_id"], "req_");
    assert_eq!(answer, whole());
    take_id(&mut seen[0]["message"]["id"], "msg_");
    assert_eq!(seen, who_is_there());

    let request_id = take_id(&mut helped[5]["request_id"], "req_");
    let expected = [
        json!(["text", "Who ", "Who "]),
        json!(["text", "is ", "Who is "]),
        json!(["text", "there?", "Who is there?"]),
        json!(["content_block_stop", "Who is there?"]),
        json!(["end_turn", "Who is there?", 3]),
        json!({ "request_id": null }),
    ];
    assert_eq!(helped, expected);
    is_logged(&example, &request_id).await;
}

#[tokio::test]
async fn in_python_leaving_the_stream_stops_the_model_and_errors_become_exceptions() {
    let example = Example::start("anthropic_compat").await;
    let seen = values(&python("anthropic_client.py", &[&example.url(""), "leave", "errors"]).await);
    assert_eq!(seen[0], 3);
    let said = stopped_after(&example).await;
    assert!((3..1000).contains(&said), "{said}");

    let told: Vec<_> =
        seen[1..].iter().map(|error| json!([error[0], error[1], error[2]["error"]["type"]])).collect();
    let expected = [
        json!(["AuthenticationError", 401, "authentication_error"]),
        json!(["NotFoundError", 404, "not_found_error"]),
        json!(["BadRequestError", 400, "invalid_request_error"]),
        json!(["OverloadedError", 529, "overloaded_error"]),
        json!(["APIStatusError", 200, "overloaded_error"]),
    ];
    assert_eq!(told, expected);
    assert!(seen[1..].iter().all(|error| error[2]["request_id"] == error[3]), "{seen:#?}");
}
