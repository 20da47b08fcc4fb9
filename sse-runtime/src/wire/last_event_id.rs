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
