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
    let outcome = topic.publish(&item.change).key(key.as_str()).dedupe(item.dedupe.as_str()).await;
    let Some(error) = not_taken(&outcome) else { return outcome.map(drop) };
    // Better a change without its row, which says which row it was, than none.
    let bare = RowChange { row: None, old: None, ..item.change.clone() };
    tracing::error!(
        table = item.change.table, key = item.change.key, %error,
        "a row cannot be an event: its change is published without it",
    );
    let outcome = topic.publish(&bare).key(key.as_str()).dedupe(item.dedupe.as_str()).await;
    if not_taken(&outcome).is_none() {
        return outcome.map(drop);
    }
    // Its key alone is larger than an event may be.
    let missed = RowChange { op: Operation::Missed, key: String::new(), ..bare };
    topic.publish(&missed).dedupe(item.dedupe.as_str()).await.map(drop)
}

/// Why it will never be published as it is, if that is so: the hub does not take it, or the engine behind it does not.
fn not_taken<T>(outcome: &Result<T, PublishError>) -> Option<&PublishError> {
    outcome
        .as_ref()
        .err()
        .filter(|error| matches!(error, PublishError::Event(_) | PublishError::Refused { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Engine, EngineError, Feed, Log, Memory, Page, Record};
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

    /// An engine that takes less than the hub.
    #[derive(Debug)]
    struct Small(Memory);

    impl Engine for Small {
        fn start(&self, feed: Feed) -> Answer<'_, Log> {
            self.0.start(feed)
        }

        fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
            self.0.open(topic)
        }

        fn close(&self, topic: &str) {
            self.0.close(topic);
        }

        fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
            if record.block.len() > 200 {
                return Answer::now(Err(EngineError::refused("too large")));
            }
            self.0.publish(topic, record)
        }

        fn deduplicates(&self) -> bool {
            true
        }

        fn top(&self) -> Answer<'_, u64> {
            self.0.top()
        }

        fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
            self.0.read(topic, after, until)
        }
    }

    #[tokio::test]
    async fn a_row_that_the_engine_refuses_does_not_end_the_feed() {
        let hub = Hub::on(Small(Memory::new())).start().await.expect("a hub");
        let topic: Topic<RowChange> = hub.topic("t");
        let mut large = item(Operation::Update, "7", 1);
        large.change.row = serde_json::value::RawValue::from_string(format!("\"{}\"", "x".repeat(300))).ok();
        let huge = item(Operation::Update, &"k".repeat(300), 2);
        let next = item(Operation::Update, "8", 3);
        publish(&[large, huge, next], &|_: &RowChange| Some(topic.clone()), "test").await.expect("published");
        assert_eq!(hub.stats().published, 3);
    }
}
