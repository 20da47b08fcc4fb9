//! The example `ai_resume`, by Vercel's AI SDK: an answer whose page is left in its middle, and opened again.

use serde_json::json;
use sse_tests::{Example, get, node};

use crate::values;

#[tokio::test]
async fn a_page_that_is_loaded_again_gets_the_whole_answer_and_then_nothing() {
    let example = Example::start("ai_resume").await;
    let seen = values(&node("ai_resume.mjs", &[&example.url(""), "reload"]).await);
    let expected = [
        json!([true, true, true]),
        json!([["user", true, null], ["assistant", true, { "asked": 60, "answered": 60 }]]),
        json!(["ready", null]),
        json!(204),
        json!(["ready", 2]),
    ];
    assert_eq!(seen, expected);
    let end = example.wait_for_line(|line| line.contains(" of 60 tokens")).await;
    assert!(end.ends_with("Completed after 60 of 60 tokens, 0 spared"), "there was one model: {end}");
    assert_eq!(example.printed().iter().filter(|line| line.contains(" tokens, ")).count(), 1);
}

#[tokio::test]
async fn a_page_that_was_cut_off_shows_the_answer_in_place_of_what_it_had() {
    let example = Example::start("ai_resume").await;
    let seen = values(&node("ai_resume.mjs", &[&example.url(""), "network"]).await);
    assert_eq!(seen, [json!([true, 2, true])]);
}

#[tokio::test]
async fn two_tabs_come_back_to_one_answer() {
    let example = Example::start("ai_resume").await;
    let seen = values(&node("ai_resume.mjs", &[&example.url(""), "two"]).await);
    assert_eq!(seen, [json!([true, true])]);
    assert_eq!(example.printed().iter().filter(|line| line.contains(" tokens, ")).count(), 1);
}

#[tokio::test]
async fn a_stop_that_is_said_stops_the_model() {
    let example = Example::start("ai_resume").await;
    assert_eq!(values(&node("ai_resume.mjs", &[&example.url(""), "stop"]).await), [json!(204)]);
    let end = example.wait_for_line(|line| line.contains(" of 1000 tokens")).await;
    assert!(end.contains("Cancelled after ") && !end.ends_with(" 0 spared"), "{end}");
    assert_eq!(get(example.address(), "/api/chat/chat-4/stream").await.status(), 204);
}

#[tokio::test]
async fn a_conversation_without_an_answer_has_none_to_come_back_to() {
    let example = Example::start("ai_resume").await;
    let seen = values(&node("ai_resume.mjs", &[&example.url(""), "nothing"]).await);
    assert_eq!(seen, [json!(["ready", [], null, 204])]);
}
