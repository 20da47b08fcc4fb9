//! The reconnection time that a stream adds to an event of its own accord.

use std::time::Duration;

use bytes::BytesMut;

use super::{By, Event, EventWriter, Limits, encode, try_encode};

const LIMITS: Limits = Limits { max_event: 100, retry: Some(Duration::from_secs(3)), end_id: None };

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
