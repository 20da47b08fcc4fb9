//! Reads of one topic, each a script, which sees the log as it is at one moment.

use ::redis::{Cmd, Value, from_redis_value};
use bytes::Bytes;

use super::error::RedisFailure;
use super::keys;
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
    let stored = |Found { seq, value }: Found| {
        let parts = keys::decode(&value)?;
        let (key, trace, block) = (parts.key.to_owned(), parts.trace, value.slice_ref(parts.block));
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

pub(super) struct Found {
    pub(super) seq: u64,
    pub(super) value: Bytes,
}

/// What such a call has found, if it is understood; or up to which number something is gone.
pub(super) fn found(answer: Value) -> Option<Result<Vec<Found>, u64>> {
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
    values.map(entry).collect::<Option<_>>().map(Ok)
}

fn entry(value: Value) -> Option<Found> {
    let (id, fields): (String, Vec<Vec<u8>>) = from_redis_value(value).ok()?;
    let seq = id.strip_suffix("-0")?.parse().ok()?;
    let [_previous, value] = <[_; 2]>::try_from(fields).ok()?;
    Some(Found { seq, value: value.into() })
}
