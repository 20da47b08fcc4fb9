//! A session cookie: the one credential that a browser sends with an `EventSource`, and at every reconnect, by itself.

use std::time::Duration;

use axum::{
    Form, Router,
    extract::{FromRequestParts, State},
    http::{
        HeaderMap, StatusCode,
        header::{COOKIE, SET_COOKIE},
        request::Parts,
    },
    response::IntoResponse,
    routing::post,
};
use sse_runtime::{Result, Sse, routes, sse_route};

use crate::{App, Grant, Login};

const SESSION: Duration = Duration::from_secs(3600);

#[sse_route("/cookie/events", retry = "500ms")]
async fn events(sse: Sse, Session(grant): Session, State(app): State<App>) -> Result<()> {
    app.stream(sse, grant).await
}

/// Without a session, the answer is 401: an `EventSource` takes it for the last word, and does not come back.
struct Session(Grant);

impl FromRequestParts<App> for Session {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let grant = session_id(&parts.headers).and_then(|id| app.sessions.look_up(id));
        grant.map(Self).ok_or((StatusCode::UNAUTHORIZED, "log in first"))
    }
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|cookie| cookie.trim().strip_prefix("session="))
}

async fn log_in(State(app): State<App>, Form(Login { name }): Form<Login>) -> Result<impl IntoResponse> {
    let id = app.sessions.issue(Grant::new(name, SESSION), SESSION)?;
    // HttpOnly: no script can read it. SameSite: no other site's page can have it sent. Behind TLS, add `Secure`.
    let cookie = format!("session={id}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}", SESSION.as_secs());
    Ok(([(SET_COOKIE, cookie)], StatusCode::NO_CONTENT))
}

/// Ends the session, and its streams. The browsers come back, with a session that there is no more.
async fn log_out(State(app): State<App>, headers: HeaderMap) -> impl IntoResponse {
    if let Some(session) = session_id(&headers).and_then(|id| app.sessions.look_up(id)) {
        app.withdraw(&session, "logged out");
    }
    ([(SET_COOKIE, "session=; Path=/; Max-Age=0")], StatusCode::NO_CONTENT)
}

pub(crate) fn routes() -> Router<App> {
    let forms = Router::new().route("/cookie/login", post(log_in)).route("/cookie/logout", post(log_out));
    forms.merge(routes![events])
}
