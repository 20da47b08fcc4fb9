//! The smallest useful program: one annotated function, and a page that shows what it sends.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! Open <http://127.0.0.1:3000>: a line appears every second. Close the tab, and the terminal says who left
//! after how many events. Stop the server and start it again: the page comes back by itself. Without a
//! browser: `curl -N http://127.0.0.1:3000/ticks`.

use std::{env, time::Duration};

use axum::{Router, response::Html, routing::get};
use sse_runtime::{Disconnect, Result, Sse, listen, routes, serve, sse_route};
use tokio::time::interval;

/// Counts the seconds for as long as somebody listens.
#[sse_route("/ticks")]
async fn ticks(sse: Sse) -> Result<()> {
    async fn on_disconnect(gone: Disconnect) {
        tracing::info!("{} after {} events", gone.reason, gone.events);
    }

    let mut second = interval(Duration::from_secs(1));
    for n in 1_u64.. {
        second.tick().await;
        sse.send(format!("tick {n}")).await?;
    }
    Ok(())
}

fn app() -> Router {
    let page = || async { Html(include_str!("quickstart.html")) };
    Router::new().route("/", get(page)).merge(routes![ticks])
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, app()).await?;
    Ok(())
}
