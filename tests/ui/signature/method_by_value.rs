use sse_runtime::{Sse, sse_route};

struct Jobs;

impl Jobs {
    #[sse_route("/events")]
    async fn events(self: std::sync::Arc<Self>, sse: Sse) {
        sse.send("tick").await.ok();
    }
}

fn main() {}
