//! The rules of the wire format, one statement each, as the bytes that go out.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::BytesMut;
use serde_json::{json, value::RawValue};

use super::{
    DEFAULT_MAX_EVENT, Encoded, Event, EventError, EventWriter, Json, Limits, Message, Outgoing, SseEvent,
    encode,
};

const LIMITS: Limits = Limits { max_event: DEFAULT_MAX_EVENT, retry: None };
const EARLIER: &str = "data: earlier\n\n";

/// Encodes behind an earlier event, with the bytes that this added.
fn try_encode<T: Outgoing<Message>>(event: &T, limits: &Limits) -> (Result<Encoded, EventError>, String) {
    let mut out = BytesMut::from(EARLIER);
    let encoded = encode(event, &mut out, limits);
    let text = String::from_utf8(out.to_vec()).expect("UTF-8");
    (encoded, text.strip_prefix(EARLIER).expect("the earlier event is untouched").to_owned())
}

fn block<T: Outgoing<Message>>(event: T) -> String {
    let (encoded, block) = try_encode(&event, &LIMITS);
    assert_eq!(encoded.expect("can be encoded").len, block.len());
    block
}

fn refused<T: Outgoing<Message>>(event: T) -> EventError {
    let (encoded, block) = try_encode(&event, &LIMITS);
    assert_eq!(block, "", "nothing of a refused event is written");
    encoded.expect_err("is refused")
}

/// A hand-written event.
struct By<F>(F);

impl<F: Fn(&mut EventWriter<'_>) -> Result<(), EventError>> SseEvent for By<F> {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        (self.0)(event)
    }
}

