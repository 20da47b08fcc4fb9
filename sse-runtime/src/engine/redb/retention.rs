//! What is kept, and the eviction of the rest: in the writer's transactions, a bounded part at a time, so that no
//! publisher waits for a large one.

use std::collections::HashMap;
use std::time::Duration;

use ::redb::{Error as Failure, ReadableTable as _, ReadableTableMetadata as _};

use super::table::{Tables, Tail, about, decode, weight};

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) age: Option<Duration>,
    pub(super) bytes: u64,
    pub(super) events: u64,
    /// Of how many topics it is known exactly what they have lost.
    pub(super) topics: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { age: Some(Duration::from_secs(24 * 3600)), bytes: 1 << 30, events: u64::MAX, topics: 1 << 16 }
    }
}

impl Limits {
    /// The time before which events are too old.
    fn oldest(&self, now: u64) -> u64 {
        self.age.map_or(0, |age| now.saturating_sub(milliseconds(age)))
    }

    /// How long nothing gets too old; none, if that cannot be.
    pub(super) fn rest(&self, tail: &Tail, now: u64) -> Option<Duration> {
        let expires = tail.oldest?.saturating_add(milliseconds(self.age?));
        // Not each by itself.
        Some(Duration::from_millis(expires.saturating_sub(now)).max(Duration::from_secs(1)))
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Evicts what is too much, `most` events at most, and whether there is more of it.
///
/// The newest event stays, unless it is too old.
pub(super) fn evict(
    tables: &mut Tables<'_>,
    limits: &Limits,
    tail: &mut Tail,
    now: u64,
    most: usize,
) -> Result<bool, Failure> {
    let (until, more) = plan(tables, limits, tail, now, most)?;
    if let Some(until) = until {
        remove(tables, limits, until)?;
    }
    Ok(more)
}

/// Up to which number to evict, and whether there is more; notes the time of the oldest event that stays.
fn plan(
    tables: &Tables<'_>,
    limits: &Limits,
    tail: &mut Tail,
    now: u64,
    most: usize,
) -> Result<(Option<u64>, bool), Failure> {
    let (mut events, mut until) = (tables.events.len()?, None);
    for (count, entry) in tables.events.iter()?.enumerate() {
        let (seq, value) = entry?;
        let (seq, value) = (seq.value(), value.value());
        let parts = decode(value)?;
        tail.oldest = Some(parts.time);
        let bytes = tail.sum.saturating_sub(parts.sum).saturating_add(weight(value));
        let too_much = (events > limits.events || bytes > limits.bytes) && seq < tail.top;
        if !too_much && parts.time >= limits.oldest(now) {
            return Ok((until, false));
        }
        if count == most {
            return Ok((until, true));
        }
        events -= 1;
        until = Some(seq);
    }
    tail.oldest = None;
    Ok((until, false))
}

fn remove(tables: &mut Tables<'_>, limits: &Limits, until: u64) -> Result<(), Failure> {
    let mut newest: HashMap<String, u64> = HashMap::new();
    for removed in tables.events.extract_from_if(..=until, |_, _| true)? {
        let (seq, value) = removed?;
        let (seq, value) = (seq.value(), value.value());
        let parts = decode(value)?;
        tables.index.remove((parts.topic, seq))?;
        match newest.get_mut(parts.topic) {
            Some(newest) => *newest = seq,
            None => drop(newest.insert(parts.topic.to_owned(), seq)),
        }
    }
    for (topic, seq) in &newest {
        let before = tables.evicted.insert(topic.as_str(), seq)?.map(|before| before.value());
        if let Some(before) = before {
            tables.evicted_numbers.remove(before)?;
        }
        tables.evicted_numbers.insert(seq, topic.as_str())?;
    }
    while tables.evicted.len()? > limits.topics {
        let Some((seq, topic)) = tables.evicted_numbers.pop_first()? else { break };
        tables.evicted.remove(topic.value())?;
        tables.about.insert(about::FORGOTTEN, seq.value())?;
    }
    tables.about.insert(about::GONE, until)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use ::redb::{Database, backends::InMemoryBackend};

    use super::super::reader::read;
    use super::super::start;
    use super::super::table::{encode, stamp};
    use super::*;
    use crate::engine::{Page, Record};

    fn log() -> Database {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        start::empty(&database, 1, 0, false).unwrap();
        database
    }

    /// Appends an event, at this time, to each topic, and evicts.
    fn append(database: &Database, limits: &Limits, tail: &mut Tail, time: u64, topics: &[&str]) {
        let transaction = database.begin_write().unwrap();
        let mut tables = Tables::open(&transaction).unwrap();
        for topic in topics {
            let mut value = encode(topic, Record::new(b"data: \n\n", "")).unwrap();
            tail.top += 1;
            tail.sum += weight(&value);
            stamp(&mut value, time, tail.sum);
            tables.events.insert(tail.top, value.as_slice()).unwrap();
            tables.index.insert((*topic, tail.top), ()).unwrap();
        }
        while evict(&mut tables, limits, tail, time, 2).unwrap() {}
        drop(tables);
        transaction.commit().unwrap();
    }

    fn found(database: &Database, topic: &str, after: u64) -> Option<Vec<u64>> {
        match read(database, topic, after, u64::MAX).unwrap() {
            Page::Records(records) => Some(records.iter().map(|record| record.seq).collect()),
            Page::Evicted { .. } => None,
        }
    }

    #[test]
    fn of_topics_beyond_the_limit_it_is_said_that_something_may_be_gone() {
        let (database, mut tail) = (log(), Tail::default());
        let limits = Limits { age: None, events: 2, topics: 2, ..Limits::default() };
        append(&database, &limits, &mut tail, 0, &["a", "b", "c", "d", "e"]);
        // 1, 2 and 3 are gone; what "a" has lost is forgotten, and so is that others have lost nothing before it.
        assert_eq!(found(&database, "a", 0), None);
        assert_eq!(found(&database, "a", 1), Some(vec![]));
        assert_eq!(found(&database, "new", 0), None);
        assert_eq!(found(&database, "new", 1), Some(vec![]));
        assert_eq!(found(&database, "b", 1), None);
        assert_eq!(found(&database, "c", 2), None);
        assert_eq!(found(&database, "c", 3), Some(vec![]));
        assert_eq!(found(&database, "d", 1), Some(vec![4]));
        // One of those that are known loses more: it is the newest of them then.
        append(&database, &limits, &mut tail, 0, &["b", "b", "b"]);
        assert_eq!(found(&database, "b", 5), None);
        assert_eq!(found(&database, "b", 6), Some(vec![7, 8]));
        assert_eq!(found(&database, "e", 4), None);
        assert_eq!(found(&database, "d", 4), Some(vec![]));
    }

    #[test]
    fn each_limit_holds_and_the_newest_event_stays() {
        let weight = weight(&encode("t", Record::new(b"data: \n\n", "")).unwrap());
        for limits in [
            Limits { age: None, events: 3, ..Limits::default() },
            Limits { age: None, bytes: 3 * weight, ..Limits::default() },
        ] {
            let (database, mut tail) = (log(), Tail::default());
            append(&database, &limits, &mut tail, 0, &["t"; 20]);
            assert_eq!(found(&database, "t", 17), Some(vec![18, 19, 20]), "{limits:?}");
            assert_eq!(found(&database, "t", 16), None, "{limits:?}");
        }
        let (database, mut tail) = (log(), Tail::default());
        append(&database, &Limits { bytes: 0, events: 0, ..Limits::default() }, &mut tail, 0, &["t"; 20]);
        assert_eq!(found(&database, "t", 19), Some(vec![20]));

        let (database, mut tail) = (log(), Tail::default());
        let limits = Limits { age: Some(Duration::from_millis(10)), ..Limits::default() };
        append(&database, &limits, &mut tail, 100, &["t"; 5]);
        append(&database, &limits, &mut tail, 105, &["t"; 5]);
        append(&database, &limits, &mut tail, 111, &[]);
        assert_eq!((found(&database, "t", 4), found(&database, "t", 5)), (None, Some(vec![6, 7, 8, 9, 10])));
        assert_eq!(tail.oldest, Some(105));
        append(&database, &limits, &mut tail, 116, &[]);
        assert_eq!((found(&database, "t", 9), found(&database, "t", 10)), (None, Some(vec![])));
        assert_eq!((tail.oldest, tail.top), (None, 10));
    }
}
