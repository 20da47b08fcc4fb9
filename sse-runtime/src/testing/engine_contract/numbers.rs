//! Clauses 1 and 2: one order, one epoch.

use super::node::Node;
use super::{Clause, Subject, broken};

/// Clause 1: the first number is at least 1, each is higher than those before it, whatever the topic, and it is the
/// number under which the record arrives.
///
/// # Panics
/// If it does not hold.
pub async fn numbers_begin_at_one_and_rise(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    if node.log.top != 0 {
        let top = node.log.top;
        broken(Clause::Order, format_args!("`start` says that a fresh log ends at {top}; that has to be 0"));
    }
    node.open("a").await;
    node.open("b").await;
    let mut before = 0;
    for n in 0..40 {
        let topic = if n % 3 == 0 { "a" } else { "b" };
        let seq = node.publish(topic, &format!("data: {n}\n\n")).await;
        if seq <= before {
            broken(Clause::Order, format_args!("`publish` answered {seq} after {before}"));
        }
        before = seq;
    }
    node.settle().await;
}

/// Clause 1: `top` is 0 for a fresh log, and then never lower than what any node was answered or has seen.
///
/// # Panics
/// If it does not hold.
pub async fn top_is_never_behind(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    let top = node.top().await;
    if top != 0 {
        broken(Clause::Order, format_args!("`top` of a fresh log is {top}; it has to be 0"));
    }
    node.open("t").await;
    let second = node.second(subject).await;
    let others: Vec<_> = second.iter().chain([&node]).collect();
    for n in 0..10 {
        let seq = node.publish("t", &format!("data: {n}\n\n")).await;
        for other in &others {
            let top = other.top().await;
            if top < seq {
                broken(Clause::Order, format_args!("`top` is {top}, after `publish` answered {seq}"));
            }
        }
    }
    let (last, top) = (node.ledger.top(), node.top().await);
    if top != last {
        broken(Clause::Order, format_args!("`top` is {top}, but the newest record has the number {last}"));
    }
}

/// Clause 2: two fresh logs have different epochs; two nodes of one log have the same.
///
/// # Panics
/// If it does not hold.
pub async fn epochs_tell_logs_apart(subject: &impl Subject) {
    let node = Node::fresh(subject).await;
    let other = Node::fresh(subject).await;
    let epoch = node.log.epoch;
    if other.log.epoch == epoch {
        broken(Clause::Epoch, format_args!("two fresh logs have the same epoch, {epoch:x}"));
    }
    if let Some(second) = node.second(subject).await {
        if second.log.epoch != epoch {
            let other = second.log.epoch;
            broken(
                Clause::Epoch,
                format_args!("one log has the epochs {epoch:x} and {other:x} at two nodes"),
            );
        }
    }
}

/// Clauses 1, 2 and 5: after a restart the epoch is the same, numbers go on, what was kept is there, and none of it is
/// delivered again.
///
/// # Panics
/// If it does not hold.
pub async fn numbers_go_on_after_a_restart(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    node.open("t").await;
    for n in 0..20 {
        node.publish("t", &format!("data: {n}\n\n")).await;
    }
    node.settle().await;
    let (epoch, before) = (node.log.epoch, node.ledger.top());
    let Some(mut node) = node.restart(subject).await else { return };
    if node.log.epoch != epoch {
        let now = node.log.epoch;
        broken(Clause::Epoch, format_args!("the epoch was {epoch:x}, and is {now:x} after a restart"));
    }
    let above = node.open("t").await;
    let seq = node.publish("t", "data: after the restart\n\n").await;
    if seq <= before || seq <= above {
        broken(
            Clause::Order,
            format_args!("`publish` answered {seq} after a restart, and {before} before it"),
        );
    }
    node.settle().await;
    super::reading::expect_all(subject, &node, "t", 0, seq).await;
}
