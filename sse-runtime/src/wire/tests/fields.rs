//! The name, the id and the reconnection time of an event.

use std::time::Duration;

use super::{Event, EventError, Message, block, refused};

#[test]
fn the_fields_of_an_event_come_in_one_order() {
    let event = Event::default().data("x").retry(Duration::from_secs(15)).id("7").name("tick");
    assert_eq!(block(&event), "event: tick\nid: 7\nretry: 15000\ndata: x\n\n");
    assert_eq!(block(Message::from(event)), "event: tick\nid: 7\nretry: 15000\ndata: x\n\n");
}

#[test]
fn a_newline_in_an_event_name_is_refused() {
    for name in ["a\nb", "a\rb", "x\ndata: y", "\0"] {
        assert!(matches!(refused(Event::new(name).data("x")), EventError::NameCharacter { .. }), "{name:?}");
    }
    assert_eq!(refused(Event::new("")), EventError::EmptyName);
}

#[test]
fn a_newline_or_nul_in_an_id_is_refused() {
    for id in ["a\nb", "a\rb", "\0", "é"] {
        assert!(matches!(refused(Event::default().id(id)), EventError::IdCharacter { .. }), "{id:?}");
    }
    assert!(matches!(refused(Event::default().id("7".repeat(129))), EventError::IdTooLong { len: 129, .. }));
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
