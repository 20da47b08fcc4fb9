//! Routes nest, merge and layer like any other, whatever state they need.

#![deny(warnings)]

use axum::{Router, extract::State, routing::get};
use sse_runtime::{Route, Sse, routes, sse_route};

#[derive(Clone)]
struct App;

#[sse_route("/stateless")]
async fn stateless(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/stateful")]
async fn stateful(sse: Sse, State(_app): State<App>) {
    sse.send("tick").await.ok();
}

fn all<S: Clone + Send + Sync + 'static>() -> Router<S> {
    routes![stateless]
}

fn main() {
    let one: Route<App> = stateful::route();
    let _app: Router = Router::new()
        .route("/", get(|| async { "page" }))
        .merge(one)
        .nest("/nested", routes![stateless, stateful])
        .merge(all())
        .route("/moved", stateless::route().into_method_router())
        .with_state(App);
    let _empty: Router = routes![];
}
