//! Events to write, and what a reader is expected to make of them.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use sse_runtime::wire::DEFAULT_MAX_EVENT;
use sse_runtime::{Event, EventError, EventWriter, SseEvent};

/// An event as it was put together, valid or not.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) name: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u32>,
    pub(crate) data: Option<String>,
}

/// An event as a reader sees it. Readers differ in what they make of a name or an id that is absent, so an absent
/// one is an empty one here.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) retry: Option<u64>,
    pub(crate) data: String,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} #{:?} {:?} {:?}", self.name, self.id, self.retry, self.data)
    }
}

impl Given {
    pub(crate) fn event(&self) -> Event {
        let mut event = Event::default();
        if let Some(name) = &self.name {
            event = event.name(name);
        }
        if let Some(id) = &self.id {
            event = event.id(id);
        }
        if let Some(millis) = self.retry {
            event = event.retry(Duration::from_millis(millis.into()));
        }
        if let Some(data) = &self.data {
            event = event.data(data);
        }
        event
    }

    /// The rules for names and ids, stated once more and in other words.
    pub(crate) fn is_valid(&self) -> bool {
        let name_ok = |name: &String| !name.is_empty() && !name.contains(['\r', '\n', '\0']);
        let id_ok = |id: &String| {
            id.len() <= 128 && id.trim() == id && id.chars().all(|c| c == ' ' || c.is_ascii_graphic())
        };
        self.name.as_ref().is_none_or(name_ok) && self.id.as_ref().is_none_or(id_ok)
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen {
            name: self.name.clone().unwrap_or_default(),
            id: self.id.clone().unwrap_or_default(),
            retry: self.retry.map(|millis| millis.min(i32::MAX.unsigned_abs()).into()),
            data: as_read(self.data.as_deref().unwrap_or_default()),
        }
    }
}

/// Every line end is read as `\n`; nothing else changes.
pub(crate) fn as_read(data: &str) -> String {
    data.replace("\r\n", "\n").replace('\r', "\n")
}

/// The bytes of one event behind what `out` holds.
pub(crate) fn write(event: &Event, out: &mut BytesMut) -> Result<(), EventError> {
    EventWriter::block(out, DEFAULT_MAX_EVENT, |writer| event.write(writer))
}

/// Text of the kind that has broken encoders: much white space, line ends, controls, colons and field names, some of
/// everything else.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "\n", "\r", "\r\n", "\n\n", " ", "\t", ":", "\0", "data", "data: ", "event: x", "id: 9", "retry: 1",
            "\u{feff}", "\u{2028}", "\u{85}", "\u{b}", "\u{c}", "{\"a\":1}", "é", "😀", "\u{10ffff}",
        ])
        .prop_map(str::to_owned),
        2 => any::<String>(),
        1 => prop::collection::vec(any::<char>(), 0..60).prop_map(String::from_iter),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Names and ids that are valid more often than text is.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[ -~]{0,130}", 3 => "[a-z0-9-]{1,20}", 1 => "[^\r\n\0]{1,20}", 2 => text()]
}

pub(crate) fn given() -> impl Strategy<Value = Given> {
    (
        prop::option::of(token()),
        prop::option::of(token()),
        prop::option::weighted(0.3, any::<u32>()),
        prop::option::weighted(0.9, text()),
    )
        .prop_map(|(name, id, retry, data)| Given { name, id, retry, data })
}
