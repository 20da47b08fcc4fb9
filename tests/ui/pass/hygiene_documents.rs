//! What documents ask of the types means the user's types, whatever they are called.

#![deny(warnings)]
#![allow(dead_code)]

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Serialize;
use sse_runtime::{Result, Sse, SseEvent, routes, sse_route};

/// Named like what asks, and like what it asks with.
struct Probe;
struct Operation;
struct Components;
trait ArgumentByDefault {}
trait EventsByName {}

impl<S: Sync> FromRequestParts<S> for Probe {
    type Rejection = ();

    async fn from_request_parts(_: &mut Parts, _: &S) -> std::result::Result<Self, ()> {
        Ok(Self)
    }
}

/// Called as a trait that is asked with.
#[derive(Serialize, SseEvent)]
struct EventsByLibrary {
    at: u64,
}

#[sse_route("/probes/{known}")]
async fn probes(sse: Sse<EventsByLibrary>, known: u64, _probe: Probe) -> Result<()> {
    sse.send(EventsByLibrary { at: known }).await?;
    Ok(())
}

fn main() {
    let _app: axum::Router = routes![probes];
}
