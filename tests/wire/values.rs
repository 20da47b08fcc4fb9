//! JSON goes in as a value and comes out as the same value.

use bytes::BytesMut;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;
use sse_runtime::testing::{Item, Parser};
use sse_runtime::wire::DEFAULT_MAX_EVENT;
use sse_runtime::{Event, EventWriter};

use crate::events::{text, write};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text().prop_map(Value::from),
        "[ -~]{0,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(text(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The data of the one event in `stream`.
fn data(stream: &[u8]) -> String {
    let mut parser = Parser::new();
    parser.feed(stream);
    let Some(Item::Event(event)) = parser.next_item() else { panic!("no event") };
    assert_eq!(parser.next_item(), None);
    event.data
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_value_is_one_line_and_the_same_value_again(value in value()) {
        let mut out = BytesMut::new();
        EventWriter::block(&mut out, DEFAULT_MAX_EVENT, |event| event.json(&value)).expect("can be written");
        prop_assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 2);
        prop_assert_eq!(serde_json::from_str::<Value>(&data(&out)).expect("JSON"), value.clone());

        let mut by_event = BytesMut::new();
        write(&Event::default().json(&value).expect("JSON"), &mut by_event).expect("can be written");
        prop_assert_eq!(by_event, out);
    }

    #[test]
    fn raw_json_is_the_same_value_again_whatever_its_white_space(
        value in value(),
        line_end in prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n"]),
    ) {
        let pretty = serde_json::to_string_pretty(&value).expect("JSON").replace('\n', line_end);
        let raw = RawValue::from_string(pretty).expect("JSON");
        let mut out = BytesMut::new();
        EventWriter::block(&mut out, DEFAULT_MAX_EVENT, |event| event.json(&raw)).expect("can be written");
        prop_assert_eq!(serde_json::from_str::<Value>(&data(&out)).expect("JSON"), value);
    }
}
