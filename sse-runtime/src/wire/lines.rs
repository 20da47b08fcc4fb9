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
