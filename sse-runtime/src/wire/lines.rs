//! Where a reader sees a line end: at `\r\n` (once), `\r` and `\n`, in every field alike. Whatever splits text
//! into lines splits it here, so that data and comments cannot disagree.

/// Cuts the first line off `text`: the line without its end, and what follows the end. `None` for the rest means
/// that `text` had no line end.
#[inline]
pub(super) fn split_line(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(at) = memchr::memchr2(b'\r', b'\n', text) else {
        return (text, None);
    };
    let (line, rest) = text.split_at(at);
    let rest = match rest {
        [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
        [] => rest,
    };
    (line, Some(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<&str> {
        let mut lines = Vec::new();
        let mut rest = Some(text.as_bytes());
        while let Some(text) = rest {
            let (line, after) = split_line(text);
            lines.push(std::str::from_utf8(line).expect("cut at ASCII"));
            rest = after;
        }
        lines
    }

    #[test]
    fn each_of_the_three_line_ends_ends_one_line() {
        assert_eq!(lines("a\nb\rc\r\nd"), ["a", "b", "c", "d"]);
        assert_eq!(lines("a\n\rb\r\r\nc"), ["a", "", "b", "", "c"]);
    }

    #[test]
    fn a_line_end_at_the_end_begins_an_empty_line() {
        for text in ["a\n", "a\r", "a\r\n"] {
            assert_eq!(lines(text), ["a", ""], "{text:?}");
        }
    }

    #[test]
    fn text_without_a_line_end_is_one_line() {
        assert_eq!(lines(""), [""]);
        assert_eq!(
            lines("a\u{2028}b\u{85}c\u{b}d"),
            ["a\u{2028}b\u{85}c\u{b}d"],
            "not line ends on the wire"
        );
    }
}
