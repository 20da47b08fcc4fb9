//! Whether a request's `Accept` allows an event stream (RFC 9110, section 12.5.1).

use http::{HeaderMap, header::ACCEPT};

/// False only if the header is there and gives `text/event-stream` no weight. A range that cannot be read counts as
/// not there.
pub(crate) fn accepts_event_stream(headers: &HeaderMap) -> bool {
    let mut best: Option<(u8, bool)> = None;
    let mut asked = false;
    for value in headers.get_all(ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            if media.is_empty() {
                continue;
            }
            asked = true;
            let precision = match media.to_ascii_lowercase().as_str() {
                "text/event-stream" => 3,
                "text/*" => 2,
                "*/*" => 1,
                _ => continue,
            };
            let refused = parts.any(is_zero_weight);
            // The most precise range decides, whatever the order.
            if best.is_none_or(|(known, _)| precision > known) {
                best = Some((precision, !refused));
            }
        }
    }
    !asked || best.is_some_and(|(_, accepted)| accepted)
}

/// Whether a parameter is the weight that refuses what it stands behind, `q=0`.
pub(crate) fn is_zero_weight(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("q") && weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, value.parse().expect("a header value"));
        }
        accepts_event_stream(&headers)
    }

    #[test]
    fn no_header_or_an_empty_one_accepts_everything() {
        assert!(accepts(&[]));
        assert!(accepts(&[""]));
    }

    #[test]
    fn the_type_itself_and_its_wildcards_are_accepted() {
        for value in [
            "text/event-stream",
            "Text/Event-Stream",
            "text/*",
            "*/*",
            "text/html, */*;q=0.1",
            "*/*; q=0.001",
        ] {
            assert!(accepts(&[value]), "{value}");
        }
    }

    #[test]
    fn another_type_alone_refuses() {
        for value in
            ["application/json", "text/html, image/*", "text/event-stream;q=0", "text/event-stream; Q=0.000"]
        {
            assert!(!accepts(&[value]), "{value}");
        }
    }

    #[test]
    fn the_most_precise_range_decides() {
        assert!(!accepts(&["*/*, text/event-stream;q=0"]));
        assert!(!accepts(&["text/event-stream;q=0, */*"]));
        assert!(accepts(&["text/*;q=0, text/event-stream"]));
        assert!(accepts(&["application/json", "text/event-stream"]));
    }
}
