//! axum's extractors, a substate, one of our own, and bodies.

#![deny(warnings)]

use axum::{
    Extension, Form, Json, Router,
    body::Bytes,
    extract::{FromRef, FromRequestParts, Query, Request, State},
    http::{HeaderMap, Method, Uri, request::Parts},
};
use serde::Deserialize;
use sse_runtime::{Sse, routes, sse_route};
use std::convert::Infallible;

#[derive(Clone)]
struct Jobs;

#[derive(Clone)]
struct Users;

#[derive(Clone)]
struct App {
    jobs: Jobs,
    users: Users,
}

impl FromRef<App> for Jobs {
    fn from_ref(app: &App) -> Jobs {
        app.jobs.clone()
    }
}

impl FromRef<App> for Users {
    fn from_ref(app: &App) -> Users {
        app.users.clone()
    }
}

#[derive(Deserialize)]
struct Page {
    number: u32,
}

struct Agent(String);

impl<S: Sync> FromRequestParts<S> for Agent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Agent, Infallible> {
        Ok(Agent(format!("{:?}", parts.headers.get("user-agent"))))
    }
}

#[sse_route("/jobs/{id}")]
async fn jobs(
    sse: Sse,
    State(_jobs): State<Jobs>,
    id: u64,
    State(_users): State<Users>,
    Query(page): Query<Page>,
    Agent(agent): Agent,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) {
    sse.send(format!("{id} {} {agent} {method} {uri} {headers:?}", page.number)).await.ok();
}

#[sse_route("/whole")]
async fn whole(sse: Sse, State(_app): State<App>, page: Option<Extension<u32>>) {
    sse.send(format!("{page:?}")).await.ok();
}

#[sse_route("/json/{id}", methods = ["POST"])]
async fn json(sse: Sse, State(_jobs): State<Jobs>, Json(page): Json<Page>, id: u64) {
    sse.send(format!("{id} {}", page.number)).await.ok();
}

#[sse_route("/maybe", methods = ["GET", "POST"])]
async fn maybe(sse: Sse, page: Option<Json<Page>>) {
    sse.send(page.is_some().to_string()).await.ok();
}

#[sse_route("/text", methods = ["PUT"])]
async fn text(sse: Sse, text: String) {
    sse.send(text).await.ok();
}

#[sse_route("/bytes", methods = ["PATCH"])]
async fn bytes(sse: Sse, bytes: Bytes) {
    sse.send(bytes.len().to_string()).await.ok();
}

#[sse_route("/form")]
async fn form(sse: Sse, Form(page): Form<Page>) {
    sse.send(page.number.to_string()).await.ok();
}

#[sse_route("/request")]
async fn request(sse: Sse, request: Request) {
    sse.send(request.uri().to_string()).await.ok();
}

fn main() {
    let _app: Router = Router::new()
        .nest("/api", routes![jobs, whole, json, maybe])
        .merge(routes![text, bytes, form, request,])
        .with_state(App { jobs: Jobs, users: Users });
}
