//! The runtime under another name: `crate = ..` says where.

#![deny(warnings)]

extern crate sse_runtime as renamed;

mod vendored {
    pub use renamed::*;
}

// What the crate is called elsewhere means nothing here.
mod sse_runtime {}

use renamed::{Sse, routes, sse_route};

#[sse_route("/path", crate = renamed)]
async fn by_path(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/module/{id}", methods = ["POST"], keep_alive = "1s", crate = crate::vendored)]
async fn by_module(sse: Sse, id: u64, text: String) {
    sse.send(format!("{id} {text}")).await.ok();
}

macro_rules! handler {
    ($name:ident) => {
        #[sse_route("/macro", crate = $crate::vendored)]
        async fn $name(sse: Sse, headers: axum::http::HeaderMap) {
            sse.send(format!("{headers:?}")).await.ok();
        }
    };
}

handler!(by_macro);

fn main() {
    let _app: axum::Router = routes![by_path, by_module, by_macro];
}
