//! `#[derive(SseEvent)]` names events as serde does: each rule, on names that are hard for it, beside what serde writes.

use serde::Serialize;
use serde_json::Value;
use sse_runtime::{EventWriter, SseEvent};

/// The name that the event has on the wire, and the tag that serde has put into its data.
fn name_and_tag<E: SseEvent>(event: &E) -> (String, Value) {
    let mut out = bytes::BytesMut::new();
    EventWriter::block(&mut out, 1000, |writer| event.write(writer)).expect("an event");
    let text = std::str::from_utf8(&out).expect("text");
    let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).expect("the field");
    let data: Value = serde_json::from_str(field("data: ")).expect("JSON");
    (field("event: ").to_owned(), data["type"].clone())
}

macro_rules! under_every_rule {
    ($($module:ident $rule:literal)*) => { $(
        mod $module {
            use super::*;

            #[allow(non_camel_case_types)]
            #[derive(Serialize, SseEvent)]
            #[serde(tag = "type", rename_all = $rule)]
            enum Hard {
                Progress, HTTPServer, OkX2, A, AB, Ab1C, snake_already, Größe, X9y, _Hidden, r#Type,
                #[serde(rename = "its Own")]
                Renamed,
                #[serde(rename(serialize = "written", deserialize = "read"))]
                OneWay,
            }

            #[test]
            fn names_are_those_that_serde_writes() {
                use Hard::*;
                for event in [
                    Progress, HTTPServer, OkX2, A, AB, Ab1C, snake_already, Größe, X9y, _Hidden, r#Type, Renamed, OneWay,
                ] {
                    let (name, tag) = name_and_tag(&event);
                    assert_eq!(tag, name);
                }
            }
        }
    )* };
}

under_every_rule! {
    lower "lowercase"
    upper "UPPERCASE"
    pascal "PascalCase"
    camel "camelCase"
    snake "snake_case"
    screaming_snake "SCREAMING_SNAKE_CASE"
    kebab "kebab-case"
    screaming_kebab "SCREAMING-KEBAB-CASE"
}

#[derive(Serialize, SseEvent)]
#[serde(
    tag = "type",
    content = "content",
    rename_all(serialize = "kebab-case"),
    rename_all_fields = "camelCase"
)]
enum Adjacent<T> {
    WithContent(T),
    #[sse(name = "on the wire", id = "long_name")]
    WithFields {
        long_name: u8,
    },
}

#[test]
fn what_stands_in_the_data_is_serdes_alone() {
    let mut out = bytes::BytesMut::new();
    for event in [Adjacent::WithContent(vec!["a\nb"]), Adjacent::WithFields { long_name: 7 }] {
        EventWriter::block(&mut out, 1000, |writer| event.write(writer)).expect("an event");
    }
    let expected = concat!(
        "event: with-content\n",
        r#"data: {"type":"with-content","content":["a\nb"]}"#,
        "\n\nevent: on the wire\nid: 7\n",
        r#"data: {"type":"with-fields","content":{"longName":7}}"#,
        "\n\n"
    );
    assert_eq!(std::str::from_utf8(&out), Ok(expected));
}

#[derive(Serialize, SseEvent)]
#[serde(rename = "price")]
#[sse(retry = "1500ms", id = "0")]
struct Price<'a>(u64, &'a str);

#[derive(Serialize, SseEvent)]
enum Plain {
    Tick,
    Pair(u8, u8),
    #[serde(skip)]
    Unsendable,
}

#[test]
fn structs_and_untagged_forms_of_data_are_events_too() {
    let written = |write: &dyn Fn(&mut EventWriter<'_>) -> Result<(), sse_runtime::EventError>| {
        let mut out = bytes::BytesMut::new();
        EventWriter::block(&mut out, 1000, |writer| write(writer))
            .map(|()| String::from_utf8(out.to_vec()).expect("text"))
    };
    let price = written(&|writer| Price(3, "EUR").write(writer));
    assert_eq!(price.as_deref(), Ok("event: price\nid: 3\nretry: 1500\ndata: [3,\"EUR\"]\n\n"));
    assert_eq!(
        written(&|writer| Plain::Tick.write(writer)).as_deref(),
        Ok("event: Tick\ndata: \"Tick\"\n\n")
    );
    let pair = written(&|writer| Plain::Pair(1, 2).write(writer));
    assert_eq!(pair.as_deref(), Ok("event: Pair\ndata: {\"Pair\":[1,2]}\n\n"));
    let refused = written(&|writer| Plain::Unsendable.write(writer));
    assert!(matches!(refused, Err(sse_runtime::EventError::Json(_))), "{refused:?}");
}
