//! The examples, used by the clients that they are for: the SDKs that people install, run as their users run them.

mod ai_resume;
mod ai_ui;
mod anthropic;
mod hey_api;
mod job_progress;
mod mcp;
mod openai;
mod prometheus;
#[path = "../sample.rs"]
mod sample;
mod sse_client;
mod vendored;

use serde_json::Value;
use sse_tests::Example;

/// The headers of a request.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// What a client has printed: a JSON value on each line.
fn values(lines: &[String]) -> Vec<Value> {
    let value = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    lines.iter().map(value).collect()
}

/// Waits until the log says that a model was stopped because its client had left, and returns after how many of the
/// 1000 tokens that it was to make.
async fn stopped_after(example: &Example) -> usize {
    let line = example.wait_for_line(|line| line.contains(" of 1000 tokens")).await;
    let (_, said) = line.split_once("ClientClosed after ").unwrap_or_else(|| panic!("{line}"));
    let said: usize = said.split(' ').next().and_then(|said| said.parse().ok()).expect("a number");
    assert!(line.ends_with(&format!("after {said} of 1000 tokens, {} spared", 1000 - said)), "{line}");
    said
}
