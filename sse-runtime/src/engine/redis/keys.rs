//! What is stored how.
//!
//! ```text
//! {prefix}:log         a hash: format, epoch, top, generation (another one if the numbers go on elsewhere), next (numbers
//!                      begin above it, if it is above the top), run (of the server), lost (something up to it may be
//!                      missing in any topic), forgotten (of topics that are not known), holes (numbers nobody has)
//!                      old (what is up to it is too old), swept (topics up to it have been looked through for that),
//!                      node <node> (its last group), node <node> <slot> (a group, a colon, its answer)
//! {prefix}:topics      a sorted set: stream by the number of its newest record, evicted or not
//! {prefix}:clock       a sorted set: the top, by the time when it was that
//! {prefix}:nodes       a sorted set: the nodes' fields, by the time until which they are kept
//! {prefix}:once:<..>   the number of a record that has a dedupe key; expires
//! {prefix}:t:<topic>   a stream: id <number>-0, <number of the topic's record before it> <record>
//! ```
//!
//! The first record that a stream has says what was evicted: everything up to the one before it, and nothing else. The same
//! names are the channels; a message is one record or several: `<its bytes> <number> <number before it> <record>`.
//!
//! The scripts pass the records on as they are: whatever text Lua makes costs a walk through all of it.

use std::time::Duration;

use crate::engine::{Record, TraceParent};

/// Of the whole layout.
pub(super) const FORMAT: u64 = 1;
/// The answers of so many groups of a node are remembered: of those under way, and one more. And for how long, after the
/// node was last there.
pub(super) const SLOTS: u64 = 5;
pub(super) const REMEMBERED: Duration = Duration::from_secs(600);
/// The length of a trace's text.
const TRACE: usize = 55;

/// The names of one log's keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) about: String,
    pub(super) topics: String,
    pub(super) clock: String,
    pub(super) nodes: String,
    /// This node's field.
    pub(super) node: String,
    /// The channel on which this node is told where the log stands.
    pub(super) marks: String,
    once: String,
    streams: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, node: &str) -> Self {
        // The braces keep all of it in one slot of a cluster.
        let key = |rest: &str| format!("{{{prefix}}}:{rest}");
        Self {
            about: key("log"),
            topics: key("topics"),
            clock: key("clock"),
            nodes: key("nodes"),
            node: format!("node {node}"),
            marks: key(&format!("marks:{node}")),
            once: key("once:"),
            streams: key("t:"),
        }
    }

    /// The field with the answer of one of this node's groups.
    pub(super) fn answer(&self, group: u64) -> String {
        format!("{} {}", self.node, group % SLOTS)
    }

    pub(super) fn stream(&self, topic: &str) -> String {
        format!("{}{topic}", self.streams)
    }

    /// The topic of a stream.
    pub(super) fn topic<'a>(&self, stream: &'a str) -> Option<&'a str> {
        stream.strip_prefix(&self.streams)
    }

    pub(super) fn once(&self, topic: &str, dedupe: &str) -> String {
        format!("{}{}:{topic}{dedupe}", self.once, topic.len())
    }
}

/// A record as it is stored: the key's length in four bytes, whether it has a trace, the trace, key, block.
pub(super) fn encode(record: Record<'_>) -> Option<Vec<u8>> {
    let key = u32::try_from(record.key.len()).ok()?;
    let mut value = Vec::with_capacity(5 + TRACE + record.key.len() + record.block.len());
    value.extend_from_slice(&key.to_be_bytes());
    value.push(u8::from(record.trace.is_some()));
    if let Some(trace) = record.trace {
        value.extend_from_slice(trace.as_str().as_bytes());
    }
    value.extend_from_slice(record.key.as_bytes());
    value.extend_from_slice(record.block);
    Some(value)
}

/// What a record has, as it was stored.
pub(super) struct Parts<'a> {
    pub(super) key: &'a str,
    pub(super) trace: Option<TraceParent>,
    pub(super) block: &'a [u8],
}

