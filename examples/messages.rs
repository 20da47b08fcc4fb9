//! Numbered messages that go on where a client left off.
//!
//! ```text
//! cargo run --example messages
//! curl -N http://127.0.0.1:3000/stream
//! curl -N -H 'Last-Event-ID: 41' http://127.0.0.1:3000/stream
//! ```
//!
//! A `new_message` event every second, each with its id and the wish to be asked again 15 s after a lost
//! connection. The second client begins at message 42: it names the last id that it saw, as every browser does
//! when it reconnects.

use std::{env, time::Duration};

use axum::Router;
use sse_runtime::{Disconnect, Event, Result, Sse, listen, routes, serve, sse_route};
use tokio::time::interval;

const DELAY: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(15_000);

/// Sends a message each second, until the client leaves.
#[sse_route("/stream")]
async fn messages(sse: Sse) -> Result<()> {
    async fn on_disconnect(gone: Disconnect) {
        let last = gone.last_event_id.as_deref().unwrap_or("nothing");
        tracing::info!(reason = %gone.reason, last, "client left");
    }

    // The header is whatever the client chose to write: what is not an id of ours means "from the start".
    let seen: u64 = sse.last_event_id().and_then(|id| id.parse().ok()).unwrap_or(0);
    let mut delay = interval(DELAY);
    for id in seen.saturating_add(1)..=u64::MAX {
        delay.tick().await;
        let message = Event::new("new_message").id(id.to_string()).retry(RETRY);
        sse.send(message.data(format!("message {id}"))).await?;
    }
    Ok(())
}

fn app() -> Router {
    routes![messages]
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
