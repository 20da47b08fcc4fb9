//! A token in the `Authorization` header: for clients that read the stream with `fetch`, and for all that are no browser.

use std::time::Duration;

use axum::{
    Form, Json, Router,
    extract::{FromRequestParts, State},
    http::{
        HeaderName, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        request::Parts,
    },
    routing::post,
};
use serde_json::{Value, json};
use sse_runtime::{Result, Sse, routes, sse_route};

use crate::{App, Grant, Login};

/// So short that one can watch it: a quarter of an hour is usual.
const TOKEN: Duration = Duration::from_secs(10);

// The stream ends with the token that opened it. Its client comes back with the next one and goes on after the last event.
#[sse_route("/header/events", retry = "500ms")]
async fn events(sse: Sse, Bearer(grant): Bearer, State(app): State<App>) -> Result<()> {
    app.stream(sse, grant).await
}

/// `Authorization: Bearer <token>`
pub(crate) struct Bearer(pub(crate) Grant);

impl FromRequestParts<App> for Bearer {
    type Rejection = (StatusCode, [(HeaderName, &'static str); 1], &'static str);

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let (scheme, token) = header.and_then(|header| header.split_once(' ')).unwrap_or_default();
        let grant = app.tokens.look_up(token).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        let why = "no token, or one that is over";
        grant.map(Self).ok_or((StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], why))
    }
}

/// Stands in for whoever issues your tokens.
async fn token(State(app): State<App>, Form(Login { name }): Form<Login>) -> Result<Json<Value>> {
    let token = app.tokens.issue(Grant::new(name, TOKEN), TOKEN)?;
    Ok(Json(json!({ "token": token, "expires_in": TOKEN.as_secs() })))
}

/// So that a client sees a token refused before its time.
async fn revoke(State(app): State<App>, Bearer(grant): Bearer) -> StatusCode {
    app.withdraw(&grant, "revoked");
    StatusCode::NO_CONTENT
}

pub(crate) fn routes() -> Router<App> {
    let tokens = Router::new().route("/token", post(token)).route("/token/revoke", post(revoke));
    tokens.merge(routes![events])
}
