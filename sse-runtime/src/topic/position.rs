//! Where a subscriber stands in a hub's log: the id of every event of a topic.

use std::fmt;

use crate::wire::EventId;

/// `<epoch>-<seq>`: the log's identity in hexadecimal, and the number of the last event seen.
///
/// There is one way only to write each position, so that what a client sends back is either what it was given, or
/// malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
}

impl Position {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = text.split_once('-')?;
        let canonical = |digits: &str| digits == "0" || !digits.starts_with('0');
        let all = |digits: &str, allowed: fn(u8) -> bool| !digits.is_empty() && digits.bytes().all(allowed);
        let hexadecimal = all(epoch, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !hexadecimal || !all(seq, |byte| byte.is_ascii_digit()) || !canonical(epoch) || !canonical(seq) {
            return None;
        }
        Some(Self { epoch: u64::from_str_radix(epoch, 16).ok()?, seq: seq.parse().ok()? })
    }

    pub(crate) fn id(self) -> EventId {
        EventId::of_position(self.to_string())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (epoch, seq) in [(0, 0), (1, 1), (0xdead_beef, 10), (u64::MAX, u64::MAX)] {
            let position = Position { epoch, seq };
            assert_eq!(Position::parse(&position.to_string()), Some(position));
        }
        assert_eq!(Position { epoch: 255, seq: 12 }.id().as_str(), "ff-12");
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-2-3",
            "01-2",
            "1-02",
            "+1-2",
            "1-+2",
            "1 -2",
            "1- 2",
            "FF-1",
            "0x1-2",
            "g-1",
            "1-a",
            "1-1.0",
            "10000000000000000-1",
            "1-18446744073709551616",
            "1-2 ",
            "٣-1",
            "1-٣",
        ] {
            assert_eq!(Position::parse(text), None, "{text:?}");
        }
    }
}
