//! What an untyped stream sends.

use std::borrow::Cow;

use super::{Event, EventError, EventWriter, SseEvent};

/// What an untyped stream sends: text, or an [`Event`] with a name, an id and so on.
///
/// It is seldom written out, because `send` takes text and events as they are. It is of use where the two have
/// to be one type, as in a stream of them.
///
/// ```
/// use sse_runtime::{Event, Message};
///
/// let messages = [Message::from("plain text"), Message::from(Event::new("end"))];
/// # let _ = messages;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The data of an unnamed event.
    Text(String),
    /// An event.
    Event(Event),
}

impl SseEvent for Message {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        match self {
            Self::Text(text) => event.data(text),
            Self::Event(inner) => inner.write(event),
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Box<str>> for Message {
    fn from(text: Box<str>) -> Self {
        Self::Text(text.into_string())
    }
}

impl From<Cow<'_, str>> for Message {
    fn from(text: Cow<'_, str>) -> Self {
        Self::Text(text.into_owned())
    }
}

impl From<Event> for Message {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}
