//! What is stored how.
//!
//! | table | key | value |
//! |---|---|---|
//! | `sse-log` | a word | a number: see [`about`] |
//! | `sse-events` | number | time, sum, topic, key, trace, block: see [`encode`] |
//! | `sse-index` | topic, number | nothing: where a topic's events are |
//! | `sse-evicted` | topic | the number of the newest of its events that was evicted |
//! | `sse-evicted-numbers` | that number | the topic: which of these rows goes first, when there are too many |
//! | `sse-keys` | number | of an event with a dedupe key, while that is known: its time, topic and this key |
//!
//! Numbers have no holes, and only the oldest events are evicted, of whatever topics. So the log's newest number is that
//! of its last event, or, if there is none, the last that was evicted. And each event has the sum of what all before it
//! weigh, and itself, so that the first and the last say what there is. A transaction that evicts nothing writes no row of
//! `sse-log`. `sse-keys` begins with the first key; an event may be evicted before its key is forgotten, and the other way
//! round. What is looked up is in memory, see [`Once`].

use std::time::Duration;

use ::redb::{
    Durability, Error as Failure, ReadTransaction, ReadableTable, Table, TableDefinition, TableError,
    WriteTransaction,
};

use crate::engine::once::Once;
use crate::engine::{Record, TraceParent};

pub(super) const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("sse-log");
pub(super) const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("sse-events");
pub(super) const INDEX: TableDefinition<'_, (&str, u64), ()> = TableDefinition::new("sse-index");
pub(super) const EVICTED: TableDefinition<'_, &str, u64> = TableDefinition::new("sse-evicted");
pub(super) const EVICTED_NUMBERS: TableDefinition<'_, u64, &str> =
    TableDefinition::new("sse-evicted-numbers");
pub(super) const KEYS: TableDefinition<'_, u64, (u64, &str, &str)> = TableDefinition::new("sse-keys");

/// The rows of `sse-log`. One that is missing is 0.
pub(super) mod about {
    /// Of all that is described here.
    pub(in super::super) const FORMAT: &str = "format";
    pub(in super::super) const EPOCH: &str = "epoch";
    /// Every event up to this number was evicted.
    pub(in super::super) const GONE: &str = "gone";
    /// A topic without a row in `sse-evicted` may have lost events up to this number.
    pub(in super::super) const FORGOTTEN: &str = "forgotten";
    /// 1 while a process writes that does not bring each group to the disk: found at the start, it says that acknowledged
    /// events may be missing.
    pub(in super::super) const AHEAD: &str = "ahead";
}

/// The format that is written. Any other one is refused.
pub(super) const FORMAT: u64 = 1;

/// All tables, to be changed in one transaction.
pub(super) struct Tables<'a> {
    pub(super) about: Table<'a, &'static str, u64>,
    pub(super) events: Table<'a, u64, &'static [u8]>,
    pub(super) index: Table<'a, (&'static str, u64), ()>,
    pub(super) evicted: Table<'a, &'static str, u64>,
    pub(super) evicted_numbers: Table<'a, u64, &'static str>,
    /// Opened when it is needed.
    keys: Option<Table<'a, u64, (u64, &'static str, &'static str)>>,
    transaction: &'a WriteTransaction,
}

impl<'a> Tables<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, Failure> {
        Ok(Self {
            about: transaction.open_table(ABOUT)?,
            events: transaction.open_table(EVENTS)?,
            index: transaction.open_table(INDEX)?,
            evicted: transaction.open_table(EVICTED)?,
            evicted_numbers: transaction.open_table(EVICTED_NUMBERS)?,
            keys: None,
            transaction,
        })
    }

    fn keys(&mut self) -> Result<&mut Table<'a, u64, (u64, &'static str, &'static str)>, Failure> {
        let keys = match self.keys.take() {
            Some(keys) => keys,
            None => self.transaction.open_table(KEYS)?,
        };
        Ok(self.keys.insert(keys))
    }

    /// Stores an event's dedupe key.
    pub(super) fn keep_key(&mut self, seq: u64, time: u64, topic: &str, dedupe: &str) -> Result<(), Failure> {
        self.keys()?.insert(seq, (time, topic, dedupe))?;
        Ok(())
    }

    /// Removes the dedupe keys of the events up to this one.
    pub(super) fn forget_keys(&mut self, until: u64) -> Result<(), Failure> {
        Ok(self.keys()?.retain_in(..=until, |_, _| false)?)
    }

    /// Empties the log, which goes on with this epoch, above this number.
    pub(super) fn begin_anew(
        transaction: &'a WriteTransaction,
        epoch: u64,
        top: u64,
    ) -> Result<Self, Failure> {
        transaction.delete_table(EVENTS)?;
        transaction.delete_table(INDEX)?;
        transaction.delete_table(EVICTED)?;
        transaction.delete_table(EVICTED_NUMBERS)?;
        transaction.delete_table(KEYS)?;
        let mut tables = Self::open(transaction)?;
        for (row, value) in
            [(about::FORMAT, FORMAT), (about::EPOCH, epoch), (about::GONE, top), (about::FORGOTTEN, top)]
        {
            tables.about.insert(row, value)?;
        }
        Ok(tables)
    }
}

/// Makes `transaction` one that a crash of the process, or of the machine, may undo.
pub(super) fn without_sync(transaction: &mut WriteTransaction) -> Result<(), Failure> {
    transaction.set_durability(Durability::None).map_err(|error| Failure::Io(std::io::Error::other(error)))
}

