//! What clients post has to be read from JSON.

use sse_runtime::{Replies, Sse, sse_route};

struct Answer;

#[sse_route("/quiz")]
async fn quiz(sse: Sse, _answers: Replies<Answer>) {
    sse.send("question").await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![quiz];
}
