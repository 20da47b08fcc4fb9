//! From the outbox onto topics: in order for each row, once, and at the speed of the engine.

use std::collections::HashSet;

use futures_util::future::join_all;

use super::outage::Outage;
use super::page::Item;
use crate::changes::{Operation, RowChange};
use crate::topic::{PublishError, Topic};

/// How many publishings are under way at once.
const AT_ONCE: usize = 256;

/// Publishes a page. Changes of one row follow each other, so that none can overtake another when publishing fails; those of
/// different rows are under way together.
pub(super) async fn publish(
    items: &[Item],
    topic_of: &impl Fn(&RowChange) -> Option<Topic<RowChange>>,
    feed: &str,
) -> Result<(), PublishError> {
    let mut rest = items;
    while !rest.is_empty() {
        let (together, later) = rest.split_at(together(rest));
        let wanted = together.iter().filter_map(|item| Some((item, topic_of(&item.change)?)));
        at_once(wanted.collect(), feed).await?;
        rest = later;
    }
    Ok(())
}

/// How many, from the first on, are of different rows. What is about all rows goes alone.
fn together(items: &[Item]) -> usize {
    let mut rows = HashSet::new();
    let is_alone = |item: &Item| matches!(item.change.op, Operation::Truncate | Operation::Missed);
    let fit =
        items.iter().take(AT_ONCE).take_while(|item| !is_alone(item) && rows.insert(item.change.subject()));
    fit.count().max(1)
}

async fn at_once(mut left: Vec<(&Item, Topic<RowChange>)>, feed: &str) -> Result<(), PublishError> {
    let mut outage = None;
    loop {
        let publishings = left.iter().map(|(item, topic)| one(item, topic));
        let outcomes = join_all(publishings).await;
        let mut failed = Vec::new();
        for (what, outcome) in left.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => {}
                Err(error @ PublishError::Engine { .. }) => failed.push((what, error)),
                Err(error) => return Err(error),
            }
        }
        let Some((_, error)) = failed.first() else {
            Outage::over(&mut outage, feed);
            return Ok(());
        };
        Outage::note(&mut outage, feed, error).pause().await;
        left = failed.into_iter().map(|(what, _)| what).collect();
    }
}

async fn one(item: &Item, topic: &Topic<RowChange>) -> Result<(), PublishError> {
    let key = item.change.subject();
    let error = match topic.publish(&item.change).key(key.as_str()).dedupe(item.dedupe.as_str()).await {
        Err(PublishError::Event(error)) => error,
        other => return other.map(drop),
    };
    // Better a change without its row, which says which row it was, than none.
    let bare = RowChange { row: None, old: None, ..item.change.clone() };
    tracing::error!(
        table = item.change.table, key = item.change.key, %error,
        "a row cannot be an event: its change is published without it",
    );
    match topic.publish(&bare).key(key.as_str()).dedupe(item.dedupe.as_str()).await {
        Err(PublishError::Event(_)) => {
            // Its key alone is larger than an event may be.
            let missed = RowChange { op: Operation::Missed, key: String::new(), ..bare };
            topic.publish(&missed).dedupe(item.dedupe.as_str()).await.map(drop)
        }
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::Hub;

    fn item(op: Operation, key: &str, n: u32) -> Item {
        Item { change: RowChange::new(op, "t", key), dedupe: n.to_string() }
    }

    #[test]
    fn changes_of_one_row_are_never_under_way_together() {
        use Operation::{Truncate, Update};
        let items =
            [(Update, "a"), (Update, "b"), (Update, "a"), (Truncate, ""), (Truncate, ""), (Update, "b")];
        let items: Vec<_> = items.iter().zip(0..).map(|(&(op, key), n)| item(op, key, n)).collect();
        let mut groups = Vec::new();
        let mut rest = items.as_slice();
        while !rest.is_empty() {
            let (group, later) = rest.split_at(together(rest));
            groups.push(group.len());
            rest = later;
        }
        assert_eq!(groups, [2, 1, 1, 1, 1]);
        let many: Vec<_> = (0..1000).map(|n| item(Update, &n.to_string(), n)).collect();
        assert_eq!(together(&many), AT_ONCE);
    }

    #[tokio::test]
    async fn a_row_that_is_too_large_is_published_without_its_values() {
        let hub = Hub::in_memory().max_event(200).build();
        let topic: Topic<RowChange> = hub.topic("t");
        let mut large = item(Operation::Update, "7", 1);
        large.change.row = serde_json::value::RawValue::from_string(format!("\"{}\"", "x".repeat(300))).ok();
        let huge = item(Operation::Update, &"k".repeat(300), 2);
        publish(&[large, huge], &|_: &RowChange| Some(topic.clone()), "test").await.expect("published");
        assert_eq!(hub.stats().published, 2);
    }
}
