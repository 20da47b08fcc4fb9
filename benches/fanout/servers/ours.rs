//! This library: a route that follows a topic, on its own `serve` and on axum's.

use std::io;
use std::time::Duration;

use axum::extract::State;
use axum::serve::ListenerExt;
use sse_runtime::{Hub, Result, Sse, Topic, routes, sse_route};

use super::{Publish, Setup, listen, publish};

#[sse_route("/events")]
async fn events(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

/// An interval is part of a route's annotation.
#[sse_route("/events", keep_alive = "1s")]
async fn events_pinged_often(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

impl Publish for Topic {
    async fn publish(&mut self, text: &str) {
        if let Err(error) = Topic::publish(self, text).await {
            eprintln!("{error}");
        }
    }
}

pub(crate) fn run(setup: &Setup) -> io::Result<()> {
    run_on(setup, Accepting::Ours)
}

pub(crate) fn run_on_axum(setup: &Setup) -> io::Result<()> {
    run_on(setup, Accepting::Axums)
}

enum Accepting {
    Ours,
    Axums,
}

fn run_on(setup: &Setup, accepting: Accepting) -> io::Result<()> {
    let is_pinged_often = setup.keep_alive == Duration::from_secs(1);
    setup.block_on(async move {
        let hub = Hub::in_memory().build();
        let topic = hub.topic("bench");
        let app = if is_pinged_often { routes![events_pinged_often] } else { routes![events] };
        let app = app.with_state(topic.clone());
        let listener = listen().await?;
        match accepting {
            Accepting::Ours => tokio::spawn(sse_runtime::serve(listener, app).into_future()),
            Accepting::Axums => {
                let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
                tokio::spawn(axum::serve(listener, app).into_future())
            }
        };
        publish(topic).await
    })
}
