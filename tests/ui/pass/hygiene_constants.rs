//! No constant of the user's is taken for a pattern of the expansion, and no name of theirs for one of its values.

#![deny(warnings)]
#![allow(dead_code, non_upper_case_globals)]

use axum::http::{HeaderMap, Uri};
use sse_runtime::{Sse, routes, sse_route};

const params: u8 = 1;
const stream: u8 = 2;
const last: u8 = 3;
const head: u8 = 4;
const uri: u8 = 5;
static META: u8 = 6;

struct S;
struct M;

/// Named like its own argument.
#[sse_route("/{ticks}")]
async fn ticks(sse: Sse, ticks: u64) {
    sse.send(ticks.to_string()).await.ok();
}

/// Named like the function beside it, and like an extractor's argument.
#[sse_route("/route/{id}")]
async fn route(sse: Sse, id: u64, target: Uri, headers: HeaderMap) {
    sse.send(format!("{id} {target} {headers:?}")).await.ok();
}

#[sse_route("/sse")]
async fn sse(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/match/{fn}")]
async fn r#match(r#async: Sse, r#fn: String) {
    r#async.send(r#fn).await.ok();
}

fn main() {
    let _app: axum::Router = routes![ticks, route, sse, r#match];
    assert_eq!(r#match::route::<(), _>().path(), "/match/{fn}");
}
