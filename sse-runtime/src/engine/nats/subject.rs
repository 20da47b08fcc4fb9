//! How a topic's name becomes part of a subject, and of what the server knows a record again by.
//!
//! | name | in the subject |
//! |---|---|
//! | `orders-7_a` | the same: letters and digits of ASCII, `-`, `_`, `:`, `/`, `@`, `+`, `~`, `,` |
//! | `a.b *` | `a=2Eb=20=2A`: every other byte, by its number |
//! | the empty one | `=` |
//! | what would be longer than 200 bytes so | `=h` and a hash of 128 bits |
//!
//! A subject is a line of the protocol, and lines have a limit (4 KiB by default), so long names are hashed. Whose record it
//! is says the record itself, and readers compare that: two names with one hash cost time, and nothing else.

use std::fmt::Write as _;

/// What is longer is hashed.
const LONGEST: usize = 200;

/// The one token of a subject that stands for this topic.
pub(super) fn token(topic: &str) -> String {
    if topic.is_empty() {
        return "=".to_owned();
    }
    let mut token = String::with_capacity(topic.len());
    escape(topic, &mut token);
    if token.len() > LONGEST {
        token.clear();
        let _ = write!(token, "=h{:032x}", fnv(topic.as_bytes()));
    }
    token
}

/// By what the server knows a record again that its publisher gave a key.
pub(super) fn message_id(topic: &str, dedupe: &str) -> String {
    let mut id = String::with_capacity(topic.len() + dedupe.len() + 2);
    id.push('k');
    escape(topic, &mut id);
    id.push('.');
    escape(dedupe, &mut id);
    id
}

fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => into.push(char::from(byte)),
            b'-' | b'_' | b':' | b'/' | b'@' | b'+' | b'~' | b',' => into.push(char::from(byte)),
            _ => {
                let _ = write!(into, "={byte:02X}");
            }
        }
    }
}

/// FNV-1a, which is the same on every machine and with every compiler.
fn fnv(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_token_is_one_token_and_no_wildcard() {
        let long = "x".repeat(10_000);
        let names =
            ["", "a", "a.b", "*", ">", ".", "a b", "a\r\nb", "\0", "ä", "=", "=h", "=2E", "日本語", &long];
        for name in names {
            let token = token(name);
            assert!(!token.is_empty() && token.len() <= LONGEST, "{name:?}: {token:?}");
            assert!(
                token.bytes().all(|byte| byte.is_ascii_graphic() && !b".*>".contains(&byte)),
                "{name:?}: {token:?}"
            );
        }
        assert_eq!((token("a.b *"), token("")), ("a=2Eb=20=2A".to_owned(), "=".to_owned()));
        // Known values of the hash, so that no release changes what is in people's logs.
        assert_eq!(fnv(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    #[test]
    fn no_two_names_have_one_token() {
        let mut names: Vec<String> =
            ["", "=", "=h", "==", "a", "A", "=61", "a=", "=3D", "."].map(str::to_owned).into();
        names.extend((0..300).map(|n| "é".repeat(n)));
        names.extend((0..300).map(|n| "x".repeat(n)));
        names.extend((0..300).map(|n| format!("{}{n}", "long ".repeat(60))));
        let names: HashSet<_> = names.into_iter().collect();
        let tokens: HashSet<_> = names.iter().map(|name| token(name)).collect();
        assert_eq!(tokens.len(), names.len());
    }

    #[test]
    fn a_key_is_one_of_its_topic() {
        let ids = [("a", "b"), ("a.b", ""), ("", "a.b"), ("ab", ""), ("", "ab"), ("a", ".b"), ("a.", "b")];
        let ids: HashSet<_> = ids.iter().map(|(topic, key)| message_id(topic, key)).collect();
        assert_eq!(ids.len(), 7);
    }
}
