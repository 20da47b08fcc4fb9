//! The finished documents, served, and the page beside them.

use axum::Router;
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
