//! What else is documented of a run, and of a stream that takes replies.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sse_runtime::{Api, Replies, Result, Sse, SseEvent, api, sse_route};
use utoipa::ToSchema;

use crate::validator::valid;

#[derive(Deserialize, ToSchema)]
struct Answer {
    #[allow(dead_code)]
    choice: u8,
}

#[derive(Serialize, SseEvent, ToSchema)]
struct Token {
    text: String,
}

#[sse_route("/chats/{chat}", methods = ["POST"], run = "15m")]
async fn chat(sse: Sse<Token>, chat: u64, Json(answer): Json<Answer>) -> Result<()> {
    sse.send(Token { text: format!("{chat} {}", answer.choice) }).await?;
    Ok(())
}

#[sse_route("/quiz")]
async fn quiz(sse: Sse<Token>, mut replies: Replies<Answer>) -> Result<()> {
    sse.send(Token { text: "?".into() }).await?;
    drop(replies.next().await);
    Ok(())
}

#[derive(Deserialize, ToSchema)]
struct Topic {
    #[allow(dead_code)]
    name: String,
}

/// Talks.
#[sse_route("/talk", methods = ["POST"], run = "15m")]
async fn talk(sse: Sse, mut replies: Replies<Answer>, _: Json<Topic>) -> Result<()> {
    sse.send("?").await?;
    drop(replies.next().await);
    Ok(())
}

fn document() -> Value {
    let api: Api = api![chat, quiz, talk];
    valid(&serde_json::to_value(api.client_openapi()).expect("JSON"));
    let document = serde_json::to_value(api.openapi()).expect("JSON");
    valid(&document);
    document
}

fn parameters(operation: &Value) -> Vec<(&str, &str, bool)> {
    let parameters = operation["parameters"].as_array().expect("parameters").iter();
    parameters
        .map(|parameter| {
            let name = parameter["name"].as_str().expect("a name");
            (name, parameter["in"].as_str().expect("a place"), parameter["required"] == json!(true))
        })
        .collect()
}

fn statuses(operation: &Value) -> Vec<&str> {
    operation["responses"].as_object().expect("responses").keys().map(String::as_str).collect()
}

#[test]
fn a_run_can_be_come_back_to_and_ended() {
    let document = document();
    let path = &document["paths"]["/chats/{chat}"];
    let begin = parameters(&path["post"]);
    for expected in
        [("run", "query", false), ("Idempotency-Key", "header", false), ("Last-Event-ID", "header", false)]
    {
        assert!(begin.contains(&expected), "{begin:?}");
    }
    let resume = &path["get"];
    assert_eq!((&resume["operationId"], &resume["requestBody"]), (&json!("chat_resume"), &Value::Null));
    let named = parameters(resume);
    assert!(named.contains(&("chat", "path", true)) && named.contains(&("run", "query", false)), "{named:?}");
    assert!(named.contains(&("Last-Event-ID", "header", false)), "{named:?}");
    assert!(path["post"]["responses"]["200"]["headers"]["sse-run"].is_object());
    assert!(resume["responses"]["200"]["content"]["text/event-stream"].is_object());
    // What is said of a body is not said where there is none.
    assert_eq!(statuses(resume), ["200", "204", "400", "404", "405", "406"]);
    assert_eq!(resume["summary"], "Comes back to a run of chat");
    let cancel = &path["delete"];
    assert_eq!(cancel["operationId"], "chat_cancel");
    assert_eq!(parameters(cancel), [("chat", "path", true), ("run", "query", true)]);
    assert_eq!(statuses(cancel), ["204", "400", "404"]);
}

/// The names of the events that a stream may have.
fn events(operation: &Value) -> Vec<&str> {
    let item = &operation["responses"]["200"]["content"]["text/event-stream"]["itemSchema"];
    let any = item["oneOf"].as_array().expect("several").iter();
    any.filter_map(|event| event["properties"]["event"]["enum"][0].as_str()).collect()
}

#[test]
fn the_events_of_runs_and_replies_are_where_they_can_come() {
    let document = document();
    let [chat, quiz] = [&document["paths"]["/chats/{chat}"]["post"], &document["paths"]["/quiz"]["get"]];
    assert_eq!([events(chat), events(quiz)], [["Token", "end", "run-lost"], ["Token", "end", "sse-replies"]]);
    let said = document["components"]["schemas"]["SseRuntimeEvent"].to_string();
    for reason in ["Cancelled", "Abandoned", "RunFull"] {
        assert!(said.contains(reason), "{said}");
    }
    for (operation, header) in [(chat, "sse-run"), (quiz, "sse-reply-token")] {
        assert!(operation["responses"]["200"]["headers"][header]["description"].is_string(), "{header}");
    }
}

#[test]
fn a_reply_has_its_type_and_its_answers() {
    let document = document();
    let reply = &document["paths"]["/quiz"]["post"];
    assert_eq!(reply["operationId"], "quiz_reply");
    assert_eq!(parameters(reply), [("reply", "query", true), ("Idempotency-Key", "header", false)]);
    let schema = &reply["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["$ref"], "#/components/schemas/Answer");
    assert_eq!(statuses(reply), ["200", "202", "404", "413", "415", "422", "429", "4XX"]);
    assert!(document["components"]["schemas"]["Answer"]["properties"]["choice"].is_object());
    assert!(document["paths"]["/quiz"]["get"].is_object());
}

#[test]
fn a_post_may_begin_a_run_or_answer_into_it() {
    let document = document();
    let both = &document["paths"]["/talk"]["post"];
    assert_eq!(both["operationId"], "talk");
    assert!(parameters(both).contains(&("reply", "query", false)));
    assert!(both["description"].as_str().is_some_and(|text| text.starts_with("With `reply`")));
    let bodies = &both["requestBody"]["content"]["application/json"]["schema"]["anyOf"];
    assert_eq!(bodies[0]["$ref"], "#/components/schemas/Topic");
    assert_eq!(bodies[1]["$ref"], "#/components/schemas/Answer");
    let content = both["responses"]["200"]["content"].as_object().expect("two kinds");
    assert!(content.contains_key("text/event-stream") && content.contains_key("application/json"));
    assert!(statuses(both).contains(&"429"));
}
