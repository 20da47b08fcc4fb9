//! Clause 4: opening.

use tokio::task::JoinSet;

use super::delivery::join;
use super::node::Node;
use super::{Clause, Subject, broken};

/// Clause 4: while a topic is published on, it is opened: all above the number that is the answer arrives.
///
/// # Panics
/// If it does not hold.
pub async fn opening_loses_nothing(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    let second = node.second(subject).await;
    for round in 0..10 {
        let topic = format!("topic {round}");
        let mut tasks = JoinSet::new();
        for (index, other) in second.iter().chain([&node]).enumerate() {
            let (publisher, topic) = (other.publisher(), topic.clone());
            tasks.spawn(async move {
                for n in 0..20 {
                    publisher.publish(&topic, &format!("data: {index} {n}\n\n"), "").await;
                    tokio::task::yield_now().await;
                }
            });
        }
        for _ in 0..round * 2 {
            tokio::task::yield_now().await;
        }
        node.open(&topic).await;
        join(tasks).await;
        node.settle().await;
    }
}

/// Clause 4: when `open` answers, everything up to that number has arrived, of the topics that were open before.
///
/// # Panics
/// If it does not hold.
pub async fn opening_waits_for_delivery(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    let second = node.second(subject).await;
    node.open("before").await;
    for round in 0..10 {
        // All at once, so that delivery has something to catch up with.
        let mut tasks = JoinSet::new();
        for n in 0..20 {
            let publisher = second.as_ref().unwrap_or(&node).publisher();
            tasks.spawn(async move {
                publisher.publish("before", &format!("data: {round} {n}\n\n"), "").await;
            });
        }
        join(tasks).await;
        let above = node.open(&format!("topic {round}")).await;
        let arrived = node.arrived();
        let newest =
            arrived.iter().rev().find(|(_, entry)| entry.topic == "before").map_or(0, |(seq, _)| *seq);
        let wanted = node.ledger.of("before", 0, above).last().map_or(0, |(seq, _)| *seq);
        if newest < wanted {
            let what = format!("`open` answered {above} when only {newest} of {wanted} had arrived");
            broken(Clause::Opening, what);
        }
    }
    node.settle().await;
}

/// Clause 4: opened twice, closed, closed without having been opened, and opened once more, in any order, a topic is
/// delivered once while it is open.
///
/// # Panics
/// If it does not hold.
pub async fn opened_again_it_is_still_delivered_once(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    node.close("t");
    node.open("t").await;
    node.open("t").await;
    node.open("other").await;
    for n in 0..5 {
        node.publish("t", &format!("data: {n}\n\n")).await;
    }
    node.settle().await;
    for round in 0..5 {
        node.close("t");
        if round % 2 == 0 {
            node.publish("t", &format!("data: closed {round}\n\n")).await;
            node.close("t");
        }
        node.publish("other", &format!("data: {round}\n\n")).await;
        node.open("t").await;
        node.publish("t", &format!("data: open {round}\n\n")).await;
        node.settle().await;
    }
}