pub(super) fn decode(value: &[u8]) -> Option<Parts<'_>> {
    let (length, rest) = value.split_first_chunk::<4>()?;
    let (traced, rest) = rest.split_first()?;
    let (trace, rest) = match traced {
        0 => (None, rest),
        _ => {
            let (trace, rest) = rest.split_at_checked(TRACE)?;
            (Some(std::str::from_utf8(trace).ok()?.parse().ok()?), rest)
        }
    };
    let (key, block) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some(Parts { key: std::str::from_utf8(key).ok()?, trace, block })
}

/// A record of a topic's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) seq: u64,
    /// The number of the topic's record before it; 0 if there is none.
    pub(super) previous: u64,
    pub(super) value: &'a [u8],
}

/// The entries of a message; none in place of the rest, if that is none.
pub(super) fn entries(mut payload: &[u8]) -> impl Iterator<Item = Option<Entry<'_>>> {
    std::iter::from_fn(move || {
        if payload.is_empty() {
            return None;
        }
        let found = entry(std::mem::take(&mut payload));
        Some(found.map(|(entry, rest)| {
            payload = rest;
            entry
        }))
    })
}

fn entry(payload: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (length, rest) = number(payload)?;
    let (seq, rest) = number(rest)?;
    let (previous, rest) = number(rest)?;
    let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((Entry { seq, previous, value }, rest))
}

/// A number and a space, and what follows.
pub(super) fn number(payload: &[u8]) -> Option<(u64, &[u8])> {
    // The largest has 20 digits.
    let end = payload.iter().take(21).position(|&byte| byte == b' ')?;
    let (digits, rest) = payload.split_at(end);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
        for trace in [None, trace] {
            for (key, block) in [("", &b""[..]), ("k 1", b"data: 1\n\n"), ("\u{0}\u{20ac}", b" ")] {
                let value = encode(Record::new(block, key).traced(trace.as_ref())).unwrap();
                let parts = decode(&value).unwrap();
                assert_eq!((parts.key, parts.block, parts.trace), (key, block, trace));
            }
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        for value in
            [&b""[..], b"abc", b"\0\0\0\0", b"\0\0\0\x09\0ab", b"\0\0\0\x01\0\xff", b"\0\0\0\0\x01ab"]
        {
            assert!(decode(value).is_none(), "{value:?}");
        }
        assert!(decode(b"\0\0\0\0\0").is_some());
    }

    #[test]
    fn a_message_has_several_entries() {
        let all = |payload: &'static str| entries(payload.as_bytes()).collect::<Vec<_>>();
        let entry =
            |seq, previous, value: &'static str| Some(Entry { seq, previous, value: value.as_bytes() });
        assert_eq!(
            all("3 18014398509481984 17 a b1 4 3  0 5 4 "),
            [entry(1 << 54, 17, "a b"), entry(4, 3, " "), entry(5, 4, "")]
        );
        assert_eq!(all("1 2 1 a2 3 2 b"), [entry(2, 1, "a"), None]);
        for none in ["a", " ", "1", "1 2", "1 2 ", "1 2 1", "1 2 1 ", "x 2 1 a", "1 x 1 a", "1 2 x a"] {
            assert_eq!(all(none), [None], "{none:?}");
        }
        assert_eq!(all(""), []);
    }

    #[test]
    fn each_of_the_groups_under_way_has_a_field_for_its_answer() {
        let keys = Keys::new("sse", "n");
        let fields: std::collections::HashSet<_> = (7..7 + SLOTS).map(|group| keys.answer(group)).collect();
        assert_eq!(fields.len() as u64, SLOTS);
        assert_eq!(keys.answer(7), keys.answer(7 + SLOTS));
    }

    #[test]
    fn names_that_are_not_the_same_are_not_the_same_key() {
        let keys = Keys::new("sse", "n");
        assert_ne!(keys.once("t", "a"), keys.once("ta", ""));
        assert_eq!(keys.topic(&keys.stream("a:{b}")), Some("a:{b}"));
        assert_eq!(keys.topic(&keys.marks), None);
    }
}
