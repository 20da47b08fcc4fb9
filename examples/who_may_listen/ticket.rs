//! A ticket in the address, for an `EventSource` without a cookie: it can send no header.
//!
//! What is in an address is in the log of every server and proxy on the way. So it is not the token: it is good for
//! five seconds and for one stream, and whoever finds it in a log finds it used.
//!
//! A browser that lost its connection would come back with the same address. So the page does not let it: it closes
//! the `EventSource`, changes its token for another ticket, and says in the address after which event to go on.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{FromRequestParts, Query, State},
    http::{StatusCode, request::Parts},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sse_runtime::{Result, Sse, routes, sse_route};

use crate::{App, Grant, header::Bearer};

const TICKET: Duration = Duration::from_secs(5);

#[sse_route("/ticket/events")]
async fn events(sse: Sse, Ticket(grant): Ticket, State(app): State<App>) -> Result<()> {
    app.stream(sse, grant).await
}

/// `?ticket=<ticket>`, which is used up by that.
struct Ticket(Grant);

#[derive(Deserialize)]
struct Named {
    ticket: String,
}

impl FromRequestParts<App> for Ticket {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        // The answer does not repeat it.
        let named = Query::<Named>::from_request_parts(parts, app).await.ok();
        let grant = named.and_then(|Query(named)| app.tickets.use_up(&named.ticket));
        grant.map(Self).ok_or((StatusCode::UNAUTHORIZED, "no ticket, or one that was used, or is over"))
    }
}

/// It is good for what the token is: the stream that it opens ends when that does.
async fn ticket(State(app): State<App>, Bearer(grant): Bearer) -> Result<Json<Value>> {
    Ok(Json(json!({ "ticket": app.tickets.issue(grant, TICKET)? })))
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/ticket", post(ticket)).merge(routes![events])
}