/// A row of `sse-log`.
pub(super) fn row(table: &impl ReadableTable<&'static str, u64>, row: &str) -> Result<u64, Failure> {
    Ok(table.get(row)?.map(|value| value.value()).unwrap_or_default())
}

/// Reads all dedupe keys into `once`.
pub(super) fn read_keys(transaction: &ReadTransaction, once: &mut Once) -> Result<(), Failure> {
    let keys = match transaction.open_table(KEYS) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        keys => keys?,
    };
    for row in keys.iter()? {
        let (seq, value) = row?;
        let (time, topic, dedupe) = value.value();
        once.note(topic, dedupe, seq.value(), Duration::from_millis(time));
    }
    Ok(())
}

/// Where the log stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    /// The number of its newest event.
    pub(super) top: u64,
    /// When that was written, as [`Parts::time`], and its [`Parts::sum`].
    pub(super) newest: u64,
    pub(super) sum: u64,
    /// When the oldest one was written; none, if there is none.
    pub(super) oldest: Option<u64>,
}

impl Tail {
    pub(super) fn read(
        about: &impl ReadableTable<&'static str, u64>,
        events: &impl ReadableTable<u64, &'static [u8]>,
    ) -> Result<Self, Failure> {
        let (Some(first), Some(last)) = (events.first()?, events.last()?) else {
            return Ok(Self { top: row(about, about::GONE)?, ..Self::default() });
        };
        let (oldest, newest) = (decode(first.1.value())?.time, decode(last.1.value())?);
        Ok(Self { top: last.0.value(), newest: newest.time, sum: newest.sum, oldest: Some(oldest) })
    }
}

/// An event, as its bytes in the table say it.
pub(super) struct Parts<'a> {
    /// In milliseconds since 1970, and never less than that of the event before.
    pub(super) time: u64,
    /// What all events until this one weigh, since the log began or was empty.
    pub(super) sum: u64,
    pub(super) topic: &'a str,
    pub(super) key: &'a str,
    pub(super) trace: Option<TraceParent>,
    pub(super) block: &'a [u8],
}

impl Parts<'_> {
    pub(super) fn record(&self) -> Record<'_> {
        Record::new(self.block, self.key).traced(self.trace.as_ref())
    }
}

/// 8 bytes for the time, 8 for the sum, and three lengths of 4 bytes: topic, key, trace; then these, and the block to the
/// end. All numbers are little-endian. Time and sum are written by [`stamp`].
pub(super) fn encode(topic: &str, record: Record<'_>) -> Option<Vec<u8>> {
    let trace = record.trace.map(TraceParent::as_str).unwrap_or_default();
    let texts = [topic, record.key, trace];
    let size = HEAD + texts.iter().map(|text| text.len()).sum::<usize>() + record.block.len();
    let mut value = Vec::with_capacity(size);
    value.extend_from_slice(&[0; STAMP]);
    for text in texts {
        value.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
    }
    for text in texts {
        value.extend_from_slice(text.as_bytes());
    }
    value.extend_from_slice(record.block);
    Some(value)
}

const STAMP: usize = 2 * 8;
const HEAD: usize = STAMP + 3 * 4;

pub(super) fn stamp(value: &mut [u8], time: u64, sum: u64) {
    for (place, number) in value.chunks_exact_mut(8).zip([time, sum]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}

pub(super) fn decode(value: &[u8]) -> Result<Parts<'_>, Failure> {
    parts(value).ok_or_else(|| Failure::Corrupted("an event is not as it was written".to_owned()))
}

fn parts(value: &[u8]) -> Option<Parts<'_>> {
    let (time, rest) = value.split_first_chunk()?;
    let (sum, mut rest) = rest.split_first_chunk()?;
    let mut lengths = [0_usize; 3];
    for length in &mut lengths {
        let (bytes, after) = rest.split_first_chunk()?;
        *length = usize::try_from(u32::from_le_bytes(*bytes)).ok()?;
        rest = after;
    }
    let mut texts = [""; 3];
    for (text, length) in texts.iter_mut().zip(lengths) {
        let (bytes, after) = rest.split_at_checked(length)?;
        *text = std::str::from_utf8(bytes).ok()?;
        rest = after;
    }
    let [topic, key, trace] = texts;
    let trace = if trace.is_empty() { None } else { Some(trace.parse().ok()?) };
    let (time, sum) = (u64::from_le_bytes(*time), u64::from_le_bytes(*sum));
    Some(Parts { time, sum, topic, key, trace, block: rest })
}

/// What an event counts for: its bytes, its row of the index, and what a tree has for each.
pub(super) fn weight(value: &[u8]) -> u64 {
    const ROWS: u64 = 48;
    let topic = value.get(STAMP..).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes);
    value.len() as u64 + u64::from(topic.unwrap_or_default()) + ROWS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let trace: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
        for (topic, key, trace, block) in [
            ("", "", None, &b""[..]),
            ("topic \0", "ключ", Some(&trace), b"data: \xff\n\n"),
            ("t", "", Some(&trace), b""),
        ] {
            let mut value = encode(topic, Record::new(block, key).traced(trace)).unwrap();
            stamp(&mut value, u64::MAX - 1, 7);
            let parts = decode(&value).unwrap();
            assert_eq!(
                (parts.time, parts.sum, parts.topic, parts.record()),
                (u64::MAX - 1, 7, topic, Record::new(block, key).traced(trace))
            );
            // Cut off within what has a length, it is none.
            for end in 0..value.len() - block.len() {
                assert!(decode(&value[..end]).is_err(), "{end} of {value:?}");
            }
        }
        assert!(decode(&[255; 100]).is_err());
    }
}
