//! Events as they leave, cut to what a page shows of them.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::secret::{enough, mask};
use crate::stream::{Looker, Shown};

/// How much is shown of an event's data, and of its name and id, in bytes.
const SHOWN: usize = 200;
/// How many events are shown at a time: as many as anybody can read, and more.
const MOST: usize = 100;

/// What a looker has seen since it was last asked: the newest, and how many it was too much for. Nothing, if it was nothing.
pub(super) fn batch(looker: &Looker) -> Option<Value> {
    let (frames, mut left_out) = looker.take();
    let mut newest = VecDeque::new();
    for Shown { stream, frame } in &frames {
        for event in events(frame) {
            if newest.len() == MOST {
                newest.pop_front();
                left_out += 1;
            }
            newest.push_back((stream, event));
        }
    }
    if newest.is_empty() && left_out == 0 {
        return None;
    }
    let shown = newest.into_iter().map(|(stream, event)| {
        json!({
            "stream": stream.id().get(),
            "path": shown(stream.path()),
            "name": event.name,
            "id": event.id,
            "data": event.data,
            "bytes": event.bytes,
            "cut": event.bytes > SHOWN,
        })
    });
    Some(json!({ "events": shown.collect::<Vec<_>>(), "left_out": left_out }))
}

/// An event, as far as it is shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    name: Option<String>,
    id: Option<String>,
    data: String,
    /// All of its data, shown or not.
    bytes: usize,
}

/// The events of a frame. Frames are what this library writes: whole events, and comments, in lines that end with `\n`.
fn events(frame: &[u8]) -> impl Iterator<Item = Seen> + '_ {
    let mut lines = frame.split(|byte| *byte == b'\n');
    std::iter::from_fn(move || {
        let mut seen = Seen::default();
        let mut data: Vec<u8> = Vec::new();
        let mut any = false;
        for line in lines.by_ref() {
            if let Some(line) = line.strip_prefix(b"data: ") {
                if any {
                    cut(&mut data, b"\n");
                    seen.bytes += 1;
                }
                any = true;
                seen.bytes += line.len();
                cut(&mut data, line);
            } else if let Some(name) = line.strip_prefix(b"event: ") {
                seen.name = Some(text(name));
            } else if let Some(id) = line.strip_prefix(b"id: ") {
                seen.id = Some(text(id));
            } else if line.is_empty() && any {
                seen.data = text(&data);
                return Some(seen);
            }
        }
        None
    })
}

/// Appends what is looked at.
fn cut(data: &mut Vec<u8>, line: &[u8]) {
    let room = enough(SHOWN).saturating_sub(data.len());
    data.extend_from_slice(line.get(..room).unwrap_or(line));
}

/// A text of somebody else's, as much of it as there is room for.
pub(super) fn shown(text: &str) -> String {
    self::text(text.as_bytes())
}

/// The beginning of a text, without its secrets: of a character that was cut through, nothing.
fn text(bytes: &[u8]) -> String {
    let bytes = mask(bytes, SHOWN);
    let whole = match std::str::from_utf8(&bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::{Event, Limits, Message, encode, encode_comment};

    fn frame(events: &[Event]) -> BytesMut {
        let mut frame = BytesMut::new();
        let limits = Limits { max_event: usize::MAX, retry: None, end_id: None };
        for event in events {
            encode_comment("a comment\nof two lines", &mut frame);
            encode::<Message, Event>(event, &mut frame, &limits).expect("it can be written");
        }
        frame
    }

    #[test]
    fn a_frame_is_taken_apart_into_what_was_sent() {
        let frame = frame(&[
            Event::new("price").id("7").data("one\n\nthree\n"),
            Event::default().data(""),
            Event::default().data(" data: x"),
        ]);
        let seen: Vec<_> = events(&frame).collect();
        let event = |name: Option<&str>, id: Option<&str>, data: &str| Seen {
            name: name.map(str::to_owned),
            id: id.map(str::to_owned),
            data: data.to_owned(),
            bytes: data.len(),
        };
        assert_eq!(
            seen,
            [
                event(Some("price"), Some("7"), "one\n\nthree\n"),
                event(None, None, ""),
                event(None, None, " data: x")
            ]
        );
    }

    #[test]
    fn of_much_data_the_beginning_is_shown_and_its_length() {
        let long = format!("{}\n{}", "ö".repeat(99), "ü".repeat(5000));
        let frame = frame(&[Event::new("E".repeat(300)).data(long.as_str())]);
        let seen: Vec<_> = events(&frame).collect();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].data, format!("{}\n", "ö".repeat(99)), "half a character is not shown");
        assert_eq!((seen[0].bytes, seen[0].name.as_ref().map(String::len)), (long.len(), Some(200)));
    }

    #[test]
    fn an_id_that_is_cut_through_is_not_shown_as_far_as_it_goes() {
        let id = "abcdefghijkmnpqrstuvwxyz23";
        for before in 150..210_usize {
            let long = format!("{}{id} and more", ".".repeat(before));
            let seen: Vec<_> = events(&frame(&[Event::default().id(id).data(long)])).collect();
            assert!(!seen[0].data.contains("abcdefg"), "{before}: {}", seen[0].data);
            assert_eq!(seen[0].data.contains("abcdef"), before <= 194, "{before}: {}", seen[0].data);
            assert_eq!(seen[0].id.as_deref(), Some("abcdef…"));
        }
    }
}
