use axum::{Json, http::HeaderMap};
use sse_runtime::{Sse, sse_route};

#[sse_route("/{org}/{repo}/{id}", methods = ["POST"])]
async fn events(sse: Sse, ogr: String, Json(order): Json<Vec<u8>>, id: u64, page: u32, headers: HeaderMap) {
    sse.send(format!("{ogr} {order:?} {id} {page} {headers:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
