//! Every fate of a slow client, on plain routes and on bare ones, also as handed through a macro.

#![deny(warnings)]

use sse_runtime::{Sse, routes, sse_route};

#[sse_route("/disconnect", slow = "disconnect")]
async fn disconnect(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/skip", slow = "skip")]
async fn skip(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/latest", bare, slow = r"latest")]
async fn latest(sse: Sse) {
    sse.send("tick").await.ok();
}

macro_rules! route {
    ($name:ident, $path:literal, $slow:expr) => {
        #[sse_route($path, slow = $slow)]
        async fn $name(sse: Sse) {
            sse.send("tick").await.ok();
        }
    };
}

route!(generated, "/generated", "latest");

fn main() {
    let _app: axum::Router = routes![disconnect, skip, latest, generated];
    assert_eq!(latest::route::<(), _>().path(), "/latest");
}
