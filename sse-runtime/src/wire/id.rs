//! The id of an event, checked once: what holds an [`EventId`] needs no further check.

use std::{borrow::Cow, fmt, str::FromStr};

use super::EventError;

/// The id of an event: what a client sends back in `Last-Event-ID` when it reconnects.
///
/// Printable ASCII without a space at either end, at most [`MAX_LEN`](Self::MAX_LEN) bytes. The HTML standard
/// allows more, but many clients lose anything else on the way back, and NUL makes all of them ignore the id.
///
/// An empty id is allowed and means something: it makes the client forget the last id, so that it reconnects
/// without `Last-Event-ID`.
///
/// ```
/// use sse_runtime::{Event, EventId};
///
/// const FIRST: EventId = EventId::from_static("a-0");
/// let event = Event::new("tick").id(FIRST);
/// assert!(EventId::new("größe").is_err());
/// # let _ = event;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Cow<'static, str>);

impl EventId {
    /// The longest id in bytes.
    pub const MAX_LEN: usize = 128;

    /// Checks an id.
    ///
    /// # Errors
    ///
    /// [`EventError::IdCharacter`] or [`EventError::IdTooLong`].
    pub fn new(id: impl Into<String>) -> Result<Self, EventError> {
        let id = id.into();
        check(&id)?;
        Ok(Self(Cow::Owned(id)))
    }

    /// Checks a literal; in a `const` a bad one does not compile.
    ///
    /// ```compile_fail
    /// # use sse_runtime::EventId;
    /// const FORGED: EventId = EventId::from_static("7\ndata: forged");
    /// # let _ = FORGED;
    /// ```
    ///
    /// # Panics
    ///
    /// If [`new`](Self::new) would refuse the id. Use that for a value that is not a literal.
    #[must_use]
    pub const fn from_static(id: &'static str) -> Self {
        let bytes = id.as_bytes();
        assert!(bytes.len() <= Self::MAX_LEN, "an event id must not be longer than 128 bytes");
        assert!(
            !matches!(bytes, [b' ', ..] | [.., b' ']),
            "an event id must not begin or end with a space, which readers may strip"
        );
        let mut rest = bytes;
        while let [first, after @ ..] = rest {
            assert!(matches!(first, 0x20..=0x7e), "an event id must be printable ASCII");
            rest = after;
        }
        Self(Cow::Borrowed(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The rule, for text that need not be kept.
pub(super) fn check(id: &str) -> Result<(), EventError> {
    if id.len() > EventId::MAX_LEN {
        return Err(EventError::id_too_long(id));
    }
    if let Some(at) = id.bytes().position(|byte| !matches!(byte, 0x20..=0x7e)) {
        return Err(EventError::id_character(id, at));
    }
    match id.as_bytes() {
        [b' ', ..] => Err(EventError::id_character(id, 0)),
        [rest @ .., b' '] => Err(EventError::id_character(id, rest.len())),
        _ => Ok(()),
    }
}

impl AsRef<str> for EventId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventId {
    type Err = EventError;

    fn from_str(id: &str) -> Result<Self, EventError> {
        Self::new(id)
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.0.into_owned()
    }
}
