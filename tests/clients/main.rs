//! The examples, used by the clients that they are for: the SDKs that people install, run as their users run them.

mod openai;

use serde_json::Value;

/// What a client has printed: a JSON value on each line.
fn values(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}
