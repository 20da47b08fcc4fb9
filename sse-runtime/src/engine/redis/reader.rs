//! Reads of one topic, each a script, which sees the log as it is at one moment.

use ::redis::{Cmd, Value};
use bytes::Bytes;

use super::error::RedisFailure;
use super::keys::{Message, message};
use super::link::Shared;
use super::script::READ;
use crate::engine::{Page, Stored};

/// How much one page has at most; a record that is larger is a page of its own.
pub(super) const RECORDS: usize = 512;
pub(super) const BYTES: usize = 256 << 10;
/// The largest number that a script can count to.
pub(super) const LARGEST: u64 = 1 << 53;

pub(super) async fn read(shared: &Shared, topic: &str, after: u64, until: u64) -> Result<Page, RedisFailure> {
    if after >= until.min(LARGEST) {
        return Ok(Page::Records(Vec::new()));
    }
    let stream = shared.keys.stream(topic);
    let answer =
        shared.ask(&call(shared, &stream, after, until, RECORDS), shared.options.read_timeout).await?;
    let foreign = || RedisFailure::Foreign { address: shared.address.clone(), key: stream.clone() };
    let found = match found(answer).ok_or_else(foreign)? {
        Ok(found) => found,
        Err(until) => return Ok(Page::Evicted { until }),
    };
    let stored = |entry: Bytes| {
        let Message { seq, parts, .. } = message(&entry)?;
        let (key, trace, block) = (parts.key.to_owned(), parts.trace, entry.slice_ref(parts.block));
        Some(Stored { seq, block, key, trace })
    };
    let records: Option<Vec<_>> = found.into_iter().map(stored).collect();
    records.map(Page::Records).ok_or_else(foreign)
}

/// Reads what a stream has above one number, up to another one.
pub(super) fn call(shared: &Shared, stream: &str, after: u64, until: u64, most: usize) -> Cmd {
    let (keys, mut call) = (&shared.keys, READ.call(3));
    call.arg(&keys.about).arg(&keys.topics).arg(stream).arg(after).arg(until).arg(most).arg(BYTES);
    call
}

/// What such a call has found, if it is understood; or up to which number something is gone.
pub(super) fn found(answer: Value) -> Option<Result<Vec<Bytes>, u64>> {
    let Value::Array(values) = answer else { return None };
    let mut values = values.into_iter();
    match values.next()? {
        Value::Int(0) => match values.next()? {
            Value::Int(until) => return Some(Err(u64::try_from(until).ok()?)),
            _ => return None,
        },
        Value::Int(1) => {}
        _ => return None,
    }
    let entry = |value| match value {
        Value::BulkString(entry) => Some(Bytes::from(entry)),
        _ => None,
    };
    values.map(entry).collect::<Option<_>>().map(Ok)
}
