//! The door for the stream: one event in, one block at the end of the connection's buffer, or nothing.

use std::{ops::Range, time::Duration};

use bytes::BytesMut;

use super::{EventError, EventWriter, Outgoing};

/// What the stream demands of an event.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The most bytes that the block may have on the wire.
    pub(crate) max_event: usize,
    /// A reconnection time to write into this block if it has none of its own. It does not count towards
    /// `max_event`: the sender did not ask for it.
    pub(crate) retry: Option<Duration>,
    /// The id that an event gets which says that it is the last. It does not count either.
    pub(crate) end_id: Option<&'static str>,
}

/// Where the parts of a written block are, counted from its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The id's text; empty if the id is, which resets the client's last id.
    pub(crate) id: Option<Range<usize>>,
    /// The name's text.
    pub(crate) name: Option<Range<usize>>,
    /// The `data:` lines with their line ends.
    pub(crate) data: Range<usize>,
    /// The event says that it is the last of its stream.
    pub(crate) terminal: bool,
    /// The length of the block with the blank line that ends it.
    pub(crate) len: usize,
}

/// Appends one event to `out`. On an error, and on a panic in the event's own code, `out` holds what it held
/// before.
pub(crate) fn encode<E, T: Outgoing<E> + ?Sized>(
    event: &T,
    out: &mut BytesMut,
    limits: &Limits,
) -> Result<Encoded, EventError> {
    let mut writer = EventWriter::begin(out, limits.max_event);
    event.write(&mut writer)?;
    writer.end(limits.retry, limits.end_id)
}
