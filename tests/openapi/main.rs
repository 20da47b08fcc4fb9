//! OpenAPI documents, held against the specification's own schema.

mod documents;
mod names;
#[allow(dead_code, reason = "it is not started here")]
#[path = "../sample.rs"]
mod sample;
mod streams;
mod validator;
mod visits;

use serde_json::{Value, json};
use validator::{mistakes, valid};

/// A document with one stream, written by hand.
fn by_hand() -> Value {
    serde_json::from_str(include_str!("by_hand.json")).expect("it is JSON")
}

/// That with one thing changed: what the validator says of it.
fn changed(pointer: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut document = by_hand();
    change(document.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer} in it")));
    let found = mistakes(&document);
    assert!(!found.is_empty(), "{pointer}: nothing found");
    found.join("\n")
}

const OPERATION: &str = "/paths/~1jobs~1{id}~1events/get";
const STREAM: &str = "/paths/~1jobs~1{id}~1events/get/responses/200/content/text~1event-stream";

#[test]
fn what_is_written_by_hand_is_valid() {
    valid(&by_hand());
}

#[test]
fn both_documents_of_an_api_are_valid_in_their_versions() {
    let api = sample::api();
    let items = serde_json::to_value(api.openapi()).expect("JSON");
    let payloads = serde_json::to_value(api.client_openapi()).expect("JSON");
    assert_eq!((&items["openapi"], &payloads["openapi"]), (&json!("3.2.0"), &json!("3.1.0")));
    valid(&items);
    valid(&payloads);
}

#[test]
fn item_schemas_are_of_version_3_2_alone() {
    let said = changed("/openapi", |version| *version = json!("3.1.0"));
    assert!(said.contains("itemSchema") && said.contains("text~1event-stream"), "{said}");
    let said = changed("/openapi", |version| *version = json!("3.0.3"));
    assert!(said.starts_with("/openapi: "), "{said}");
}

#[test]
fn a_misspelt_key_is_found_where_it_is() {
    let said = changed(STREAM, |stream| {
        let schema = stream["itemSchema"].take();
        *stream = json!({ "itemSchemas": schema });
    });
    assert!(said.contains("itemSchemas") && said.contains("text~1event-stream"), "{said}");
    let said = changed(OPERATION, |operation| operation["sumary"] = json!("How far it is."));
    assert!(said.contains("sumary"), "{said}");
}

#[test]
fn a_parameter_needs_a_schema_and_one_of_the_path_must_be_required() {
    let said = changed(&format!("{OPERATION}/parameters/0"), |parameter| {
        parameter.as_object_mut().expect("an object").remove("schema");
    });
    assert!(said.contains("/parameters/0"), "{said}");
    changed(&format!("{OPERATION}/parameters/0"), |parameter| parameter["required"] = json!(false));
    changed(&format!("{OPERATION}/parameters/0"), |parameter| parameter["in"] = json!("paths"));
}

/// The schemas in a document are held against their own dialect, at every depth.
#[test]
fn a_schema_of_an_event_is_checked_too() {
    for (place, wrong) in [
        ("/itemSchema/oneOf", json!({ "type": "object" })),
        ("/itemSchema/oneOf/0/type", json!("objekt")),
        ("/itemSchema/oneOf/0/required", json!("event")),
        ("/itemSchema/oneOf/0/properties/event/enum", json!("progress")),
        ("/itemSchema/oneOf/0/properties/data/contentSchema", json!("Progress")),
        ("/itemSchema/oneOf/1/properties/retry/minimum", json!("0")),
    ] {
        let said = changed(&format!("{STREAM}{place}"), |schema| *schema = wrong);
        assert!(said.contains("itemSchema"), "{place}: {said}");
    }
    let said = changed("/components/schemas/Progress/properties/percent/maximum", |most| *most = json!([]));
    assert!(said.contains("/components/schemas/Progress/properties/percent/maximum"), "{said}");
}

#[test]
fn what_it_refers_to_is_there() {
    let payload = format!("{STREAM}/itemSchema/oneOf/0/properties/data/contentSchema/$ref");
    let said = changed(&payload, |reference| *reference = json!("#/components/schemas/Progres"));
    assert!(said.contains("#/components/schemas/Progres is not in the document"), "{said}");
}

#[test]
fn names_of_operations_are_unique_and_path_parameters_those_of_the_path() {
    let twice = changed("/paths", |paths| {
        let copy = paths["/jobs/{id}/events"].clone();
        paths["/jobs/{id}/again"] = copy;
    });
    assert!(twice.contains(r#"there is an operation "job_events" already"#), "{twice}");
    let other = changed("/paths", |paths| {
        let item = paths["/jobs/{id}/events"].take();
        *paths = json!({ "/jobs/{job}/events": item });
    });
    assert!(other.contains(r#"get /jobs/{job}/events: its path parameters are {"id"}"#), "{other}");
}

#[test]
#[should_panic(expected = "no valid OpenAPI")]
fn what_is_not_valid_fails() {
    valid(&json!({ "openapi": "3.2.0", "info": { "title": "Jobs" }, "paths": {} }));
}
