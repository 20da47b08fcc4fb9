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
