//! A `yield` that belongs to a macro of its own is none of ours.

#![deny(warnings)]

use sse_runtime::{Sse, routes, sse_route};

macro_rules! list {
    ($(yield $item:expr;)*) => {
        [$($item),*]
    };
}

#[sse_route("/events")]
async fn events(sse: Sse) {
    for item in list! { yield "one"; yield "two"; } {
        sse.send(item).await.ok();
    }
}

fn main() {
    let _app: axum::Router = routes![events];
}
