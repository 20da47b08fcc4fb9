//! Clause 9: a record with a key is there once, however often it is published.

use super::node::Node;
use super::{Clause, Subject, broken};
use crate::engine::Engine as _;

/// Clause 9: published again with its key, a record is not appended: not by the same node, not by another, not after a
/// restart. The key is one of its topic, and any text. An engine that knows no keys passes.
///
/// # Panics
/// If it does not hold.
pub async fn a_record_with_a_key_is_there_once(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    if !node.engine.deduplicates() {
        return;
    }
    node.open("t").await;
    node.open("u").await;
    let long = "k".repeat(300);
    let keys = ["a", "", "a b", "a.b", "*", ">", "\u{0}", "a\r\nb: c", "\u{20ac}", &long];
    let mut first = Vec::new();
    for key in keys {
        let seq = node.publish_once("t", "data: x\n\n", key).await;
        node.note_once("t", "data: x\n\n", seq);
        first.push(seq);
    }
    let in_another_topic = node.publish_once("u", "data: x\n\n", "a").await;
    node.note_once("u", "data: x\n\n", in_another_topic);
    // Without a key it is another one each time.
    node.publish("t", "data: x\n\n").await;
    node.publish("t", "data: x\n\n").await;
    again(&node, &keys, &first).await;

    let second = node.second(subject).await;
    if let Some(second) = &second {
        again(second, &keys, &first).await;
        Node::settle_all(&[&node, second]).await;
    }
    node.settle().await;
    drop(second);
    let Some(node) = node.restart(subject).await else { return };
    again(&node, &keys, &first).await;
    node.settle().await;
}

async fn again<E: crate::engine::Engine>(node: &Node<E>, keys: &[&str], first: &[u64]) {
    for (key, &first) in keys.iter().zip(first) {
        let seq = node.publish_once("t", "data: x\n\n", key).await;
        if seq != first {
            broken(
                Clause::Once,
                format_args!(
                    "a record with the dedupe key {key:?} got {first}, and {seq} when it was published again"
                ),
            );
        }
    }
}
