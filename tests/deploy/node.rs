//! A server of the deploy: what is in the log, for everybody.

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use sse_runtime::{Hub, Result, Sse, listen, routes, serve, sse_route};

use super::DRAIN;
use super::log::Reader;

/// The variable that makes this program a server, and says where the log is.
pub(crate) const LOG: &str = "SSE_TESTS_LOG";

#[sse_route("/ticks")]
async fn ticks(sse: Sse, State(hub): State<Hub>) -> Result<()> {
    sse.follow(&hub.topic("ticks")).await?;
    Ok(())
}

pub(crate) async fn run(log: &Path) {
    let hub = Hub::on(Reader::new(log)).start().await.expect("the log is there");
    let app: Router = routes![ticks].with_state(hub);
    let listener = listen("127.0.0.1:0").await.expect("the inherited socket");
    println!("\nlistening on http://{}", listener.local_addr().expect("an address"));
    let serving = serve(listener, app).drain_over(DRAIN).drain_timeout(Duration::from_secs(10));
    serving.await.expect("it serves until it is told to end");
}
