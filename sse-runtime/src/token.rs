//! Names that nobody can guess: of runs, and of streams that take replies.

use std::fmt;

/// 32 letters and digits that look like no others.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 5 bits each: 130 bits.
const LENGTH: usize = 26;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token([u8; LENGTH]);

impl Token {
    /// How many letters and digits it has.
    #[cfg(feature = "inspector")]
    pub(crate) const LENGTH: usize = LENGTH;

    /// Whether a token may have this letter or digit.
    pub(crate) fn has(byte: u8) -> bool {
        ALPHABET.contains(&byte)
    }

    /// A new one, from the system's randomness.
    pub(crate) fn fresh() -> Result<Self, getrandom::Error> {
        let mut token = [0; LENGTH];
        getrandom::fill(&mut token)?;
        for byte in &mut token {
            // 32 divides 256, so that each is as likely as any other.
            *byte = ALPHABET.get(usize::from(*byte % 32)).copied().unwrap_or_default();
        }
        Ok(Self(token))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let token: [u8; LENGTH] = text.as_bytes().try_into().ok()?;
        token.iter().all(|byte| Self::has(*byte)).then_some(Self(token))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_read_as_they_are_written() {
        let tokens: std::collections::HashSet<Token> = (0..1000).map(|_| Token::fresh().unwrap()).collect();
        assert_eq!(tokens.len(), 1000);
        for token in tokens {
            assert_eq!(Token::parse(token.as_str()), Some(token));
        }
        for text in [
            "",
            "abc",
            "abcdefghijkmnpqrstuvwxyz2",
            "abcdefghijkmnpqrstuvwxyz234",
            "ABCDEFGHIJKMNPQRSTUVWXYZ23",
            "abcdefghijkmnpqrstuvwxyz\u{e9}",
        ] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
