//! Any sequence of events, written by hand in any order and to any limit: what is accepted is read back as it was
//! meant, in as many events, and what is refused leaves no trace.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use sse_runtime::testing::{Item, Parser};
use sse_runtime::{EventError, EventWriter};

#[derive(Arbitrary, Debug)]
struct Input {
    events: Vec<(u16, Vec<Field>)>,
    cut: usize,
}

#[derive(Arbitrary, Debug)]
enum Field {
    Name(String),
    Id(String),
    Retry(u32),
    Data(String),
    Json(String),
    RawJson(String),
}

/// What an accepted field must be read back as.
#[derive(Debug, Default)]
struct Meant {
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    data: Option<Data>,
}

#[derive(Debug)]
enum Data {
    Text(String),
    Json(serde_json::Value),
}

fn write(field: &Field, writer: &mut EventWriter<'_>, meant: &mut Meant) -> Result<(), EventError> {
    match field {
        Field::Name(name) => {
            writer.name(name)?;
            meant.name = Some(name.clone());
        }
        Field::Id(id) => {
            writer.id(id)?;
            meant.id = Some(id.clone());
        }
        Field::Retry(millis) => {
            writer.retry(Duration::from_millis((*millis).into()))?;
            meant.retry = Some(Duration::from_millis((*millis).min(i32::MAX.unsigned_abs()).into()));
        }
        Field::Data(text) => {
            writer.data(text)?;
            meant.data = Some(Data::Text(text.replace("\r\n", "\n").replace('\r', "\n")));
        }
        Field::Json(text) => {
            writer.json(text)?;
            meant.data = Some(Data::Json(text.as_str().into()));
        }
        Field::RawJson(text) => {
            if let Ok(raw) = RawValue::from_string(text.clone()) {
                writer.json(&raw)?;
                // Numbers beyond what serde_json can hold are JSON all the same.
                meant.data = Some(match serde_json::from_str(text) {
                    Ok(value) => Data::Json(value),
                    Err(_) => Data::Text(raw.get().replace("\r\n", "\n").replace('\r', "\n")),
                });
            }
        }
    }
    Ok(())
}

fuzz_target!(|input: Input| {
    let mut out = BytesMut::new();
    let mut expected = Vec::new();
    for (max, fields) in &input.events {
        let before = out.clone();
        let mut meant = Meant::default();
        let written = EventWriter::block(&mut out, (*max).into(), |writer| {
            for field in fields {
                // A refused field is left out, as if it had not been tried.
                let _ = write(field, writer, &mut meant);
            }
            Ok(())
        });
        if written.is_ok() {
            assert!(out.len() - before.len() <= usize::from(*max));
            expected.push(meant);
        } else {
            assert_eq!(out, before);
        }
    }

    let mut parser = Parser::new();
    let (first, second) = out.split_at(input.cut % (out.len() + 1));
    parser.feed(first);
    parser.feed(second);
    for meant in expected {
        let Some(Item::Event(event)) = parser.next_item() else { panic!("an event is missing: {meant:?}") };
        assert_eq!(event.name, meant.name.as_deref().unwrap_or("message"));
        assert_eq!(event.id, meant.id);
        assert_eq!(event.retry, meant.retry);
        match meant.data {
            Some(Data::Json(value)) => {
                assert_eq!(serde_json::from_str::<serde_json::Value>(&event.data).expect("JSON"), value);
            }
            Some(Data::Text(text)) => assert_eq!(event.data, text),
            None => assert_eq!(event.data, ""),
        }
    }
    assert_eq!(parser.next_item(), None);
});
