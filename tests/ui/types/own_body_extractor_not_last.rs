use axum::extract::{FromRequest, Request};
use sse_runtime::{Sse, sse_route};

struct Order(String);

impl<S: Send + Sync> FromRequest<S> for Order {
    type Rejection = std::convert::Infallible;

    async fn from_request(_: Request, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Order(String::new()))
    }
}

#[sse_route("/orders", methods = ["POST"])]
async fn events(sse: Sse, order: Order, headers: axum::http::HeaderMap) {
    sse.send(format!("{} {headers:?}", order.0)).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
