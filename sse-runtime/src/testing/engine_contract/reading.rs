//! Clause 5: reading.

use super::ledger::Entry;
use super::node::Node;
use super::{Clause, Subject, broken};
use crate::engine::{Engine, Page, Stored};

/// Clause 5: `read` gives what is above `after` up to `until`, also where these are not the numbers of records, or
/// beyond what there is.
///
/// # Panics
/// If it does not hold.
pub async fn reading_begins_and_ends_where_it_is_told(subject: &impl Subject) {
    let node = Node::fresh(subject).await;
    for n in 0..24 {
        node.publish(["t", "u", "u"][n % 3], &format!("data: {n}\n\n")).await;
    }
    let top = node.ledger.top();
    for after in 0..=top {
        for until in [after + 1, after + 2, after + 7, top] {
            expect_all(subject, &node, "t", after, until).await;
        }
    }
    for until in [top + 1, top + 1000, u64::MAX] {
        expect_all(subject, &node, "t", top / 2, until).await;
    }
    expect_all(subject, &node, "never published on", 0, top).await;
    for (after, until) in [(0, 0), (1, 1), (top, top), (2, 1), (top, 0), (u64::MAX, u64::MAX), (u64::MAX, 1)]
    {
        let page = node.read("t", after, until).await;
        if page != Page::Records(Vec::new()) {
            broken(
                Clause::Reading,
                format_args!("nothing is above {after} up to {until}, but `read` gives {page:?}"),
            );
        }
    }
}

/// Clause 5: many and large records come in parts, if they have to, but each part goes on where the last one ended; and
/// what was evicted is said, not left out.
///
/// # Panics
/// If it does not hold.
pub async fn reading_never_leaves_a_hole(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    node.open("t").await;
    let large = "x".repeat(60_000);
    for n in 0..200 {
        let filling = if n % 20 == 0 { large.as_str() } else { "" };
        node.publish("t", &format!("data: {n} {filling}\n\n")).await;
        node.publish("u", &format!("data: {n}\n\n")).await;
    }
    let top = node.ledger.top();
    expect_all(subject, &node, "t", 0, top).await;
    // What has not been delivered yet must not be evicted: that would be a loss.
    node.settle().await;
    let middle = top / 2;
    if subject.evict(&node.engine, middle).await {
        for after in [0, 1, middle / 2, middle - 1] {
            // Either it is all there still, or it is said, and from where on it is there.
            if read_all(&node, "t", after, top).await.is_some() {
                continue;
            }
            // By itself it may have let go of more.
            let gone = middle.max(node.top().await.saturating_sub(subject.keeps() as u64));
            match node.read("t", after, top).await {
                Page::Evicted { until } if after < until && until <= gone => {
                    expect_all(subject, &node, "t", until, top).await;
                }
                page => broken(
                    Clause::Reading,
                    format_args!("up to {gone} all may be gone, but `read` above {after} gives {page:?}"),
                ),
            }
        }
        for after in [middle, middle + 1, top - 1, top] {
            expect_all(subject, &node, "t", after, top).await;
        }
        node.publish("t", "data: later\n\n").await;
        node.settle().await;
    }
}

/// Clause 5: a record that has arrived somewhere can be read there.
///
/// # Panics
/// If it does not hold.
pub async fn reading_shows_what_was_delivered(subject: &impl Subject) {
    let mut node = Node::fresh(subject).await;
    let mut second = node.second(subject).await;
    let reader = second.as_mut().unwrap_or(&mut node);
    reader.open("t").await;
    let mut read = 0;
    for n in 0..40 {
        let publisher = second.as_ref().unwrap_or(&node);
        publisher.publish("t", &format!("data: {n}\n\n")).await;
        let arrived = second.as_ref().unwrap_or(&node).arrived();
        let newest = arrived.iter().rev().find(|(_, entry)| entry.topic == "t").map_or(0, |(seq, _)| *seq);
        if newest > read {
            expect_all(subject, second.as_ref().unwrap_or(&node), "t", read, newest).await;
            read = newest;
        }
    }
    second.as_ref().unwrap_or(&node).settle().await;
}

/// Reads a range to its end, part by part, compares it with what was published, and insists on it, if the log is to
/// have it still.
pub(super) async fn expect_all<S: Subject>(
    subject: &S,
    node: &Node<S::Engine>,
    topic: &str,
    after: u64,
    until: u64,
) {
    let kept = node.ledger.top().saturating_sub(subject.keeps() as u64);
    if read_all(node, topic, after, until).await.is_none() && kept <= after {
        let what =
            format!("what is above {after} of {topic:?} is gone; the log ends at {}", node.ledger.top());
        broken(Clause::Reading, what);
    }
}

/// Reads a range to its end, part by part; none if it is gone.
pub(super) async fn read_all<E: Engine>(
    node: &Node<E>,
    topic: &str,
    after: u64,
    until: u64,
) -> Option<Vec<(u64, Entry)>> {
    let wanted = node.ledger.of(topic, after, until);
    let mut found: Vec<(u64, Entry)> = Vec::new();
    let mut from = after;
    loop {
        let Page::Records(part) = node.read(topic, from, until).await else { return None };
        let Some(last) = part.last().map(|stored| stored.seq) else { break };
        if let Some(stray) = part.iter().find(|stored| stored.seq <= from || until < stored.seq) {
            let what = format!("`read` of {topic:?} above {from} up to {until} gives {}", stray.seq);
            broken(Clause::Reading, what);
        }
        from = last;
        let entry = |Stored { seq, block, key, trace }: Stored| {
            let block = String::from_utf8_lossy(&block).into_owned();
            (seq, Entry { topic: topic.to_owned(), block, key, trace })
        };
        found.extend(part.into_iter().map(entry));
    }
    node.ledger.audit(Clause::Reading, &found);
    if let Some((missing, _)) = wanted.iter().find(|wanted| !found.contains(wanted)) {
        let what = format!("`read` of {topic:?} above {after} up to {until} leaves out {missing}");
        broken(Clause::Reading, what);
    }
    Some(found)
}
