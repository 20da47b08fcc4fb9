//! Who may listen: a cookie, a ticket or a header, and what becomes of a stream when its listener may no more.
//!
//! ```text
//! cargo run --example who_may_listen
//! ```
//!
//! Open <http://127.0.0.1:3000>. The same stream is there three times, each with a file of its own:
//!
//! - `cookie.rs`: log in, and an `EventSource` sends the cookie by itself. Log out in another tab: the stream ends.
//! - `ticket.rs`: an `EventSource` has no headers, so the page changes its token for a ticket, which opens one stream.
//! - `header.rs`: `sse-client` sends the token. It is good for ten seconds; look at how the stream goes on after them.
//!
//! No password is needed, this is an example. In all three, the page can be asked from this machine alone, and from no
//! page of another site (`AllowedHosts`).

mod cookie;
mod grants;
mod header;
mod ticket;

use std::{env, sync::Arc, time::Duration};

use axum::{Router, response::Html, routing::get};
use serde::Deserialize;
use sse_runtime::{
    AllowedHosts, Error, Event, Hub, Result, Shutdown, Sse, StatusCode, Topic, client, listen, serve,
};
use tokio::time::interval;

use grants::{Grant, Grants};

#[derive(Clone)]
struct App {
    numbers: Topic,
    sessions: Arc<Grants>,
    tokens: Arc<Grants>,
    tickets: Arc<Grants>,
    /// Knows the open streams, so that they can be ended.
    shutdown: Shutdown,
}

impl App {
    fn new(numbers: Topic) -> Self {
        let (sessions, tokens, tickets) = Default::default();
        Self { numbers, sessions, tokens, tickets, shutdown: Shutdown::new() }
    }

    /// What all three routes stream, once they know to whom: for as long as that holds.
    async fn stream(&self, sse: Sse, to: Grant) -> Result<()> {
        sse.expires_at(to.until);
        sse.set_principal(to.principal());
        // Since the request was looked at, it may have been withdrawn, when this stream had no name yet to be ended by.
        if !to.is_good() {
            return Err(Error::from("withdrawn").with_status(StatusCode::UNAUTHORIZED));
        }
        sse.send(Event::new("hello").json(&to.user)?).await?;
        sse.follow(&self.numbers).await?;
        Ok(())
    }

    /// From now on it opens nothing, and the streams that it has opened end.
    fn withdraw(&self, grant: &Grant, why: &str) {
        grant.withdraw();
        let principal = grant.principal();
        self.shutdown.registry().kick(|stream| stream.principal.as_ref() == Some(&principal), why);
    }
}

/// What a user fills in.
#[derive(Deserialize)]
struct Login {
    name: String,
}

async fn count(numbers: Topic) -> Result<()> {
    let mut pace = interval(Duration::from_millis(500));
    for n in 1_u64.. {
        pace.tick().await;
        numbers.publish(Event::new("number").json(&n)?).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let app = App::new(Hub::in_memory().build().topic("numbers"));
    let (numbers, shutdown) = (app.numbers.clone(), app.shutdown.clone());
    let routes = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .merge(cookie::routes())
        .merge(ticket::routes())
        .merge(header::routes())
        .merge(client::routes())
        .with_state(app)
        .layer(AllowedHosts::loopback());
    tokio::select! {
        served = serve(listener, routes).shutdown(shutdown).into_future() => served?,
        stopped = count(numbers) => stopped?,
    }
    Ok(())
}
