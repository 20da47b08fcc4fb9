//! What the handlers of one module take and send: the same text in both crates, a copy in each module.

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub struct Filter {
    after: Option<u64>,
    #[serde(default)]
    tag: String,
}

#[derive(Deserialize)]
pub struct Order {
    name: String,
    amounts: Vec<u32>,
}

#[derive(Serialize)]
pub struct Update<'a> {
    id: usize,
    percent: u32,
    tag: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Step {
    Started { name: String },
    Running { done: usize, of: usize },
    Done { sum: u64 },
}
