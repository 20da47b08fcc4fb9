use axum::{Router, extract::State};
use sse_runtime::{Sse, routes, sse_route};

#[derive(Clone)]
struct Jobs;

#[derive(Clone)]
struct Users;

#[sse_route("/events")]
async fn events(sse: Sse, State(_jobs): State<Jobs>) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: Router = Router::new().merge(routes![events]).with_state(Users);
}
