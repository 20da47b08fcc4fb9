//! How a value becomes `data:` lines.

use serde_json::{json, value::RawValue};

use super::{AsJson, Event, EventError, block, refused};

#[test]
fn a_value_is_one_line_of_json() {
    assert_eq!(block(AsJson(&json!({ "message_id": "7" }))), "data: {\"message_id\":\"7\"}\n\n");
    assert_eq!(block(AsJson("two\r\nlines")), "data: \"two\\r\\nlines\"\n\n");
    let event = Event::new("tick").json(&[1, 2]).expect("serializes");
    assert_eq!(block(event), "event: tick\ndata: [1,2]\n\n");
}

#[test]
fn pieces_of_every_length_arrive_whole() {
    let words: Vec<String> = (0..600).map(|len| "x".repeat(len % 70) + &len.to_string()).collect();
    assert_eq!(block(AsJson(&words)), format!("data: {}\n\n", serde_json::to_string(&words).expect("JSON")));
}

#[test]
fn raw_json_with_line_ends_is_split_like_text() {
    let raw = RawValue::from_string("{\n  \"a\":\r\n1\r}".to_owned()).expect("JSON");
    assert_eq!(block(AsJson(&raw)), "data: {\ndata:   \"a\":\ndata: 1\ndata: }\n\n");
}

#[test]
fn a_value_that_is_not_json_is_an_error_with_the_serializers_message() {
    let by_pair = std::collections::BTreeMap::from([((1, 2), 3)]);
    let expected = EventError::Json("key must be a string".to_owned());
    assert_eq!(refused(AsJson(&by_pair)), expected);
    assert_eq!(Event::default().json(&by_pair), Err(expected.clone()));
    assert_eq!(
        expected.to_string(),
        "the event's data could not be serialized to JSON: key must be a string"
    );
}
