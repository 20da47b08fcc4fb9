//! Every form a path can take, and every way to bind its parameters.

#![deny(warnings)]

use axum::extract::{Path, RawPathParams, Request};
use sse_runtime::{Sse, routes, sse_route};

#[sse_route("/")]
async fn root(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/user-{id}/{name}/{*rest}")]
async fn by_name(sse: Sse, rest: String, id: u64, name: String) {
    sse.send(format!("{id} {name} {rest}")).await.ok();
}

#[sse_route("/keywords/{type}/{match}")]
async fn keywords(sse: Sse, r#type: String, r#match: u8) {
    sse.send(format!("{type} {match}", type = r#type, match = r#match)).await.ok();
}

#[sse_route("/unused/{id}")]
async fn unused(sse: Sse, _id: u64) {
    sse.send("tick").await.ok();
}

#[sse_route("/changed/{id}")]
async fn changed(sse: Sse, mut id: u64) {
    id += 1;
    sse.send(id.to_string()).await.ok();
}

#[sse_route("/extracted/{a}/{b}")]
async fn extracted(sse: Sse, Path((a, b)): Path<(u64, String)>) {
    sse.send(format!("{a} {b}")).await.ok();
}

#[sse_route("/both/{a}/{b}")]
async fn both(sse: Sse, a: u64, raw: RawPathParams) {
    sse.send(format!("{a} {}", raw.iter().count())).await.ok();
}

#[sse_route("/request/{a}")]
async fn request(sse: Sse, request: Request) {
    sse.send(request.uri().to_string()).await.ok();
}

#[sse_route("/{{braces}}/caf%C3%A9")]
async fn escaped(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router =
        routes![root, by_name, keywords, unused, changed, extracted, both, request, escaped];
}
