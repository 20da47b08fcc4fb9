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

    /// The id of a place in a topic's log, which is made of digits, letters and a hyphen.
    pub(crate) fn of_position(position: String) -> Self {
        debug_assert!(check(&position).is_ok(), "{position}");
        Self(Cow::Owned(position))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_ascii_is_refused_in_an_id_with_its_place() {
        for (id, found, at) in [
            ("1\n2", '\n', 1),
            ("1\r", '\r', 1),
            ("\0", '\0', 0),
            ("a\tb", '\t', 1),
            ("7é", 'é', 1),
            ("\u{7f}", '\u{7f}', 0),
            (" 7", ' ', 0),
            ("7 ", ' ', 1),
            (" ", ' ', 0),
        ] {
            let refused = EventId::new(id).expect_err(id);
            let EventError::IdCharacter { found: f, at: a, .. } = &refused else { panic!("{refused:?}") };
            assert_eq!((*f, *a), (found, at), "{id:?}");
        }
    }

    #[test]
    fn an_id_has_at_most_128_bytes() {
        assert!(EventId::new("x".repeat(128)).is_ok());
        let refused = EventId::new("x".repeat(129)).expect_err("too long");
        assert!(matches!(refused, EventError::IdTooLong { len: 129, .. }));
        assert_eq!(
            refused.to_string(),
            format!(
                "the event id \"{}... (89 more characters)\" has 129 bytes; 128 is the most that clients send back",
                "x".repeat(40)
            )
        );
    }

    #[test]
    fn an_id_may_be_empty_or_any_other_printable_text() {
        for id in ["", "0", "a-17", "a b", "~!:{}", &"x".repeat(128)] {
            assert_eq!(EventId::new(id).map(String::from).as_deref(), Ok(id));
        }
    }

    #[test]
    fn an_id_from_a_literal_is_the_same_as_a_checked_one() {
        const FIRST: EventId = EventId::from_static("a-0");
        const RESET: EventId = EventId::from_static("");
        assert_eq!((EventId::new("a-0"), "".parse()), (Ok(FIRST), Ok(RESET)));
        assert_eq!((FIRST.as_str(), FIRST.to_string(), FIRST.as_ref()), ("a-0", "a-0".to_owned(), "a-0"));
    }

    #[test]
    fn a_literal_and_a_value_follow_the_same_rule() {
        for id in ["7\n", " 7", "7 ", "é", "\u{7f}", "7\0", "a".repeat(129).leak()] {
            assert!(EventId::new(id).is_err(), "{id:?}");
            assert!(std::panic::catch_unwind(|| EventId::from_static(id)).is_err(), "{id:?}");
        }
    }
}
