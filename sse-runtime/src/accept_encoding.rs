//! Whether a request's answer may be compressed.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::route::is_zero_weight;

/// Whether `Accept-Encoding` names gzip with a weight (RFC 9110, section 12.5.3). What cannot be read counts as not
/// there, and without the header nothing is compressed: programs that can take it say so.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut named, mut any) = (None, None);
    for value in headers.get_all(ACCEPT_ENCODING) {
        let Ok(value) = value.to_str() else { continue };
        for coding in value.split(',') {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let wanted = !parts.any(is_zero_weight);
            if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                named = Some(wanted);
            } else if name == "*" {
                any = Some(wanted);
            }
        }
    }
    // A name is more precise than the wildcard.
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn gzip(values: &[&[u8]]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_bytes(value).expect("a header value"));
        }
        accepts_gzip(&headers)
    }

    #[test]
    fn what_browsers_and_programs_send_is_taken_by_its_word() {
        assert!(gzip(&[b"gzip, deflate, br, zstd"]));
        assert!(gzip(&[b"br", b"GZip;q=0.5"]));
        assert!(gzip(&[b"x-gzip"]));
        assert!(gzip(&[b"*"]));
        assert!(!gzip(&[]));
        assert!(!gzip(&[b""]));
        assert!(!gzip(&[b"identity"]));
        assert!(!gzip(&[b"br, zstd"]));
    }

    #[test]
    fn a_weight_of_zero_refuses_and_a_name_is_more_precise_than_the_wildcard() {
        assert!(!gzip(&[b"gzip;q=0"]));
        assert!(!gzip(&[b"gzip; Q=0.000, *"]));
        assert!(!gzip(&[b"*;q=0"]));
        assert!(gzip(&[b"*;q=0, gzip"]));
        assert!(gzip(&[b"gzip;q=0.001"]));
    }

    #[test]
    fn what_cannot_be_read_counts_as_not_there() {
        for odd in [&b"\xff\xfe"[..], b",,;;=,", b"gzip\xe9", b";q=", b"gzi p", b"=gzip;=q"] {
            assert!(!gzip(&[odd]), "{odd:?}");
            assert!(gzip(&[odd, b"gzip"]), "{odd:?}");
        }
        assert!(gzip(&[b"gzip;q=high"]));
    }
}
