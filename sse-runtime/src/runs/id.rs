//! The name of a run: who knows it can look for it, so nobody can guess one.

use std::fmt;

use crate::token::Token;
use crate::topic::place::MARKED;

/// The id of a run: 26 letters and digits, of which nobody can guess one.
///
/// Clients receive it in the header `sse-run` and in the event `sse-open`, and it begins the ids of their events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Token);

impl RunId {
    /// A new one, from the system's randomness.
    pub(crate) fn fresh() -> Result<Self, getrandom::Error> {
        Token::fresh().map(Self)
    }

    /// Reads an id that was written.
    ///
    /// ```
    /// use sse_runtime::RunId;
    ///
    /// let id = RunId::parse("abcdefghijkmnpqrstuvwxyz23").expect("26 of the letters that ids have");
    /// assert_eq!(id.as_str(), "abcdefghijkmnpqrstuvwxyz23");
    /// assert!(RunId::parse("guess").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Token::parse(text).map(Self)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The topic of its events.
    pub(super) fn events(&self) -> String {
        format!("{MARKED}{self}")
    }

    /// The topic in which nodes tell each other what becomes of it.
    pub(super) fn course(&self) -> String {
        format!("sse-run-course:{self}")
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({self})")
    }
}
