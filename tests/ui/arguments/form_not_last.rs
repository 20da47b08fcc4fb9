use axum::{Form, http::HeaderMap};
use sse_runtime::{Sse, sse_route};

#[sse_route("/search")]
async fn events(sse: Sse, Form(words): Form<Vec<(String, String)>>, headers: HeaderMap) {
    sse.send(format!("{words:?} {headers:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
