//! The name of an event, checked once: what holds an [`EventName`] needs no further check.

use std::{borrow::Cow, fmt, str::FromStr};

use super::EventError;

/// The name of an event: what a page passes to `addEventListener`.
///
/// Not empty, and without carriage return, line feed and NUL. A value that breaks the rule is refused and never
/// repaired: with its line feed removed, `"x\ndata: y"` would become the name `xdata: y`.
///
/// A browser's `EventSource` uses the names `open` and `error` for its own events, so a page cannot tell an event
/// of that name from them; `message` is the name that an unnamed event gets.
///
/// ```
/// use sse_runtime::{Event, EventName};
///
/// const TICK: EventName = EventName::from_static("tick");
/// let event = Event::new(TICK).data("12:00");
/// assert!(EventName::new("from\nuser").is_err());
/// # let _ = event;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName(Cow<'static, str>);

impl EventName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`EventError::EmptyName`], or [`EventError::NameCharacter`] for CR, LF or NUL.
    pub fn new(name: impl Into<String>) -> Result<Self, EventError> {
        let name = name.into();
        check(&name)?;
        Ok(Self(Cow::Owned(name)))
    }

    /// Checks a literal; in a `const` a bad one does not compile.
    ///
    /// ```compile_fail
    /// # use sse_runtime::EventName;
    /// const FORGED: EventName = EventName::from_static("tick\ndata: forged");
    /// # let _ = FORGED;
    /// ```
    ///
    /// # Panics
    ///
    /// If the name is empty or holds CR, LF or NUL. Use [`new`](Self::new) for a value that is not a literal.
    #[must_use]
    #[allow(clippy::panic, reason = "in a const, which is what this is for, it is a compile error")]
    pub const fn from_static(name: &'static str) -> Self {
        let mut rest = name.as_bytes();
        assert!(!rest.is_empty(), "an event name must not be empty");
        while let [first, after @ ..] = rest {
            assert!(
                !matches!(first, b'\r' | b'\n' | 0),
                "an event name must not hold a carriage return, a line feed or NUL"
            );
            rest = after;
        }
        Self(Cow::Borrowed(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The rule, for text that need not be kept.
pub(super) fn check(name: &str) -> Result<(), EventError> {
    if name.is_empty() {
        return Err(EventError::EmptyName);
    }
    match name.bytes().position(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        None => Ok(()),
        Some(at) => Err(EventError::name_character(name, at)),
    }
}

impl AsRef<str> for EventName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventName {
    type Err = EventError;

    fn from_str(name: &str) -> Result<Self, EventError> {
        Self::new(name)
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.0.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_or_nul_in_a_name_is_refused_with_its_place() {
        for (name, found, at) in [("a\rb", '\r', 1), ("é\nb", '\n', 2), ("\0", '\0', 0), ("x\r\n", '\r', 1)]
        {
            let refused = EventName::new(name).expect_err(name);
            let EventError::NameCharacter { found: f, at: a, .. } = &refused else { panic!("{refused:?}") };
            assert_eq!((*f, *a), (found, at), "{name:?}");
        }
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert_eq!(EventName::new(""), Err(EventError::EmptyName));
    }

    #[test]
    fn a_name_may_hold_anything_else() {
        for name in ["tick", "new_message", " spaced ", "größe", "a:b", "\u{2028}", "\t", "message"] {
            assert_eq!(EventName::new(name).map(String::from).as_deref(), Ok(name));
        }
    }

    #[test]
    fn a_name_from_a_literal_is_the_same_as_a_checked_one() {
        const TICK: EventName = EventName::from_static("tick");
        assert_eq!(EventName::new("tick"), Ok(TICK));
        assert_eq!("tick".parse(), Ok(TICK));
        assert_eq!((TICK.as_str(), TICK.to_string(), TICK.as_ref()), ("tick", "tick".to_owned(), "tick"));
    }

    #[test]
    fn the_error_shows_the_name_escaped_and_shortened() {
        let refused = EventName::new(format!("x\ndata: {}", "y".repeat(1000))).expect_err("line end");
        assert_eq!(
            refused.to_string(),
            format!(
                "the event name \"x\\ndata: {}... (968 more characters)\" holds \\u{{a}} at byte 1, which no reader \
                 could tell from the end of the field; names come from the program, user input belongs in the data",
                "y".repeat(32)
            )
        );
    }
}
