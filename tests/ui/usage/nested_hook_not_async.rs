use sse_runtime::{Disconnect, Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    fn on_disconnect(gone: Disconnect) {
        println!("{}", gone.reason);
    }
    let _ = sse.send("tick").await;
}

fn main() {}
