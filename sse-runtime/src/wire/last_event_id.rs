//! What a reconnecting client says it saw last. It comes from outside and may be anything.

/// The longest `Last-Event-ID` that is read, in bytes.
const MAX_LEN: usize = 1024;

/// Reads the value of a `Last-Event-ID` header.
///
/// Takes the bytes as received: browsers send UTF-8 here, which `HeaderValue::to_str` refuses. An empty header is
/// an absent one. Hostile input is not an error either: what is over 1 KiB, not UTF-8 or holds a control
/// character cannot be an id that was ever sent, and so is `None`.
///
/// ```
/// use sse_runtime::wire::last_event_id;
///
/// assert_eq!(last_event_id(b"a-17").as_deref(), Some("a-17"));
/// assert_eq!(last_event_id(b""), None);
/// assert_eq!(last_event_id(&[b'x'; 4000]), None);
/// ```
#[must_use]
pub fn last_event_id(header: &[u8]) -> Option<String> {
    if header.is_empty() || header.len() > MAX_LEN {
        return None;
    }
    let id = std::str::from_utf8(header).ok()?;
    (!id.contains(char::is_control)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_sent() {
        assert_eq!(last_event_id(b"k3-17").as_deref(), Some("k3-17"));
        assert_eq!(last_event_id("größe ✓".as_bytes()).as_deref(), Some("größe ✓"), "browsers send UTF-8");
    }

    #[test]
    fn an_empty_header_is_an_absent_one() {
        assert_eq!(last_event_id(b""), None);
    }

    #[test]
    fn what_is_longer_than_1_kib_is_no_id() {
        assert!(last_event_id(&[b'x'; 1024]).is_some());
        assert_eq!(last_event_id(&[b'x'; 1025]), None);
        assert_eq!(last_event_id(&vec![b'x'; 1024 * 1024]), None);
    }

    #[test]
    fn what_is_not_text_is_no_id() {
        for garbage in [&b"\xff\xfe"[..], b"a\xc3", b"a\0b", b"a\tb", b"a\x1b[2J", b"a\x7f", b"a\xc2\x85b"] {
            assert_eq!(last_event_id(garbage), None, "{garbage:?}");
        }
    }
}
