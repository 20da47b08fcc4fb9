//! Reads of one topic, each in a transaction of its own, which sees the log as it was at one moment.

use bytes::Bytes;

use ::redb::{Database, Error as Failure, ReadableDatabase as _};

use super::table::{ABOUT, EVENTS, EVICTED, INDEX, Parts, about, decode, row};
use crate::engine::{Page, Stored};

/// How much one page has at most: a transaction that stays open keeps the pages it sees from being used again.
const RECORDS: usize = 512;
const BYTES: usize = 256 << 10;

pub(super) fn read(database: &Database, topic: &str, after: u64, until: u64) -> Result<Page, Failure> {
    let mut records = Vec::new();
    let Some(first) = after.checked_add(1).filter(|&first| first <= until) else {
        return Ok(Page::Records(records));
    };
    let transaction = database.begin_read()?;
    let evicted = transaction.open_table(EVICTED)?.get(topic)?.map(|evicted| evicted.value());
    let evicted = match evicted {
        Some(evicted) => evicted,
        None => row(&transaction.open_table(ABOUT)?, about::FORGOTTEN)?,
    };
    if after < evicted {
        return Ok(Page::Evicted { until: evicted });
    }
    let (index, events) = (transaction.open_table(INDEX)?, transaction.open_table(EVENTS)?);
    let mut bytes = 0;
    for entry in index.range((topic, first)..=(topic, until))? {
        let seq = entry?.0.value().1;
        let value = events.get(seq)?;
        let value = value.ok_or_else(|| Failure::Corrupted(format!("the event {seq} is missing")))?;
        let Parts { key, trace, block, .. } = decode(value.value())?;
        bytes += block.len();
        records.push(Stored { seq, block: Bytes::copy_from_slice(block), key: key.to_owned(), trace });
        if records.len() == RECORDS || bytes >= BYTES {
            break;
        }
    }
    Ok(Page::Records(records))
}

/// Calls `each` with the events above `after`, in order, as they are stored.
pub(super) fn replay(
    database: &Database,
    after: u64,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<(), Failure> {
    let transaction = database.begin_read()?;
    for entry in transaction.open_table(EVENTS)?.range(after.saturating_add(1)..)? {
        let (seq, value) = entry?;
        each(seq.value(), value.value());
    }
    Ok(())
}
