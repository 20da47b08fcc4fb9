//! Reads an event stream the way the HTML standard says a browser does, from bytes as they arrive.
//!
//! It is written after the standard and shares nothing with the writing side, so that the two check each other.
//! Unlike a browser it also reports comments, because a test wants to see keep-alives, and which block an id or a
//! reconnection time came with.

use std::{collections::VecDeque, mem, time::Duration};

/// One thing that arrived on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A block with data, which a browser would dispatch.
    Event(ReceivedEvent),
    /// A comment line, without the colon and one space. Keep-alives are empty comments.
    Comment(String),
}

/// An event as a client sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedEvent {
    /// The name; `message` if the block gave none.
    pub name: String,
    /// The id that the block gave, if it did; empty if it reset the last id. What the client would send when it
    /// reconnects is [`Parser::last_event_id`].
    pub id: Option<String>,
    /// The data, with its lines joined by `\n`.
    pub data: String,
    /// The reconnection time that the block gave, if it did.
    pub retry: Option<Duration>,
}

/// An incremental reader of event streams, after the HTML standard.
///
/// ```
/// use sse_runtime::testing::{Item, Parser};
///
/// let mut parser = Parser::new();
/// parser.feed(b"event: tick\nid: 7\nda");
/// assert_eq!(parser.next_item(), None);
/// parser.feed(b"ta: 12:00\n\n");
/// let Some(Item::Event(event)) = parser.next_item() else { panic!("no event") };
/// assert_eq!((event.name.as_str(), event.data.as_str()), ("tick", "12:00"));
/// assert_eq!(parser.last_event_id(), "7");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The last byte was a CR: an LF right after it belongs to it.
    after_cr: bool,
    /// The first line is over, and with it the chance of a byte order mark.
    begun: bool,
    block: Block,
    last_event_id: String,
    retry: Option<Duration>,
    items: VecDeque<Item>,
}

/// The fields of the block so far.
#[derive(Clone, Debug, Default)]
struct Block {
    name: String,
    id: Option<String>,
    /// Each line with an LF after it.
    data: String,
    retry: Option<Duration>,
}

