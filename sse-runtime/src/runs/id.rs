//! The name of a run: who knows it can look for it, so nobody can guess one.

use std::fmt;

use crate::topic::place::MARKED;

/// 32 letters and digits that look like no others.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 5 bits each: 130 bits.
const LENGTH: usize = 26;

/// The id of a run: 26 letters and digits, of which nobody can guess one.
///
/// Clients receive it in the header `sse-run` and in the event `sse-open`, and it begins the ids of their events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId([u8; LENGTH]);

impl RunId {
    /// A new one, from the system's randomness.
    pub(crate) fn fresh() -> Result<Self, getrandom::Error> {
        let mut id = [0; LENGTH];
        getrandom::fill(&mut id)?;
        for byte in &mut id {
            // 32 divides 256, so that each is as likely as any other.
            *byte = ALPHABET.get(usize::from(*byte % 32)).copied().unwrap_or_default();
        }
        Ok(Self(id))
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
        let id: [u8; LENGTH] = text.as_bytes().try_into().ok()?;
        id.iter().all(|byte| ALPHABET.contains(byte)).then_some(Self(id))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_are_read_as_they_are_written() {
        let ids: std::collections::HashSet<RunId> = (0..1000).map(|_| RunId::fresh().unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(RunId::parse(id.as_str()), Some(id));
        }
        for text in [
            "",
            "abc",
            "abcdefghijkmnpqrstuvwxyz2",
            "abcdefghijkmnpqrstuvwxyz234",
            "ABCDEFGHIJKMNPQRSTUVWXYZ23",
            "abcdefghijkmnpqrstuvwxyz2\u{e9}",
        ] {
            assert_eq!(RunId::parse(text), None, "{text}");
        }
    }
}
