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
    writer.end(limits.retry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Event, Json, Message};

    const LIMITS: Limits = Limits { max_event: 1000, retry: None };

    fn block<T: Outgoing<Message>>(event: T) -> String {
        let mut out = BytesMut::new();
        encode::<Message, _>(&event, &mut out, &LIMITS).expect("encodes");
        String::from_utf8(out.to_vec()).expect("UTF-8")
    }

    #[test]
    fn text_is_the_data_of_an_unnamed_event() {
        assert_eq!(block("hello"), "data: hello\n\n");
        assert_eq!(block(Json(&[1, 2])), "data: [1,2]\n\n");
    }

    #[test]
    fn the_fields_of_an_event_come_in_a_fixed_order() {
        let event = Event::default().data("x").retry(Duration::from_secs(15)).id("7").name("tick");
        assert_eq!(block(&event), "event: tick\nid: 7\nretry: 15000\ndata: x\n\n");
    }

    #[test]
    fn a_default_retry_comes_before_the_data_and_moves_the_ranges() {
        let limits = Limits { retry: Some(Duration::from_millis(3000)), ..LIMITS };
        let mut out = BytesMut::from("data: earlier\n\n");
        let start = out.len();
        let event = Event::new("tick").id("7").data("x");
        let at = encode::<Message, _>(&event, &mut out, &limits).expect("encodes");
        let block = &out[start..];
        assert_eq!(block, b"event: tick\nid: 7\nretry: 3000\ndata: x\n\n");
        assert_eq!(&block[at.data], b"data: x\n");
        assert_eq!(&block[at.id.expect("id")], b"7");
        assert_eq!(&block[at.name.expect("name")], b"tick");
        assert_eq!(at.len, block.len());
    }
}
