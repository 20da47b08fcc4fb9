//! What nodes tell each other of a run, in a topic of its own: who has it, and how it ended.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// A node has it; its events have numbers above this record's.
    Begun { route: String, path: String, principal: Option<String>, node: u64, keep: u64 },
    /// It is over, since then; nothing has a higher number than `last`.
    Ended { last: u64, reason: String, at: u64 },
    /// Somebody wants it to end.
    Cancelled,
}

impl Course {
    pub(super) fn block(&self) -> Vec<u8> {
        // Nothing of it can fail to be written as JSON.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("data: {json}\n\n").into_bytes()
    }

    /// None if it is something that this version does not know.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let json = block.strip_prefix(b"data: ")?;
        let value: Value = serde_json::from_slice(json).ok()?;
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let number = |name: &str| value.get(name)?.as_u64();
        Some(match value.get("is")?.as_str()? {
            "begun" => Self::Begun {
                route: text("route")?,
                path: text("path")?,
                principal: text("principal"),
                node: number("node")?,
                keep: number("keep")?,
            },
            "ended" => Self::Ended { last: number("last")?, reason: text("reason")?, at: number("at")? },
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }
}

// By hand: the derive would be another dependency.
impl Serialize for Course {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Begun { route, path, principal, node, keep } => {
                map.serialize_entry("is", "begun")?;
                map.serialize_entry("route", route)?;
                map.serialize_entry("path", path)?;
                map.serialize_entry("principal", principal)?;
                map.serialize_entry("node", node)?;
                map.serialize_entry("keep", keep)?;
            }
            Self::Ended { last, reason, at } => {
                map.serialize_entry("is", "ended")?;
                map.serialize_entry("last", last)?;
                map.serialize_entry("reason", reason)?;
                map.serialize_entry("at", at)?;
            }
            Self::Cancelled => map.serialize_entry("is", "cancelled")?,
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for course in [
            Course::Begun {
                route: "/chat".to_owned(),
                path: "/chat\n\"".to_owned(),
                principal: None,
                node: u64::MAX,
                keep: 1,
            },
            Course::Begun {
                route: String::new(),
                path: String::new(),
                principal: Some("ada".to_owned()),
                node: 0,
                keep: 0,
            },
            Course::Ended { last: u64::MAX, reason: "Completed".to_owned(), at: 7 },
            Course::Cancelled,
        ] {
            assert_eq!(Course::read(&course.block()), Some(course));
        }
        for block in ["", "data: {}\n\n", "data: {\"is\":\"other\"}\n\n", "data: {\"is\":\"ended\"}\n\n", "x"]
        {
            assert_eq!(Course::read(block.as_bytes()), None, "{block}");
        }
    }
}
