//! Clauses 6 and 7: answers and hubs that are dropped.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::ledger::Entry;
use super::node::Node;
use super::{Clause, Subject, broken};
use crate::engine::{Answer, Engine, Record};

/// Clauses 6 and 7: whatever is dropped before it is answered, the engine goes on; a record of which nobody knows arrives
/// once, or not at all.
///
/// # Panics
/// If it does not hold.
pub async fn answers_may_be_dropped(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    node.open("t").await;
    for n in 0..30 {
        let polls = n % 4;
        let block = format!("data: dropped {n}\n\n");
        let answer = node.engine.publish("t", Record::new(block.as_bytes(), ""));
        match poll(answer, polls).await {
            Some(seq) => node.ledger.note(seq, Entry::new("t", &block, "")),
            None => node.ledger.note_possible(Entry::new("t", &block, "")),
        }
        // A topic that may be open by now or not: its records may arrive, but whole and once.
        let topic = format!("topic {}", n % 3);
        poll(node.engine.open(&topic), polls).await;
        node.publish(&topic, &format!("data: {n}\n\n")).await;
        poll(node.engine.read("t", 0, u64::MAX), polls).await;
        poll(node.engine.top(), polls).await;
        if n % 2 == 0 {
            node.close(&topic);
        }
        node.publish("t", &format!("data: {n}\n\n")).await;
    }
    node.settle().await;
    for n in 0..3 {
        let topic = format!("topic {n}");
        node.open(&topic).await;
        node.publish(&topic, "data: open for certain\n\n").await;
    }
    node.settle().await;
    if let Some(other) = node.second(subject).await {
        Node::settle_all(&[&other, &node]).await;
    }
}

/// Clause 7: after the hub is gone, what is still asked of the engine is answered.
///
/// # Panics
/// If it does not hold.
pub async fn a_hub_that_is_gone_does_no_harm(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    let second = node.second(subject).await;
    node.open("t").await;
    let before = node.publish("t", "data: 1\n\n").await;
    node.leave();
    let after = node.publish("t", "data: 2\n\n").await;
    node.close("t");
    let top = node.top().await;
    if top < after || after <= before {
        broken(Clause::Order, format_args!("`publish` answered {before}, then {after}, and `top` is {top}"));
    }
    super::reading::expect_all(subject, &node, "t", 0, top).await;
    if let Some(second) = second {
        second.settle().await;
    }
}

/// Polls an answer so many times at most, then drops it.
async fn poll<T>(mut answer: Answer<'_, T>, times: usize) -> Option<T> {
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match Pin::new(&mut answer).poll(cx) {
            Poll::Ready(Ok(value)) => Poll::Ready(Some(value)),
            Poll::Ready(Err(error)) => {
                broken(Clause::Failure, format_args!("it failed, without a reason to: {error}"))
            }
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