/// The block that a hand-written event becomes.
fn written(fields: impl Fn(&mut EventWriter<'_>) -> Result<(), EventError>) -> Result<String, EventError> {
    let mut out = BytesMut::new();
    encode::<By<_>, _>(&By(fields), &mut out, &LIMITS)?;
    Ok(String::from_utf8(out.to_vec()).expect("UTF-8"))
}

mod data {
    use super::*;

    #[test]
    fn text_is_the_data_of_an_unnamed_event() {
        assert_eq!(block("hello"), "data: hello\n\n");
    }

    #[test]
    fn crlf_is_one_line_end() {
        assert_eq!(block("a\r\nb"), "data: a\ndata: b\n\n");
    }

    #[test]
    fn a_bare_cr_is_a_line_end() {
        assert_eq!(block("a\rid: 7"), "data: a\ndata: id: 7\n\n");
    }

    #[test]
    fn empty_data_is_a_data_line_of_its_own_so_that_the_event_is_dispatched() {
        assert_eq!(block(""), "data: \n\n");
        assert_eq!(block(Event::new("tick").data("")), "event: tick\ndata: \n\n");
        assert_eq!(block(Event::new("tick")), "event: tick\ndata: \n\n");
        assert_eq!(block(Event::default()), "data: \n\n");
    }

    #[test]
    fn a_trailing_line_end_is_an_empty_line_more() {
        assert_eq!(block("x\n"), "data: x\ndata: \n\n");
        assert_eq!(block("\n"), "data: \ndata: \n\n");
        assert_eq!(block("x\n\n"), "data: x\ndata: \ndata: \n\n");
    }

    #[test]
    fn leading_spaces_are_kept_behind_the_one_that_the_reader_strips() {
        assert_eq!(block(" lead"), "data:  lead\n\n");
        assert_eq!(block("a\n  b"), "data: a\ndata:   b\n\n");
    }

    #[test]
    fn everything_else_goes_out_as_it_is() {
        assert_eq!(block(": x\0\t\u{feff}\u{2028}é✓"), "data: : x\0\t\u{feff}\u{2028}é✓\n\n");
    }
}

mod fields {
    use super::*;

    #[test]
    fn the_fields_of_an_event_come_in_one_order() {
        let event = Event::default().data("x").retry(Duration::from_secs(15)).id("7").name("tick");
        assert_eq!(block(&event), "event: tick\nid: 7\nretry: 15000\ndata: x\n\n");
        assert_eq!(block(Message::from(event)), "event: tick\nid: 7\nretry: 15000\ndata: x\n\n");
    }

    #[test]
    fn a_newline_in_an_event_name_is_refused() {
        for name in ["a\nb", "a\rb", "x\ndata: y", "\0"] {
            assert!(
                matches!(refused(Event::new(name).data("x")), EventError::NameCharacter { .. }),
                "{name:?}"
            );
        }
        assert_eq!(refused(Event::new("")), EventError::EmptyName);
    }

    #[test]
    fn a_newline_or_nul_in_an_id_is_refused() {
        for id in ["a\nb", "a\rb", "\0", "é"] {
            assert!(matches!(refused(Event::default().id(id)), EventError::IdCharacter { .. }), "{id:?}");
        }
        assert!(matches!(
            refused(Event::default().id("7".repeat(129))),
            EventError::IdTooLong { len: 129, .. }
        ));
    }

    #[test]
    fn an_empty_id_resets_the_last_id() {
        assert_eq!(block(Event::default().id("").data("x")), "id: \ndata: x\n\n");
    }

    #[test]
    fn a_setter_called_twice_replaces() {
        let event = Event::new("a").name("b").id("1").id("2").data("x").data("y");
        let event = event.retry(Duration::from_secs(1)).retry(Duration::from_secs(2));
        assert_eq!(block(event), "event: b\nid: 2\nretry: 2000\ndata: y\n\n");
    }

    #[test]
    fn a_retry_is_in_whole_milliseconds() {
        for (after, line) in [
            (Duration::ZERO, "0"),
            (Duration::from_nanos(1), "1"),
            (Duration::from_micros(1500), "2"),
            (Duration::from_millis(9), "9"),
            (Duration::from_millis(10), "10"),
            (Duration::from_secs(15), "15000"),
            (Duration::from_millis(1_000_000_001), "1000000001"),
            (Duration::from_secs(86_400 * 30), "2147483647"),
            (Duration::MAX, "2147483647"),
        ] {
            assert_eq!(block(Event::default().retry(after)), format!("retry: {line}\ndata: \n\n"));
        }
    }
}

mod json {
    use super::*;

    #[test]
    fn a_value_is_one_line_of_json() {
        assert_eq!(block(Json(&json!({ "message_id": "7" }))), "data: {\"message_id\":\"7\"}\n\n");
        assert_eq!(block(Json("two\r\nlines")), "data: \"two\\r\\nlines\"\n\n");
        let event = Event::new("tick").json(&[1, 2]).expect("serializes");
        assert_eq!(block(event), "event: tick\ndata: [1,2]\n\n");
    }

    #[test]
    fn pieces_of_every_length_arrive_whole() {
        let words: Vec<String> = (0..600).map(|len| "x".repeat(len % 70) + &len.to_string()).collect();
        assert_eq!(
            block(Json(&words)),
            format!("data: {}\n\n", serde_json::to_string(&words).expect("JSON"))
        );
    }

    #[test]
    fn raw_json_with_line_ends_is_split_like_text() {
        let raw = RawValue::from_string("{\n  \"a\":\r\n1\r}".to_owned()).expect("JSON");
        assert_eq!(block(Json(&raw)), "data: {\ndata:   \"a\":\ndata: 1\ndata: }\n\n");
    }

    #[test]
    fn a_value_that_is_not_json_is_an_error_with_the_serializers_message() {
        let by_pair = std::collections::BTreeMap::from([((1, 2), 3)]);
        let expected = EventError::Json("key must be a string".to_owned());
        assert_eq!(refused(Json(&by_pair)), expected);
        assert_eq!(Event::default().json(&by_pair), Err(expected.clone()));
        assert_eq!(
            expected.to_string(),
            "the event's data could not be serialized to JSON: key must be a string"
        );
    }
}

mod size {
    use super::*;

    fn at_most(max_event: usize) -> Limits {
        Limits { max_event, retry: None }
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
            assert_eq!(try_encode(&Json(&value), &at_most(whole)).1.len(), whole);
            let (encoded, written) = try_encode(&Json(&value), &at_most(whole - 1));
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
        let encoded = encode(&Json(&Endless), &mut out, &at_most(10_000));
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

        let (encoded, written) = try_encode(&Json(&Stubborn), &at_most(1000));
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
             send it in parts, send a link to it, or raise the limit"
        );
    }
}

mod default_retry {
    use super::*;

    const LIMITS: Limits = Limits { max_event: 100, retry: Some(Duration::from_secs(3)) };

    #[test]
    fn comes_before_the_data() {
        assert_eq!(try_encode(&"x\ny", &LIMITS).1, "retry: 3000\ndata: x\ndata: y\n\n");
        let event = Event::new("tick").id("7").data("x");
        let (encoded, block) = try_encode(&event, &LIMITS);
        assert_eq!(block, "event: tick\nid: 7\nretry: 3000\ndata: x\n\n");
        let at = encoded.expect("can be encoded");
        assert_eq!(&block[at.data], "data: x\n");
        assert_eq!(&block[at.id.expect("an id")], "7");
        assert_eq!(&block[at.name.expect("a name")], "tick");
        assert_eq!(at.len, block.len());
    }

    #[test]
    fn moves_what_follows_the_data() {
        let mut out = BytesMut::new();
        let late = By(|event: &mut EventWriter<'_>| {
            event.id("7")?;
            event.data("x")?;
            event.name("tick")
        });
        let at = encode::<By<_>, _>(&late, &mut out, &LIMITS).expect("can be encoded");
        assert_eq!(&out[..], b"id: 7\nretry: 3000\ndata: x\nevent: tick\n\n");
        assert_eq!(&out[at.data], b"data: x\n");
        assert_eq!(&out[at.id.expect("an id")], b"7");
        assert_eq!(&out[at.name.expect("a name")], b"tick");
    }

    #[test]
    fn yields_to_the_events_own() {
        let event = Event::default().retry(Duration::from_secs(15)).data("x");
        assert_eq!(try_encode(&event, &LIMITS).1, "retry: 15000\ndata: x\n\n");
    }

    #[test]
    fn does_not_count_towards_the_limit() {
        let event = "x".repeat(92);
        assert_eq!(try_encode(&event, &LIMITS).1.len(), 100 + "retry: 3000\n".len());
    }
}

