//! What is stored how: the tables and functions of a schema, in `table.sql`, and what goes into them.
//!
//! | table | a row for | |
//! |---|---|---|
//! | `log` | the log | where it stands; locked by whoever appends, so that the order of numbers is the order of commits |
//! | `events` | each event | by number; an index by topic |
//! | `evicted` | each topic that has lost events | the number of the newest of them |
//! | `known` | each dedupe key of the last minutes | the number that goes with it |
//! | `nodes` | each process | its last group, for one whose answer was lost |
//!
//! Names and keys are bytes: text cannot hold a NUL there, and might be compared by a language's rules. An index takes 2,700
//! bytes at most, so it has a hash, and the whole is compared. Numbers have no holes but one after a loss, and only the
//! oldest events are evicted, of whatever topics; so if the oldest and the newest are there, nobody has deleted any by hand
//! but from the middle.
//!
//! What is to be done without a wait for this process in between, while the row is locked, is a function over there.

use crate::engine::{Record, TraceParent};

/// The format that is written. Any other one is refused.
pub(super) const FORMAT: i32 = 1;

/// What an event takes beside its bytes, about: the heads of its row and of two entries of indexes.
const ROW: usize = 120;

/// The names of things that belong to one log, for SQL.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Quoted.
    pub(super) schema: String,
    /// Where it is said that something was appended; quoted as a name.
    pub(super) channel: String,
    /// Advisory locks: who creates the tables, and who evicts.
    pub(super) creating: i64,
    evicting: i64,
}

impl Names {
    /// None if the schema cannot have this name.
    pub(super) fn new(schema: &str) -> Option<Self> {
        // PostgreSQL would cut a longer one off, and `$` could end the text of a function.
        if schema.is_empty() || schema.len() > 63 || schema.contains(['$', '\0']) {
            return None;
        }
        let lock = hash(&[b"sse-runtime", schema.as_bytes()]);
        Some(Self {
            schema: format!("\"{}\"", schema.replace('"', "\"\"")),
            channel: format!("sse_{:016x}", hash(&[schema.as_bytes()])),
            creating: lock,
            evicting: lock.wrapping_add(1),
        })
    }

    /// A statement with these names in it.
    pub(super) fn sql(&self, template: &str) -> String {
        template
            .replace("{format}", &FORMAT.to_string())
            .replace("{evicting}", &self.evicting.to_string())
            .replace("{channel}", &format!("'{}'", self.channel))
            .replace("{schema}", &self.schema)
    }

    /// Creates everything but the schema.
    pub(super) fn tables(&self) -> String {
        self.sql(include_str!("table.sql"))
    }
}

/// FNV-1a, of all parts and their ends: it has to be the same in every version, and what has the same hash is compared.
pub(super) fn hash(parts: &[&[u8]]) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut take = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    for part in parts {
        part.iter().copied().for_each(&mut take);
        (part.len() as u64).to_le_bytes().into_iter().for_each(&mut take);
    }
    i64::from_le_bytes(hash.to_le_bytes())
}

/// A number as the server has it. What is above all that it can have is the highest.
pub(super) fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A record on its way into the table.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: i64,
    pub(super) topic: Box<str>,
    pub(super) key: Box<str>,
    pub(super) trace: Option<TraceParent>,
    pub(super) block: Box<[u8]>,
    pub(super) dedupe: Option<Box<str>>,
}

impl Entry {
    pub(super) fn new(topic: &str, record: Record<'_>) -> Self {
        Self {
            hash: hash(&[topic.as_bytes()]),
            topic: topic.into(),
            key: record.key.into(),
            trace: record.trace.copied(),
            block: record.block.into(),
            dedupe: record.dedupe.map(Into::into),
        }
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record::new(&self.block, &self.key).traced(self.trace.as_ref())
    }

    pub(super) fn bytes(&self) -> usize {
        self.topic.len() + self.key.len() + self.block.len() + self.dedupe.as_ref().map_or(0, |key| key.len())
    }

    /// What it counts for in [`bytes`](super::Postgres::bytes).
    pub(super) fn weight(&self) -> i64 {
        let trace = self.trace.map_or(0, |trace| trace.as_str().len());
        let bytes = self.topic.len() + self.key.len() + self.block.len() + trace + ROW;
        number(bytes as u64)
    }

    /// Topic and dedupe key.
    pub(super) fn mark(&self) -> Option<i64> {
        self.dedupe.as_ref().map(|dedupe| hash(&[self.topic.as_bytes(), dedupe.as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(hash(&[]), i64::from_le_bytes(0xcbf2_9ce4_8422_2325_u64.to_le_bytes()));
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b""]), hash(&[b"", b""]));
        // They are in the tables of logs that exist.
        assert_eq!(hash(&[b"news"]), 8_526_897_431_210_679_650);
    }

    #[test]
    fn names_are_quoted_and_fit() {
        assert!(Names::new("").is_none());
        assert!(Names::new("a$b").is_none());
        assert!(Names::new(&"x".repeat(64)).is_none());
        let names = Names::new("My \"{channel}\" log").unwrap();
        assert_eq!(names.sql("SELECT {schema}.x"), "SELECT \"My \"\"{channel}\"\" log\".x");
        assert!(names.channel.len() < 64);
        for left in ["{format}", "{evicting}", "{schema}"] {
            assert!(!names.tables().contains(left), "{left}");
        }
    }
}
