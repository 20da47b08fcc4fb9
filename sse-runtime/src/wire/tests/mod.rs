//! The rules of the wire format, one statement each, as the bytes that go out.

mod by_hand;
mod data;
mod default_retry;
mod fields;
mod json;
mod size;

use std::{borrow::Cow, sync::Arc};

use bytes::BytesMut;
use serde_json::json;

use super::{
    AsJson, DEFAULT_MAX_EVENT, Encoded, Event, EventError, EventWriter, Limits, Message, Outgoing, SseEvent,
    encode,
};

const LIMITS: Limits = Limits { max_event: DEFAULT_MAX_EVENT, retry: None, end_id: None };
const EARLIER: &str = "data: earlier\n\n";

/// Encodes behind an earlier event, with the bytes that this added.
fn try_encode<T: Outgoing<Message>>(event: &T, limits: &Limits) -> (Result<Encoded, EventError>, String) {
    let mut out = BytesMut::from(EARLIER);
    let encoded = encode(event, &mut out, limits);
    let text = String::from_utf8(out.to_vec()).expect("UTF-8");
    (encoded, text.strip_prefix(EARLIER).expect("the earlier event is untouched").to_owned())
}

#[allow(clippy::needless_pass_by_value, reason = "what is passed is what is tested")]
fn block<T: Outgoing<Message>>(event: T) -> String {
    let (encoded, block) = try_encode(&event, &LIMITS);
    assert_eq!(encoded.expect("can be encoded").len, block.len());
    block
}

#[allow(clippy::needless_pass_by_value, reason = "what is passed is what is tested")]
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

#[test]
fn an_untyped_stream_takes_every_kind_of_text_and_events() {
    let text = String::from("x");
    let (event, message) = (Event::default().data("x"), Message::from("x"));
    let blocks = [
        block("x"),
        block(&text),
        block(text.clone()),
        block(Cow::Borrowed("x")),
        block(Box::<str>::from("x")),
        block(Arc::<str>::from("x")),
        block(&event),
        block(event),
        block(&message),
        block(message),
        block(Message::from(text)),
        block(Message::from(Box::<str>::from("x"))),
        block(Message::from(Cow::Borrowed("x"))),
    ];
    assert_eq!(blocks, [const { "data: x\n\n" }; 13]);
}

#[test]
fn writing_into_a_buffer_with_room_does_not_move_it() {
    let mut out = BytesMut::with_capacity(1000);
    let before = out.as_ptr();
    encode(&AsJson(&json!({ "a": [1, 2, "é"] })), &mut out, &LIMITS).expect("can be encoded");
    encode::<Message, _>(&Event::new("tick").id("7").data("a\nb"), &mut out, &LIMITS)
        .expect("can be encoded");
    assert_eq!((before, out.capacity()), (out.as_ptr(), 1000));
}
