//! Path parameters may have the names that the expansion uses for its own values.

#![deny(warnings)]

use axum::http::{HeaderMap, Uri};
use sse_runtime::{Sse, routes, sse_route};

#[sse_route("/{stream}/{params}/{last}/{head_1}/{meta}/{gone}/{S}")]
#[allow(non_snake_case)]
async fn events(
    sse: Sse,
    stream: u8,
    params: u16,
    last: String,
    head_1: u32,
    meta: char,
    gone: bool,
    S: i8,
    uri: Uri,
    headers: HeaderMap,
) {
    sse.send(format!("{stream}{params}{last}{head_1}{meta}{gone}{S}{uri}{headers:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = routes![events];
}
