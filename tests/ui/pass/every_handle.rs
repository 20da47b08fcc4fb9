//! The handle: typed, renamed, mutable, unnamed, behind an alias, by its full path.

#![deny(warnings)]

use sse_runtime::{EventError, EventWriter, Sse, SseEvent, routes, sse_route};

struct Tick(u32);

impl SseEvent for Tick {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.data(&self.0.to_string())
    }
}

type Ticks = Sse<Tick>;

#[sse_route("/typed")]
async fn typed(sse: Sse<Tick>) {
    sse.send(Tick(1)).await.ok();
}

#[sse_route("/alias")]
async fn alias(ticks: Ticks) {
    ticks.send(&Tick(1)).await.ok();
}

#[sse_route("/full")]
async fn full(stream: sse_runtime::Sse<sse_runtime::Message>) {
    stream.send("tick").await.ok();
}

#[sse_route("/mutable")]
async fn mutable(mut sse: Sse) {
    sse = sse.clone();
    sse.send("tick").await.ok();
}

#[sse_route("/unnamed")]
async fn unnamed(_: Sse) {}

fn main() {
    let _app: axum::Router = routes![typed, alias, full, mutable, unnamed];
}
