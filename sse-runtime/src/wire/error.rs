//! What can be wrong with an event. Each message names the value, the place in it and the way out, because it
//! reaches whoever called `send` and the log, and nobody else.

use std::fmt::Write as _;

/// Why an event could not be written. The stream is unharmed: nothing of the event was sent.
///
/// ```
/// use sse_runtime::{EventError, EventName};
///
/// let refused = EventName::new("tick\ndata: forged").unwrap_err();
/// assert!(matches!(refused, EventError::NameCharacter { found: '\n', at: 4, .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// An event name holds a character that would end its line, or NUL.
    #[error(
        "the event name \"{value}\" holds {} at byte {at}, which no reader could tell from the end of the field; \
         names come from the program, user input belongs in the data",
        .found.escape_unicode()
    )]
    NameCharacter {
        /// The character.
        found: char,
        /// Its place in the name, in bytes.
        at: usize,
        /// The name, escaped and shortened.
        value: String,
    },
    /// An event name is empty, which readers take for an unnamed event.
    #[error("an event name is empty; leave the name out to send an unnamed event")]
    EmptyName,
    /// An id holds something other than printable ASCII, or begins or ends with a space.
    #[error(
        "the event id \"{value}\" holds {} at byte {at}; an id is printable ASCII without a space at either end, \
         because many clients do not send anything else back in `Last-Event-ID`",
        .found.escape_unicode()
    )]
    IdCharacter {
        /// The character.
        found: char,
        /// Its place in the id, in bytes.
        at: usize,
        /// The id, escaped and shortened.
        value: String,
    },
    /// An id is longer than [`EventId::MAX_LEN`](crate::EventId::MAX_LEN) bytes.
    #[error(
        "the event id \"{value}\" has {len} bytes; {} is the most that clients send back",
        crate::EventId::MAX_LEN
    )]
    IdTooLong {
        /// Its length in bytes.
        len: usize,
        /// The id, escaped and shortened.
        value: String,
    },
    /// The field that an id is taken from returned an error when it was to show itself (`Display`).
    #[error("the event's id cannot be shown: the `Display` of its field returned an error")]
    IdUnshown,
    /// The id is `sse-end`, with which the runtime marks the end of a stream: a client that reconnects with it is told to
    /// stop.
    #[error(
        "the event id \"sse-end\" marks the end of a stream; to end it, call `finish()`, else choose another id"
    )]
    ReservedId,
    /// The event has an id of its own, and its handler is a run, whose log gives the ids.
    #[error(
        "the event has the id \"{id}\"; on a route with `run` each event gets its id from the run's log, by which clients \
         resume: leave it out"
    )]
    RunId {
        /// The id.
        id: String,
    },
    /// A hand-written [`SseEvent`](crate::SseEvent) wrote the same field twice.
    #[error("the field `{field}` was written twice in one event; write each field once")]
    Repeated {
        /// `"event"`, `"id"`, `"retry"` or `"data"`.
        field: &'static str,
    },
    /// The event is larger than the stream allows.
    #[error(
        "the event has at least {size} bytes on the wire, and {max} is the most; \
         send it in parts, send a link to it, or raise `max_event`, the route's for what is sent, the hub's for what is published"
    )]
    TooLarge {
        /// How large it had become when writing stopped, in bytes: the whole event may be larger.
        size: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// A value could not be serialized to JSON. Holds the serializer's message.
    #[error("the event's data could not be serialized to JSON: {0}")]
    Json(String),
}

impl EventError {
    #[cold]
    pub(super) fn name_character(value: &str, at: usize) -> Self {
        Self::NameCharacter { found: character(value, at), at, value: excerpt(value) }
    }

    #[cold]
    pub(super) fn id_character(value: &str, at: usize) -> Self {
        Self::IdCharacter { found: character(value, at), at, value: excerpt(value) }
    }

    #[cold]
    pub(super) fn id_too_long(value: &str) -> Self {
        Self::IdTooLong { len: value.len(), value: excerpt(value) }
    }

    #[cold]
    pub(super) fn too_large(size: usize, max: usize) -> Self {
        Self::TooLarge { size, max }
    }
}

fn character(value: &str, at: usize) -> char {
    value.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The first 40 characters, escaped, so that a value from outside cannot forge a line in the log.
fn excerpt(value: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown = String::new();
    let mut characters = value.chars();
    for character in characters.by_ref().take(SHOWN) {
        shown.extend(character.escape_debug());
    }
    let left = characters.count();
    if left > 0 {
        // Writing to a String cannot fail.
        let _ = write!(shown, "... ({left} more characters)");
    }
    shown
}
