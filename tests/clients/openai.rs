//! The example `openai_compat`: on the wire, and by OpenAI's clients for JavaScript and Python.

use serde_json::{Value, json};
use sse_tests::{Example, Response, get, node, post_json, python};

use crate::{Headers, stopped_after, values};

const PATH: &str = "/v1/chat/completions";
const KEY: (&str, &str) = ("authorization", "Bearer sk-parrot");

/// Asks the way the clients do: they accept JSON, and nothing else, also for streams.
async fn ask(example: &Example, request: &Value) -> Response {
    let headers = [KEY, ("accept", "application/json")];
    post_json(example.address(), PATH, &headers, &request.to_string()).await
}

fn question(model: &str, content: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": content }] })
}

/// Takes out of each piece what differs from run to run, and must be the same in all pieces of one reply.
fn identities(pieces: &mut [Value]) -> Vec<(String, u64)> {
    let mut identities: Vec<_> = pieces
        .iter_mut()
        .map(|piece| {
            let id = piece["id"].take().as_str().expect("an id").to_owned();
            (id, piece["created"].take().as_u64().expect("a time"))
        })
        .collect();
    identities.dedup();
    identities
}

/// A chunk without its identity.
fn chunk(delta: &Value, finish_reason: Option<&str>) -> Value {
    let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason });
    let object = "chat.completion.chunk";
    json!({ "id": null, "created": null, "object": object, "model": "parrot", "choices": [choice], "usage": null })
}