mod by_hand {
    use super::*;

    #[test]
    fn fields_may_come_in_any_order() {
        assert_eq!(
            written(|event| {
                event.data("x")?;
                event.retry(Duration::from_secs(1))?;
                event.id("7")?;
                event.name("tick")
            })
            .as_deref(),
            Ok("data: x\nretry: 1000\nid: 7\nevent: tick\n\n")
        );
        assert_eq!(written(|_| Ok(())).as_deref(), Ok("data: \n\n"));
    }

    #[test]
    fn a_field_written_twice_is_an_error_that_names_it() {
        let twice = [
            written(|event| event.name("a").and_then(|()| event.name("a"))),
            written(|event| event.id("a").and_then(|()| event.id("a"))),
            written(|event| event.retry(Duration::ZERO).and_then(|()| event.retry(Duration::ZERO))),
            written(|event| event.data("a").and_then(|()| event.json("a"))),
            written(|event| event.json("a").and_then(|()| event.data("a"))),
        ];
        let fields = ["event", "id", "retry", "data", "data"];
        assert_eq!(twice, fields.map(|field| Err(EventError::Repeated { field })));
    }

    #[test]
    fn a_failed_field_leaves_nothing_and_another_may_take_its_place() {
        let by_pair = std::collections::BTreeMap::from([((1, 2), 3)]);
        let block = written(|event| {
            event.name("a\n").unwrap_err();
            event.json(&[&by_pair]).unwrap_err();
            event.data(&"x\n".repeat(DEFAULT_MAX_EVENT)).unwrap_err();
            event.json(&vec![1; DEFAULT_MAX_EVENT]).unwrap_err();
            event.name("fallback")?;
            event.data("too large")
        });
        assert_eq!(block.as_deref(), Ok("event: fallback\ndata: too large\n\n"));
        let block = written(|event| {
            event.json(&by_pair).unwrap_err();
            Ok(())
        });
        assert_eq!(block.as_deref(), Ok("data: \n\n"));
    }

    #[test]
    fn a_panic_in_the_events_code_leaves_the_buffer_as_it_was() {
        struct Panics;

        impl serde::Serialize for Panics {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeSeq as _;
                let mut seq = serializer.serialize_seq(None)?;
                seq.serialize_element(&"x".repeat(1000))?;
                panic!("in the middle of a value");
            }
        }

        let mut out = BytesMut::from(EARLIER);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let event = By(|event: &mut EventWriter<'_>| {
                event.name("tick")?;
                event.json(&Panics)
            });
            let _ = encode::<By<_>, _>(&event, &mut out, &LIMITS);
        }));
        assert!(panicked.is_err());
        assert_eq!(out, EARLIER);
    }

    #[test]
    fn a_panic_that_the_event_catches_leaves_no_half_line() {
        struct Panics;

        impl serde::Serialize for Panics {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeSeq as _;
                serializer.serialize_seq(None)?.serialize_element(&"x".repeat(1000))?;
                panic!("in the middle of a value");
            }
        }

        let block = written(|event| {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| event.json(&Panics)));
            assert!(caught.is_err());
            event.id("7")
        });
        assert_eq!(block.as_deref(), Ok("id: 7\ndata: \n\n"));
    }
}

#[test]
fn an_untyped_stream_takes_every_kind_of_text_and_events() {
    let text = String::from("x");
    let blocks = [
        block("x"),
        block(&text),
        block(text.clone()),
        block(Cow::Borrowed("x")),
        block(Box::<str>::from("x")),
        block(Arc::<str>::from("x")),
        block(Event::default().data("x")),
        block(&Event::default().data("x")),
        block(Message::from("x")),
        block(&Message::from(text)),
        block(Message::from(Box::<str>::from("x"))),
        block(Message::from(Cow::Borrowed("x"))),
    ];
    assert_eq!(blocks, [const { "data: x\n\n" }; 12]);
}

#[test]
fn writing_into_a_buffer_with_room_does_not_move_it() {
    let mut out = BytesMut::with_capacity(1000);
    let before = out.as_ptr();
    encode(&Json(&json!({ "a": [1, 2, "é"] })), &mut out, &LIMITS).expect("can be encoded");
    encode::<Message, _>(&Event::new("tick").id("7").data("a\nb"), &mut out, &LIMITS)
        .expect("can be encoded");
    assert_eq!((before, out.capacity()), (out.as_ptr(), 1000));
}
