//! Clause 8: names, keys and blocks are any text, and come back with their trace.

use std::fmt::Write as _;

use super::ledger::Entry;
use super::node::Node;
use super::reading::{expect_all, read_all};
use super::{Clause, Subject, broken};

/// Names that servers take for something else: wildcards, separators, patterns, the end of a string.
const NAMES: [&str; 34] = [
    "",
    "a",
    "A",
    "b",
    "a.b",
    "a.c",
    "a.*",
    "a.>",
    "*",
    ">",
    "a*",
    "?",
    ".",
    "..",
    "a.",
    ".a",
    "a..b",
    "a b",
    " a",
    "a ",
    "a/b",
    "/a",
    "a\\b",
    "a:b",
    "{a}",
    "[ab]",
    "a%",
    "a_b",
    "$a",
    "'a\"",
    "a\tb\r\nc",
    "a\0b",
    "ä",
    "a\u{308}",
];

/// Clause 8: any text is a topic's name, and no two are the same topic.
///
/// # Panics
/// If it does not hold.
pub async fn names_are_any_text(subject: &impl Subject) {
    let mut names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
    names.extend(["topic 🦀", "日本語"].map(str::to_owned));
    // What differs only at the end, behind what fits into a short name.
    names.extend(["x", "y"].map(|end| "long ".repeat(60) + end));
    let mut node = Node::fresh(subject).await;
    // Half of them, so that the others would show if they were mixed up with these.
    for name in names.iter().step_by(2) {
        node.open(name).await;
    }
    for round in 0..2 {
        for (index, name) in names.iter().enumerate() {
            node.publish(name, &format!("data: {index} {round}\n\n")).await;
        }
    }
    node.settle().await;
    let top = node.ledger.top();
    for name in &names {
        expect_all(subject, &node, name, 0, top).await;
    }
    for name in names.iter().step_by(2) {
        node.close(name);
    }
    for (index, name) in names.iter().enumerate().skip(1).step_by(2) {
        node.open(name).await;
        node.publish(name, &format!("data: {index} at last\n\n")).await;
    }
    node.settle().await;
}

/// Clause 8: blocks of all sizes and any text, and keys, arrive and are read as they were published.
///
/// # Panics
/// If it does not hold.
pub async fn keys_and_blocks_arrive_unchanged(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    node.open("t").await;
    let mut blocks: Vec<String> =
        ["data: \n\n", "event: e\ndata: \n\n", "data:  a \u{1}\0\u{7f}\t\u{feff}'\"\\%s\n\n"]
            .map(str::to_owned)
            .into();
    blocks.push("data: 日本語 🦀 a\u{308}\u{2028}\u{10ffff}\n\n".to_owned());
    // Many lines; and around the sizes of buffers, up to what a hub allows by default.
    blocks.push(
        (0..2000).fold(String::new(), |mut block, n| {
            let _ = writeln!(block, "data: {n}");
            block
        }) + "\n",
    );
    for size in [100, 255, 256, 1000, 4096, 7990, 8000, 8192, 32_768, 65_535, 65_536, 262_144] {
        let line = "data: \n\n".len();
        blocks.push(format!("data: {}\n\n", "x".repeat(size - line)));
    }
    let keys = ["", "k", "event name", "K", "ключ\0\n\"'", &"long ".repeat(200)];
    for (n, block) in blocks.iter().enumerate() {
        node.publish_keyed("t", block, keys[n % keys.len()]).await;
    }
    for key in keys {
        node.publish_keyed("t", &format!("data: {}\n\n", key.len()), key).await;
    }
    node.settle().await;
    let top = node.ledger.top();
    expect_all(subject, &node, "t", 0, top).await;
    if let Some(records) = read_all(&node, "u", 0, top).await {
        if !records.is_empty() {
            broken(Clause::Text, format_args!("`read` finds records of a topic that has none: {records:?}"));
        }
    }
}

/// Clause 8: a record's trace arrives and is read with it, and one without a trace has none.
///
/// # Panics
/// If it does not hold.
pub async fn traces_arrive_unchanged(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    let mut second = node.second(subject).await;
    node.open("t").await;
    if let Some(second) = &mut second {
        second.open("t").await;
    }
    for n in 0..9_u32 {
        let mut entry = Entry::new("t", &format!("data: {n}\n\n"), "");
        if n % 3 > 0 {
            entry.trace = format!("00-{:032x}-{:016x}-0{}", u128::MAX / 7, n + 1, n % 2).parse().ok();
        }
        node.publisher().publish_entry(entry).await;
    }
    match &second {
        Some(second) => Node::settle_all(&[&node, second]).await,
        None => node.settle().await,
    }
    for node in [Some(&node), second.as_ref()].into_iter().flatten() {
        expect_all(subject, node, "t", 0, node.ledger.top()).await;
    }
}
