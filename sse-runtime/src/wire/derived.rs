//! What `#[derive(SseEvent)]` calls. As functions, so that a mistake in a field is an error at the field.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::{EventError, EventId, EventWriter};

/// What is known of an event type's values without having one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventShape {
    /// The event's name; empty if it is not known before there is a value.
    pub(crate) name: &'static str,
    pub(crate) has_id: bool,
    pub(crate) is_terminal: bool,
}

#[allow(missing_docs)]
impl EventShape {
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, has_id: false, is_terminal: false }
    }

    #[must_use]
    pub const fn with_id(mut self) -> Self {
        self.has_id = true;
        self
    }

    #[must_use]
    pub const fn terminal(mut self) -> Self {
        self.is_terminal = true;
        self
    }
}

#[allow(missing_docs, clippy::missing_errors_doc)]
pub fn name(event: &mut EventWriter<'_>, name: &'static str) -> Result<(), EventError> {
    event.name(name)
}

#[allow(missing_docs, clippy::missing_errors_doc)]
pub fn retry(event: &mut EventWriter<'_>, after: Duration) -> Result<(), EventError> {
    event.retry(after)
}

#[allow(missing_docs)]
pub fn terminal(event: &mut EventWriter<'_>) {
    event.terminal();
}

/// Writes the id as it shows itself.
#[allow(clippy::missing_errors_doc)]
pub fn id<T: EventIdField>(event: &mut EventWriter<'_>, id: &T) -> Result<(), EventError> {
    let mut short = Short { text: [0; EventId::MAX_LEN], len: 0 };
    // Ids change with every event: one that is as short as it has to be costs no memory.
    if write!(short, "{id}").is_ok() {
        if let Some(Ok(text)) = short.text.get(..short.len).map(std::str::from_utf8) {
            return event.id(text);
        }
    }
    // It is too long, which the error says with the whole of it in view; or it cannot be shown at all.
    let mut text = String::new();
    write!(text, "{id}").map_err(|_| EventError::IdUnshown)?;
    event.id(&text)
}

#[allow(missing_docs, clippy::missing_errors_doc)]
pub fn json<T: Data>(event: &mut EventWriter<'_>, data: &T) -> Result<(), EventError> {
    event.json(data)
}

/// What serde can write.
#[diagnostic::on_unimplemented(
    message = "the events of `{Self}` cannot be written as JSON",
    label = "`{Self}` does not implement `serde::Serialize`",
    note = "add it beside: `#[derive(serde::Serialize, sse_runtime::SseEvent)]`"
)]
pub trait Data: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Data for T {}

/// A field that `#[sse(id = "..")]` names.
#[diagnostic::on_unimplemented(
    message = "an event's id cannot be taken from a `{Self}`",
    label = "this field has the type `{Self}`, which does not implement `Display`",
    note = "an id is text: take it from a number, a `String`, or a type that implements `std::fmt::Display`"
)]
pub trait EventIdField: Display {}

#[diagnostic::do_not_recommend]
impl<T: Display> EventIdField for T {}

struct Short {
    text: [u8; EventId::MAX_LEN],
    len: usize,
}

impl fmt::Write for Short {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let end = self.len + piece.len();
        self.text.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(piece.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &impl Display) -> Result<String, EventError> {
        let mut out = bytes::BytesMut::new();
        EventWriter::block(&mut out, 1000, |event| id(event, value))?;
        Ok(String::from_utf8(out.to_vec()).expect("text"))
    }

    #[test]
    fn an_id_is_what_its_field_shows() {
        assert_eq!(written(&7), Ok("id: 7\ndata: \n\n".to_owned()));
        assert_eq!(written(&"a".repeat(128)), Ok(format!("id: {}\ndata: \n\n", "a".repeat(128))));
        assert!(matches!(written(&"a".repeat(129)), Err(EventError::IdTooLong { len: 129, .. })));
        assert!(matches!(written(&"a\nb"), Err(EventError::IdCharacter { found: '\n', .. })));
        struct Unshown;
        impl Display for Unshown {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        assert_eq!(written(&Unshown), Err(EventError::IdUnshown));
    }
}
