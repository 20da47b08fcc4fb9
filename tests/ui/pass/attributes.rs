//! What stands beside `#[sse_route]` holds for the route too: `#[cfg]`, lint levels, `#[deprecated]`, docs.

#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations)]

use sse_runtime::{Sse, routes, sse_route};

/// The one that is compiled.
#[cfg(not(any()))]
#[sse_route("/events")]
async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/events")]
#[cfg(any())]
async fn events(sse: Sse, missing: Missing) {
    sse.send("tick").await.ok();
}

#[sse_route("/never_mounted")]
#[allow(dead_code)]
async fn never_mounted(sse: Sse) {
    sse.send("tick").await.ok();
}

#[expect(unused_variables)]
#[sse_route("/expected/{id}")]
async fn expected(sse: Sse, id: u64) {
    sse.send("tick").await.ok();
}

#[sse_route("/forbidden")]
#[forbid(unsafe_code)]
#[must_use]
#[inline]
async fn forbidden(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/old")]
#[deprecated]
async fn old(sse: Sse) {
    sse.send("tick").await.ok();
}

/// Public, with a private type among its arguments.
#[sse_route("/leaky")]
#[allow(private_interfaces)]
pub async fn leaky(sse: Sse, _agent: axum::Extension<Agent>) {
    sse.send("tick").await.ok();
}

#[derive(Clone)]
struct Agent;

fn main() {
    #[allow(deprecated)]
    let _app: axum::Router = routes![events, expected, forbidden, old, leaky];
}