/// The chunks of the answer to "Who is there?", with the usage.
fn who_is_there() -> [Value; 6] {
    let mut usage = chunk(&json!({}), None);
    usage["choices"] = json!([]);
    usage["usage"] = json!({ "prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6 });
    [
        chunk(&json!({ "role": "assistant", "content": "" }), None),
        chunk(&json!({ "content": "Who " }), None),
        chunk(&json!({ "content": "is " }), None),
        chunk(&json!({ "content": "there?" }), None),
        chunk(&json!({}), Some("stop")),
        usage,
    ]
}

#[tokio::test]
async fn the_stream_is_theirs_to_the_byte() {
    let example = Example::start("openai_compat").await;
    let mut request = question("parrot", "Who is there?");
    request["stream"] = json!(true);
    let response = ask(&example, &request).await;
    let head = [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "cache-control: no-store, no-transform",
        "x-accel-buffering: no",
        "x-content-type-options: nosniff",
        "transfer-encoding: chunked",
    ];
    assert_eq!(response.head(), head);
    let body = response.rest().await;
    let (id, created) = {
        let first: Value =
            serde_json::from_str(body.lines().next().expect("a line").trim_start_matches("data: "))
                .expect("JSON");
        (first["id"].as_str().expect("an id").to_owned(), first["created"].clone())
    };
    let choices = [
        r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{"content":"Who "},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{"content":"is "},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{"content":"there?"},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#,
    ];
    let chunks = choices.map(|choice| {
        format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":{created},\
             \"model\":\"parrot\",\"choices\":[{choice}],\"usage\":null}}\n\n"
        )
    });
    assert_eq!(body, chunks.concat() + "data: [DONE]\n\n");
    assert!(id.starts_with("chatcmpl-"), "{id}");
}

#[tokio::test]
async fn a_whole_answer_is_json_and_no_stream() {
    let example = Example::start("openai_compat").await;
    // It takes longer than the second after which a stream that is still silent is opened.
    let text = "word ".repeat(50);
    let response = ask(&example, &question("parrot", &text)).await;
    let length = response.header("content-length").expect("a length").to_owned();
    let length = format!("content-length: {length}");
    assert_eq!(response.head(), ["HTTP/1.1 200 OK", "content-type: application/json", length.as_str()]);
    let answer: Value = serde_json::from_str(&response.rest().await).expect("JSON");
    assert_eq!(answer["choices"][0]["message"]["content"], text);
    example.wait_for_line(|line| line.contains("Completed after 50 of 50 tokens, 0 spared")).await;
}

#[tokio::test]
async fn every_refusal_has_their_shape_and_their_status() {
    let example = Example::start("openai_compat").await;
    let stream = r#"{"model":"parrot","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
    let other = stream.replace("parrot", "gpt-9");
    let image = stream.replace("\"hello\"", r#"[{"type":"image_url"}]"#);
    let wrong = ("authorization", "Bearer sk-other");
    let basic = ("authorization", "Basic sk-parrot");
    // Who has no key, is told of nothing else.
    let refusals: [(Headers<'_>, &str, u16, &str, Value); 9] = [
        (&[], "{", 401, "You didn't provide an API key.", Value::Null),
        (&[basic], stream, 401, "You didn't provide an API key.", Value::Null),
        (&[wrong], stream, 401, "Incorrect API key provided.", json!("invalid_api_key")),
        (&[KEY], &other, 404, "The model `gpt-9` does not exist.", json!("model_not_found")),
        (&[KEY], "{", 400, "Failed to parse the request body as JSON", Value::Null),
        (&[KEY], "{}", 400, "missing field `model`", Value::Null),
        (&[KEY], &image, 400, "Failed to deserialize the JSON body", Value::Null),
        (
            &[KEY],
            r#"{"model":"parrot","messages":[]}"#,
            400,
            "There is no message with the role",
            Value::Null,
        ),
        (&[KEY, ("content-type", "text/plain")], stream, 415, "application/json", Value::Null),
    ];
    for (headers, body, status, message, code) in refusals {
        let refused = post_json(example.address(), PATH, headers, body).await;
        assert_eq!(
            (refused.status(), refused.header("content-type")),
            (status, Some("application/json")),
            "{body}"
        );
        let mut said: Value = serde_json::from_str(&refused.rest().await).expect("JSON");
        let text = said["error"]["message"].take();
        assert!(text.as_str().is_some_and(|text| text.contains(message)), "{text}");
        let param = said["error"]["param"].take();
        assert_eq!(param == "messages", message.starts_with("There is no message"), "{text}");
        let kind = "invalid_request_error";
        assert_eq!(said, json!({ "error": { "message": null, "type": kind, "param": null, "code": code } }));
    }
    assert_eq!(get(example.address(), PATH).await.status(), 405);
}

#[tokio::test]
async fn their_javascript_client_reads_the_stream_and_the_whole() {
    let example = Example::start("openai_compat").await;
    let url = example.url("/v1");

    let mut chunks = values(&node("openai.mjs", &[&url, "streaming"]).await);
    assert_eq!(identities(&mut chunks).len(), 1);
    assert_eq!(chunks, who_is_there());

    let whole = values(&node("openai.mjs", &[&url, "whole"]).await);
    assert_eq!(whole[0]["choices"][0]["message"]["content"], "Who is there?");
    assert_eq!(whole[0]["choices"][0]["finish_reason"], "stop");
    assert_eq!(whole[0]["usage"], json!({ "prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6 }));
    assert_eq!(whole[1]["choices"][0]["message"]["content"], "one two three ");
    assert_eq!(whole[1]["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn their_javascript_helper_puts_the_stream_together() {
    let example = Example::start("openai_compat").await;
    let seen = values(&node("openai.mjs", &[&example.url("/v1"), "helper"]).await);
    let expected = [
        json!(["connect"]),
        json!(["content", "Who ", "Who "]),
        json!(["content", "is ", "Who is "]),
        json!(["content", "there?", "Who is there?"]),
        json!(["content.done", "Who is there?"]),
        json!(["finalMessage", "assistant", "Who is there?"]),
        json!(["end"]),
        json!(["chat.completion", "stop", "Who is there?"]),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_abort_in_javascript_stops_the_model() {
    let example = Example::start("openai_compat").await;
    assert_eq!(node("openai.mjs", &[&example.url("/v1"), "abort"]).await, ["3"]);
    let said = stopped_after(&example).await;
    assert!((3..1000).contains(&said), "{said}");
}

/// Nothing was sent to this client, and nothing was to be sent before the end.
#[tokio::test]
async fn a_client_that_does_not_wait_for_the_whole_stops_the_model_too() {
    let example = Example::start("openai_compat").await;
    let seen = values(&node("openai.mjs", &[&example.url("/v1"), "timeout"]).await);
    assert_eq!(seen[0]["class"], "APIConnectionTimeoutError");
    assert!(stopped_after(&example).await < 1000);
}

#[tokio::test]
async fn errors_become_the_exceptions_of_their_javascript_client() {
    let example = Example::start("openai_compat").await;
    let seen = values(&node("openai.mjs", &[&example.url("/v1"), "errors"]).await);
    let out_of_breath = "The model is out of breath. Please try again later.";
    let refusal = |class, status, code, message| {
        let kind = "invalid_request_error";
        json!({ "class": class, "status": status, "type": kind, "code": code, "param": null, "message": message })
    };
    let mut expected = vec![
        refusal("AuthenticationError", 401, json!("invalid_api_key"), "401 Incorrect API key provided."),
        refusal("NotFoundError", 404, json!("model_not_found"), "404 The model `gpt-9` does not exist."),
        refusal("BadRequestError", 400, Value::Null, "400 There is no message with the role `user`."),
    ];
    expected[2]["param"] = json!("messages");
    assert_eq!(seen[..3], expected);
    assert_eq!((&seen[3]["class"], &seen[3]["status"]), (&json!("BadRequestError"), &json!(400)));
    let broken = json!({
        "class": "InternalServerError", "status": 503, "type": "server_error", "code": null, "param": null,
        "message": format!("503 {out_of_breath}"),
    });
    assert_eq!(seen[4], broken);
    assert_eq!(seen[5..9], ["", "one ", "two ", "three "]);
    // In the middle of a stream there is no status any more.
    let broken = json!({
        "class": "APIError", "type": "server_error", "code": null, "param": null, "message": out_of_breath,
    });
    assert_eq!(seen[9..], [broken]);
    example.wait_for_line(|line| line.contains("handler failed") && line.contains(out_of_breath)).await;
    example
        .wait_for_line(|line| line.contains("in the middle of an answer") && line.contains(out_of_breath))
        .await;
}

#[tokio::test]
async fn their_python_client_reads_the_stream_and_the_whole_and_its_helper_puts_it_together() {
    let example = Example::start("openai_compat").await;
    let arguments = [&example.url("/v1"), "streaming", "whole", "helper"];
    let mut seen = values(&python("openai_client.py", &arguments).await);
    let helped = seen.split_off(7);

    let whole = seen.pop().expect("an answer");
    let message = json!({ "role": "assistant", "content": "Who is there?", "refusal": null });
    assert_eq!(whole["choices"][0]["message"], message);
    assert_eq!(whole["usage"]["total_tokens"], 6);
    assert_eq!(identities(&mut seen).len(), 1);
    assert_eq!(seen, who_is_there());

    let expected = [
        json!(["content.delta", "", ""]),
        json!(["content.delta", "Who ", "Who "]),
        json!(["content.delta", "is ", "Who is "]),
        json!(["content.delta", "there?", "Who is there?"]),
        json!(["content.done", "Who is there?"]),
        json!(["stop", "assistant", "Who is there?"]),
    ];
    assert_eq!(helped, expected);
}

#[tokio::test]
async fn in_python_leaving_the_stream_stops_the_model_and_errors_become_exceptions() {
    let example = Example::start("openai_compat").await;
    let seen = values(&python("openai_client.py", &[&example.url("/v1"), "leave", "errors"]).await);
    assert_eq!(seen[0], 3);
    let said = stopped_after(&example).await;
    assert!((3..1000).contains(&said), "{said}");

    let told: Vec<_> =
        seen[1..].iter().map(|error| error.as_array().expect("an array")[..5].to_vec()).collect();
    let kind = "invalid_request_error";
    let expected = [
        json!(["AuthenticationError", 401, kind, "invalid_api_key", null]),
        json!(["NotFoundError", 404, kind, "model_not_found", null]),
        json!(["BadRequestError", 400, kind, null, "messages"]),
        json!(["InternalServerError", 503, "server_error", null, null]),
        json!(["APIError", null, "server_error", null, null]),
    ];
    assert_eq!(json!(told), json!(expected));
}
