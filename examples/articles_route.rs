//! One route that answers with an event, reads its query, and says when its client is gone.
//!
//! ```text
//! cargo run --example articles_route
//! curl -N http://127.0.0.1:3000/my-sse-route
//! curl -N 'http://127.0.0.1:3000/my-sse-route?message_id=7'
//! ```
//!
//! The first prints `data: This is my message`, the second `data: {"message_id":"7"}`; for each, the terminal
//! of the server shows why the stream ended.

use std::env;

use axum::{Router, extract::Query};
use serde::{Deserialize, Serialize};
use sse_runtime::{Disconnect, Result, Sse, listen, routes, serve, sse_route};

/// What the client may ask for in the query, and what it then gets back.
#[derive(Deserialize, Serialize)]
struct Wanted {
    message_id: Option<String>,
}

#[sse_route("/my-sse-route", methods = ["GET"])]
async fn my_sse_route(sse: Sse, Query(wanted): Query<Wanted>) -> Result<()> {
    async fn on_disconnect(disconnect: Disconnect) {
        tracing::info!(reason = %disconnect.reason, "disconnected");
    }

    if wanted.message_id.is_some() {
        sse.send_json(&wanted).await?;
    } else {
        sse.send("This is my message").await?;
    }
    Ok(())
}

fn app() -> Router {
    routes![my_sse_route]
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
