//! Who knows the id of a run can come to it, and who knows the token of a stream can answer into it. Both are in what
//! clients are sent, and so a page is shown the beginning of each: two can be told apart, and none can be used.

use crate::token::Token;

/// How much of one is shown. 100 of its bits are left to be guessed.
const SHOWN: usize = 6;

/// How much of a text has to be known, that no secret in its first `most` bytes is taken for less than it is.
pub(super) const fn enough(most: usize) -> usize {
    most + Token::LENGTH - 1
}

/// The first `most` bytes of a text, without its secrets: where as many letters of theirs follow each other as one has.
pub(super) fn mask(text: &[u8], most: usize) -> Vec<u8> {
    let mut masked = Vec::new();
    let mut room = most;
    for stretch in text.chunk_by(|a, b| Token::has(*a) == Token::has(*b)) {
        let is_secret = stretch.len() >= Token::LENGTH && stretch.first().copied().is_some_and(Token::has);
        masked.extend(stretch.iter().take(if is_secret { room.min(SHOWN) } else { room }));
        room = room.saturating_sub(stretch.len());
        if is_secret {
            masked.extend("…".as_bytes());
        }
        if room == 0 {
            break;
        }
    }
    masked
}

/// A whole text, without its secrets.
pub(super) fn masked(text: &str) -> String {
    String::from_utf8_lossy(&mask(text.as_bytes(), usize::MAX)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunId;

    const ID: &str = "abcdefghijkmnpqrstuvwxyz23";

    #[test]
    fn of_an_id_the_beginning_is_shown_wherever_it_is() {
        for (text, shown) in [
            ("", ""),
            ("the quick brown fox, and 42", "the quick brown fox, and 42"),
            ("abcdefghijkmnpqrstuvwxyz2", "abcdefghijkmnpqrstuvwxyz2"),
            (ID, "abcdef…"),
            ("sse-run:abcdefghijkmnpqrstuvwxyz23", "sse-run:abcdef…"),
            ("abcdefghijkmnpqrstuvwxyz23.a-7", "abcdef….a-7"),
            (r#"{"run":"abcdefghijkmnpqrstuvwxyz23","to":"ö"}"#, r#"{"run":"abcdef…","to":"ö"}"#),
            (r"\nabcdefghijkmnpqrstuvwxyz23", r"\nabcde…"),
        ] {
            assert_eq!(masked(text), shown);
        }
        let (one, other) = (RunId::fresh().unwrap(), RunId::fresh().unwrap());
        assert_ne!(masked(one.as_str()), masked(other.as_str()));
    }

    #[test]
    fn no_more_of_an_id_is_shown_where_a_text_is_cut() {
        for before in 0..60 {
            let text = format!("{}{ID}{}", ".".repeat(before), ".".repeat(60));
            for most in 0..60 {
                let known = &text.as_bytes()[..enough(most)];
                let shown = String::from_utf8(mask(known, most)).unwrap();
                let of_it = shown.chars().filter(char::is_ascii_alphanumeric).count();
                assert_eq!(of_it, most.saturating_sub(before).min(SHOWN), "{before} {most} {shown}");
                assert!(shown.len() <= most + "…".len());
            }
        }
        // What comes into sight behind one that is left out is cut where it was.
        let text = format!("{ID}.{ID}");
        assert_eq!(mask(&text.as_bytes()[..enough(27)], 27), "abcdef….".as_bytes());
    }
}
