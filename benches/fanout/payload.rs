//! The text of an event.

/// The last byte of every event's text. It is nowhere else in what a server sends, neither in a head, nor in the
/// framing, nor in a ping, so that counting it counts events, wherever the reads happen to cut the stream.
pub(crate) const MARK: u8 = b'~';

/// A text of `bytes` bytes.
pub(crate) fn text(bytes: usize) -> String {
    const WORDS: &str = "The quick brown fox jumps over the lazy dog. ";
    let mut text: String = WORDS.chars().cycle().take(bytes.saturating_sub(1)).collect();
    text.push(char::from(MARK));
    text
}
