//! What hand-written events can do, and that none of it leaves a half block.

use std::time::Duration;

use bytes::BytesMut;

use super::{By, DEFAULT_MAX_EVENT, EARLIER, EventError, EventWriter, LIMITS, encode, written};

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
