//! Clause 3: delivery.

use tokio::task::JoinSet;

use super::node::Node;
use super::{Clause, Subject, broken};

/// Clause 3: every record of the open topics arrives, once, in the order of the numbers over all topics, by one caller
/// at a time.
///
/// # Panics
/// If it does not hold.
pub async fn delivery_is_complete_ordered_and_once(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    let topics: Vec<_> = (0..7).map(|n| format!("topic {n}")).collect();
    for topic in &topics {
        node.open(topic).await;
    }
    for n in 0..150 {
        // Bursts of one topic, and changes.
        let topic = &topics[(n / 4 + n) % topics.len()];
        node.publish(topic, &format!("data: {n}\n\n")).await;
        // Of topics that nobody opened, too: they must not be in the way.
        if n % 10 == 0 {
            node.publish("not open", &format!("data: {n}\n\n")).await;
        }
    }
    node.settle().await;
    // What is closed may still arrive; the rest has to.
    node.close(&topics[0]);
    for n in 0..30 {
        node.publish(&topics[n % topics.len()], &format!("data: again {n}\n\n")).await;
    }
    node.settle().await;
}

/// Clauses 1 and 3: many publishers at once get numbers of their own, each publisher's rise, and what arrives is in
/// their order.
///
/// # Panics
/// If it does not hold.
pub async fn concurrent_publishers_share_one_order(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    for topic in ["a", "b", "c"] {
        node.open(topic).await;
    }
    let second = match node.second(subject).await {
        Some(mut second) => {
            for topic in ["a", "b", "c"] {
                second.open(topic).await;
            }
            Some(second)
        }
        None => None,
    };
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let publisher = second.as_ref().filter(|_| task % 2 == 0).unwrap_or(&node).publisher();
        tasks.spawn(async move {
            let mut before = 0;
            for n in 0..25 {
                let topic = ["a", "b", "c"][(task + n) % 3];
                let seq = publisher.publish(topic, &format!("data: {task} {n}\n\n"), "").await;
                if seq <= before {
                    broken(Clause::Order, format_args!("one publisher was answered {seq} after {before}"));
                }
                before = seq;
            }
        });
    }
    join(tasks).await;
    let nodes: Vec<_> = [&node].into_iter().chain(&second).collect();
    Node::settle_all(&nodes).await;
}

/// Clause 3: a hub that starts on a log with records gets those after `Log::top`, and none before.
///
/// # Panics
/// If it does not hold.
pub async fn nothing_from_before_the_start_is_delivered(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    node.open("t").await;
    let publish = |from: usize| {
        let publisher = node.publisher();
        let mut task = JoinSet::new();
        task.spawn(async move {
            for n in from..from + 30 {
                publisher.publish("t", &format!("data: {n}\n\n"), "").await;
                tokio::task::yield_now().await;
            }
        });
        task
    };
    join(publish(0)).await;
    let publishing = publish(30);
    // The check that nothing before is delivered is made by every `settle`.
    let Some(mut second) = node.second(subject).await else {
        join(publishing).await;
        return node.settle().await;
    };
    second.open("t").await;
    join(publishing).await;
    Node::settle_all(&[&node, &second]).await;
}

/// Clause 3: what is published at one node arrives at all of them.
///
/// # Panics
/// If it does not hold.
pub async fn delivery_reaches_every_node(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    let Some(mut second) = node.second(subject).await else { return };
    node.open("both").await;
    node.open("first only").await;
    second.open("both").await;
    second.open("second only").await;
    for n in 0..40 {
        let topic = ["both", "first only", "second only", "neither"][n % 4];
        let publisher = if n % 3 == 0 { &node } else { &second };
        publisher.publish(topic, &format!("data: {n}\n\n")).await;
    }
    Node::settle_all(&[&node, &second]).await;
    // One of them goes.
    second.close("both");
    second.leave();
    drop(second);
    node.publish("both", "data: one is left\n\n").await;
    node.settle().await;
}

/// Waits for tasks, and passes on their panics.
pub(super) async fn join(mut tasks: JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => panic!("a task of this check was cancelled: {error}"),
            }
        }
    }
}
