//! The finished documents, served, and the page beside them.

use std::collections::BTreeSet;

use axum::Router;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::asset::Asset;

/// Where the documents are, below their prefix.
pub(super) const OPENAPI: &str = "/openapi.json";
pub(super) const CLIENTS: &str = "/openapi.client.json";
#[cfg(feature = "docs")]
const PAGE: &str = "/docs";

/// Adds the documents to a router, and the page.
///
/// # Panics
/// If a document cannot be written as JSON: no schema of utoipa's can bring that about.
pub(super) fn mount<S>(router: Router<S>, openapi: &OpenApi, clients: &OpenApi, at: &str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    report_missing(openapi);
    let router =
        [(OPENAPI, openapi), (CLIENTS, clients)].into_iter().fold(router, |router, (path, document)| {
            let json = document.to_json().expect("a document is JSON");
            Asset::new("application/json", json).mount(router, &format!("{at}{path}"))
        });
    #[cfg(feature = "docs")]
    let router = router.merge(super::page::routes(
        &format!("{at}{PAGE}"),
        &format!("{at}{OPENAPI}"),
        &openapi.info.title,
    ));
    router
}

/// Says which schemas are referred to and not there: a parameter and a response know their names, and no more.
fn report_missing(openapi: &OpenApi) {
    let Ok(document) = serde_json::to_value(openapi) else { return };
    let mut missing = BTreeSet::new();
    collect_missing(&document, &document, &mut missing);
    for name in missing {
        tracing::warn!(
            "the documents refer to the schema {name}, which they do not have; add it: `.schema::<{name}>()`"
        );
    }
}

fn collect_missing<'a>(document: &Value, node: &'a Value, missing: &mut BTreeSet<&'a str>) {
    match node {
        Value::Array(items) => items.iter().for_each(|item| collect_missing(document, item, missing)),
        Value::Object(fields) => {
            let referred = fields.get("$ref").and_then(Value::as_str);
            if let Some(name) = referred.and_then(|reference| reference.strip_prefix("#/components/schemas/"))
            {
                if document["components"]["schemas"].get(name).is_none() {
                    missing.insert(name);
                }
            }
            fields.values().for_each(|field| collect_missing(document, field, missing));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_referred_to_and_not_there_is_found() {
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let document = json!({
            "paths": [reference("There"), { "not": reference("Missing") }, { "$ref": 1 }, { "$ref": "#/elsewhere" }],
            "components": { "schemas": { "There": reference("AlsoMissing") } },
        });
        let mut missing = BTreeSet::new();
        collect_missing(&document, &document, &mut missing);
        assert_eq!(missing.into_iter().collect::<Vec<_>>(), ["AlsoMissing", "Missing"]);
    }
}
