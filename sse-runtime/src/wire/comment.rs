//! Comments: lines that every reader drops. They keep a connection alive, and curl shows them.

use bytes::BytesMut;

use super::lines::split_line;

/// What is sent when there was nothing else to send for a while.
///
/// One line without a blank line after it: the blank line would make several clients report an empty event for
/// each of them.
pub(crate) const KEEP_ALIVE: &[u8] = b":\n";

/// Appends `text` as a comment, one comment line for each of its lines; an empty text is one empty comment.
pub(crate) fn encode_comment(text: &str, out: &mut BytesMut) {
    let mut rest = Some(text.as_bytes());
    while let Some(text) = rest {
        let (line, after) = split_line(text);
        out.reserve(line.len() + 3);
        out.extend_from_slice(b": ");
        out.extend_from_slice(line);
        out.extend_from_slice(b"\n");
        rest = after;
    }
}
