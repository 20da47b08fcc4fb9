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

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(text: &str) -> String {
        let mut out = BytesMut::new();
        encode_comment(text, &mut out);
        String::from_utf8(out.to_vec()).expect("UTF-8")
    }

    #[test]
    fn a_comment_is_one_line_without_a_blank_line_after_it() {
        assert_eq!(comment("hello"), ": hello\n");
        assert_eq!(comment(""), ": \n");
        assert_eq!(KEEP_ALIVE, b":\n");
    }

    #[test]
    fn each_line_of_a_comment_is_a_comment_of_its_own() {
        assert_eq!(comment("a\ndata: forged\rb\r\nc\n"), ": a\n: data: forged\n: b\n: c\n: \n");
    }
}