impl Parser {
    /// A parser at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let in_line_end = mem::replace(&mut self.after_cr, byte == b'\r') && byte == b'\n';
            match byte {
                b'\n' if in_line_end => {}
                b'\r' | b'\n' => self.end_line(),
                _ => self.line.push(byte),
            }
        }
    }

    /// The next item that arrived in full, or `None` until more bytes are fed. A block that the stream broke off in
    /// is never one.
    pub fn next_item(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    /// What a client that read this far sends in `Last-Event-ID` when it reconnects; if empty, it sends none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time that is in force, if the stream set one.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn end_line(&mut self) {
        let line = mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let line = String::from_utf8_lossy(line);
        match line.split_once(':') {
            None if line.is_empty() => self.dispatch(),
            None => self.field(&line, ""),
            Some((name, value)) => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                if name.is_empty() {
                    self.items.push_back(Item::Comment(value.to_owned()));
                } else {
                    self.field(name, value);
                }
            }
        }
    }

    fn field(&mut self, name: &str, value: &str) {
        match name {
            "event" => value.clone_into(&mut self.block.name),
            "data" => {
                self.block.data.push_str(value);
                self.block.data.push('\n');
            }
            "id" if !value.contains('\0') => self.block.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                if let Ok(millis) = value.parse() {
                    self.block.retry = Some(Duration::from_millis(millis));
                    // In force from its line on, not from the end of its block.
                    self.retry = self.block.retry;
                }
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let Block { mut name, id, mut data, retry } = mem::take(&mut self.block);
        // In force even if the block has no data and so is no event.
        if let Some(id) = &id {
            id.clone_into(&mut self.last_event_id);
        }
        if data.pop().is_none() {
            return;
        }
        if name.is_empty() {
            "message".clone_into(&mut name);
        }
        self.items.push_back(Item::Event(ReceivedEvent { name, id, data, retry }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Item> {
        let mut parser = Parser::new();
        parser.feed(bytes);
        std::iter::from_fn(|| parser.next_item()).collect()
    }

    fn message(data: &str) -> Item {
        Item::Event(ReceivedEvent { name: "message".into(), data: data.into(), ..ReceivedEvent::default() })
    }

    #[test]
    fn the_examples_of_the_standard_are_read_as_it_says() {
        assert_eq!(read(b"data: YHOO\ndata: +2\ndata: 10\n\n"), [message("YHOO\n+2\n10")]);
        let first = ReceivedEvent { id: Some("1".into()), ..ReceivedEvent::default() };
        assert_eq!(
            read(
                b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n"
            ),
            [
                Item::Comment("test stream".into()),
                Item::Event(ReceivedEvent { name: "message".into(), data: "first event".into(), ..first }),
                Item::Event(ReceivedEvent {
                    name: "message".into(),
                    id: Some(String::new()),
                    data: "second event".into(),
                    retry: None,
                }),
            ]
        );
        assert_eq!(read(b"data\n\ndata\ndata\n\ndata:"), [message(""), message("\n")]);
        assert_eq!(read(b"data:test\n\ndata: test\n\n"), [message("test"), message("test")]);
    }

    #[test]
    fn all_three_line_ends_end_a_line_and_crlf_ends_one() {
        for stream in ["data: a\ndata: b\n\n", "data: a\rdata: b\r\r", "data: a\r\ndata: b\r\n\r\n"] {
            assert_eq!(read(stream.as_bytes()), [message("a\nb")], "{stream:?}");
        }
    }

    #[test]
    fn a_cr_and_its_lf_may_arrive_apart() {
        let mut parser = Parser::new();
        parser.feed(b"data: a\r");
        parser.feed(b"\ndata: b\r");
        parser.feed(b"\n\r");
        assert_eq!(parser.next_item(), Some(message("a\nb")));
        parser.feed(b"\ndata: c\n\n");
        assert_eq!(parser.next_item(), Some(message("c")));
    }

    #[test]
    fn a_byte_order_mark_is_dropped_at_the_beginning_alone() {
        assert_eq!(
            read("\u{feff}data: a\n\ndata: \u{feff}b\n\n\u{feff}data: c\n\n".as_bytes()),
            [message("a"), message("\u{feff}b")]
        );
        assert_eq!(read("\u{feff}\u{feff}data: a\n\n".as_bytes()), []);
    }

    #[test]
    fn a_block_without_data_is_no_event_but_its_id_and_retry_count() {
        let mut parser = Parser::new();
        parser.feed(b"event: tick\nid: 9\nretry: 20\n\n");
        assert_eq!(parser.next_item(), None);
        assert_eq!(parser.last_event_id(), "9");
        assert_eq!(parser.retry(), Some(Duration::from_millis(20)));
        parser.feed(b"data: x\n\n");
        assert_eq!(parser.next_item(), Some(message("x")), "the name does not outlive its block");
    }

    #[test]
    fn an_id_takes_effect_at_the_end_of_its_block_and_a_retry_at_once() {
        let mut parser = Parser::new();
        parser.feed(b"id: 9\nretry: 20\ndata: x\n");
        assert_eq!(parser.last_event_id(), "");
        assert_eq!(parser.retry(), Some(Duration::from_millis(20)));
        parser.feed(b"\n");
        assert_eq!(parser.last_event_id(), "9");
    }

    #[test]
    fn an_id_with_nul_and_a_retry_that_is_no_number_are_ignored() {
        let mut parser = Parser::new();
        parser.feed(b"id: 1\nid: 2\0\nretry: 5\nretry: 1s\nretry: -1\nretry:\nretry: 6 \ndata: x\n\n");
        assert_eq!(parser.last_event_id(), "1");
        assert_eq!(parser.retry(), Some(Duration::from_millis(5)));
    }

    #[test]
    fn a_keep_alive_is_an_empty_comment() {
        assert_eq!(
            read(b":\n: hello\n:x\n"),
            ["", "hello", "x"].map(|comment| Item::Comment(comment.to_owned()))
        );
    }

    #[test]
    fn unknown_fields_and_bad_utf8_do_no_harm() {
        assert_eq!(read(b"Data: no\nfoo: bar\ndata : no\ndata: a\xffb\n\n"), [message("a\u{fffd}b")]);
    }
}
