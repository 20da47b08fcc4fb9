//! Whether a document is OpenAPI 3.2 or 3.1, by the JSON Schema that the OpenAPI Initiative publishes (`schema/`), and by
//! what no schema can say: that what it refers to is there.

use std::collections::BTreeSet;

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

/// Fails unless the document is valid.
///
/// # Panics
/// If it is not, with every reason and where it is.
#[track_caller]
pub(crate) fn valid(document: &Value) {
    let found = mistakes(document);
    assert!(found.is_empty(), "no valid OpenAPI:\n{}\n{document:#}", found.join("\n"));
}

/// What is wrong with the document: a place, as a JSON pointer, and why.
pub(crate) fn mistakes(document: &Value) -> Vec<String> {
    let validator = by_the_schema(document);
    let mut found: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", or_root(&error.instance_path().to_string())))
        .collect();
    refer(document, document, &mut String::new(), &mut found);
    operations(document, &mut found);
    found
}

/// The schema of the version that the document names.
fn by_the_schema(document: &Value) -> Validator {
    match document["openapi"].as_str() {
        Some(version) if version.starts_with("3.1.") => by(
            &[include_str!("schema/schema-3.1-2022-10-07.json")],
            "https://spec.openapis.org/oas/3.1/schema/2022-10-07",
            "https://json-schema.org/draft/2020-12/schema",
        ),
        _ => by(
            &[
                include_str!("schema/schema-3.2-2025-11-23.json"),
                include_str!("schema/dialect-3.2-2025-09-17.json"),
                include_str!("schema/meta-3.2-2025-09-17.json"),
            ],
            "https://spec.openapis.org/oas/3.2/schema/2025-11-23",
            "https://spec.openapis.org/oas/3.2/dialect/2025-09-17",
        ),
    }
}

/// The schema of documents, with that of the schemas in them put in its place.
fn by(files: &[&str], documents: &str, schemas: &str) -> Validator {
    let mut registry = Registry::new();
    for file in files {
        let schema: Value = serde_json::from_str(file).expect("the schema is JSON");
        let id = schema["$id"].as_str().expect("each has its id").to_owned();
        registry = registry.add(id, schema).expect("a schema");
    }
    let registry = registry.prepare().expect("every reference is among them");
    let base = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": documents,
        "$defs": { "schema": { "$dynamicAnchor": "meta", "$ref": schemas } },
    });
    let options = jsonschema::options().offline().should_validate_formats(true);
    options.with_registry(&registry).build(&base).expect("the schema is valid")
}

/// Every `$ref` leads to a place in the document.
fn refer(document: &Value, node: &Value, at: &mut String, found: &mut Vec<String>) {
    if let Some(reference) = node["$ref"].as_str() {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        if target.is_none() {
            found.push(format!("{}: {reference} is not in the document", or_root(at)));
        }
    }
    let children: Vec<(String, &Value)> = match node {
        Value::Array(items) => items.iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| (key.replace('~', "~0").replace('/', "~1"), field)).collect()
        }
        _ => Vec::new(),
    };
    for (key, child) in children {
        let length = at.len();
        at.push('/');
        at.push_str(&key);
        refer(document, child, at, found);
        at.truncate(length);
    }
}

/// Operations have names of their own, and exactly the path parameters that are in their path.
fn operations(document: &Value, found: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let in_path: BTreeSet<&str> =
            path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect();
        for (method, operation) in item.as_object().into_iter().flatten() {
            if !operation["responses"].is_object() {
                continue;
            }
            let name = operation["operationId"].as_str();
            if name.is_some_and(|name| !names.insert(name)) {
                found.push(format!(
                    "{method} {path}: there is an operation {} already",
                    operation["operationId"]
                ));
            }
            let given: BTreeSet<&str> = [&item["parameters"], &operation["parameters"]]
                .into_iter()
                .filter_map(Value::as_array)
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            if given != in_path {
                found.push(format!("{method} {path}: its path parameters are {given:?}"));
            }
        }
    }
}

fn or_root(pointer: &str) -> &str {
    if pointer.is_empty() { "/" } else { pointer }
}
