//! The limit holds while an event is being written.

use std::time::Duration;

use bytes::BytesMut;

use super::{AsJson, Event, EventError, LIMITS, Limits, encode, try_encode};

fn at_most(max_event: usize) -> Limits {
    Limits { max_event, retry: None, end_id: None }
}

#[test]
fn an_event_may_have_exactly_the_limit() {
    let event = Event::new("tick").id("7").retry(Duration::from_secs(1)).data("a\nb");
    let (encoded, block) = try_encode(&event, &at_most(1000));
    assert!(encoded.is_ok());
    assert_eq!(try_encode(&event, &at_most(block.len())).1, block);
    for max in 0..block.len() {
        let (encoded, written) = try_encode(&event, &at_most(max));
        assert_eq!(written, "");
        let Err(EventError::TooLarge { size, max: named }) = encoded else { panic!("{encoded:?}") };
        assert!(named == max && (max + 1..=block.len()).contains(&size), "{size} of {max}");
    }
}

#[test]
fn json_may_have_exactly_the_limit() {
    for len in [1, 200, 300, 5000] {
        let value = "x".repeat(len);
        let whole = len + "data: \"\"\n\n".len();
        assert_eq!(try_encode(&AsJson(&value), &at_most(whole)).1.len(), whole);
        let (encoded, written) = try_encode(&AsJson(&value), &at_most(whole - 1));
        assert_eq!(
            (encoded, written.as_str()),
            (Err(EventError::TooLarge { size: whole, max: whole - 1 }), "")
        );
    }
}

#[test]
fn a_huge_value_stops_being_serialized_at_the_limit() {
    struct Endless;

    impl serde::Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(std::iter::repeat("x".repeat(100)))
        }
    }

    let mut out = BytesMut::new();
    let encoded = encode(&AsJson(&Endless), &mut out, &at_most(10_000));
    let Err(EventError::TooLarge { size, max: 10_000 }) = encoded else { panic!("{encoded:?}") };
    assert!(size < 11_000, "{size}");
    assert!(out.is_empty() && out.capacity() < 40_000, "{}", out.capacity());
}

#[test]
fn a_value_that_swallows_the_serializers_error_is_still_too_large() {
    struct Stubborn;

    impl serde::Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq as _;
            let mut seq = serializer.serialize_seq(None)?;
            let text = "x".repeat(400);
            while seq.serialize_element(&text).is_ok() {}
            for _ in 0..1000 {
                let _ = seq.serialize_element(&1);
            }
            let _ = seq.end();
            Err(serde::ser::Error::custom("some other error"))
        }
    }

    let (encoded, written) = try_encode(&AsJson(&Stubborn), &at_most(1000));
    assert!(matches!(encoded, Err(EventError::TooLarge { max: 1000, .. })), "{encoded:?}");
    assert_eq!(written, "");
}

#[test]
fn line_ends_count_with_the_lines_that_they_begin() {
    let (encoded, written) = try_encode(&"\n".repeat(100), &at_most(500));
    assert!(matches!(encoded, Err(EventError::TooLarge { max: 500, .. })));
    assert_eq!(written, "");
}

#[test]
fn the_error_names_the_size_and_the_limit() {
    let (encoded, _) = try_encode(&"x".repeat(300 * 1024), &LIMITS);
    assert_eq!(
        encoded.expect_err("too large").to_string(),
        "the event has at least 307208 bytes on the wire, and 262144 is the most; \
         send it in parts, send a link to it, or raise `max_event`, the route's for what is sent, the hub's for what is published"
    );
}
