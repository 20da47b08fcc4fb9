//! A frame of a stream, taken apart into its events.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::stream::{BYE, DisconnectReason, END_ID, FAILURE, LastWord};
use crate::wire::{EventWriter, SseEvent as _};

/// The events of a frame, each with the empty line at its end and without an id; comments are left out.
///
/// What is written by the encoder has `\n` as its only line end, and an empty line nowhere but at the end of an event.
pub(super) fn events(frame: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut rest = frame.clone();
    std::iter::from_fn(move || {
        while rest.starts_with(b":") {
            let line = memchr::memchr(b'\n', &rest).map_or(rest.len(), |end| end + 1);
            drop(rest.split_to(line));
        }
        let end = memchr::memmem::find(&rest, b"\n\n")? + 2;
        Some(rest.split_to(end))
    })
    .map(|block| without_id(&block))
}

/// The id would be one of another log: of a topic that the handler follows. The last word's is the runtime's own.
fn without_id(block: &Bytes) -> Bytes {
    let end_id = format!("id: {END_ID}\n");
    if !block.starts_with(b"id:") || block.starts_with(end_id.as_bytes()) {
        return block.clone();
    }
    let line = memchr::memchr(b'\n', block).map_or(0, |end| end + 1);
    block.slice(line..)
}

/// Whether the last event of a stream is the runtime's own.
pub(super) fn is_word(block: &[u8]) -> bool {
    block.split(|byte| *byte == b'\n').any(|line| {
        let (event, id) = (line.strip_prefix(b"event: "), line.strip_prefix(b"id: "));
        event == Some(BYE.as_bytes()) || event == Some(FAILURE.as_bytes()) || id == Some(END_ID.as_bytes())
    })
}

/// The goodbye of a run that ends for this reason. There is nothing to come back for.
pub(super) fn bye(reason: DisconnectReason) -> Bytes {
    let mut block = BytesMut::new();
    let (reason, retry) = (reason.as_str(), Duration::from_secs(1));
    let word = LastWord::Bye { reason, message: None, retry, is_final: true };
    // It cannot fail: all of it is constant.
    drop(EventWriter::block(&mut block, usize::MAX, |event| word.write(event)));
    block.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(frame: &str) -> Vec<String> {
        let frame = Bytes::copy_from_slice(frame.as_bytes());
        events(&frame).map(|block| String::from_utf8(block.to_vec()).unwrap()).collect()
    }

    #[test]
    fn last_words_are_told_from_events() {
        assert!(is_word(&bye(DisconnectReason::RunFull)));
        for word in ["event: failure\ndata: {}\n\n", "id: sse-end\nevent: done\ndata: {}\n\n"] {
            assert!(is_word(word.as_bytes()), "{word}");
        }
        for event in ["data: event: failure\n\n", "event: failures\ndata: x\n\n", "id: sse-ends\ndata: x\n\n"]
        {
            assert!(!is_word(event.as_bytes()), "{event}");
        }
    }

    #[test]
    fn each_event_is_whole_and_comments_are_none() {
        assert!(split("").is_empty());
        assert_eq!(
            split("data: a\n\nevent: x\ndata: b\ndata:\ndata: c\n\n"),
            ["data: a\n\n", "event: x\ndata: b\ndata:\ndata: c\n\n"]
        );
        assert_eq!(split(": hello\n: you\ndata: a\n\n:\n"), ["data: a\n\n"]);
        assert_eq!(
            split("id: 7-1\ndata: a\n\nid: sse-end\nevent: end\ndata: {}\n\n"),
            ["data: a\n\n", "id: sse-end\nevent: end\ndata: {}\n\n"]
        );
    }
}
