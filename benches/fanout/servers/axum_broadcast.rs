//! axum's own way, as tutorials have it: a `tokio::sync::broadcast` channel whose receivers are the streams.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::sync::broadcast;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;

use super::{Publish, Setup, listen, publish};

const CAPACITY: usize = 1024;

#[derive(Clone)]
struct App {
    sender: broadcast::Sender<String>,
    keep_alive: Duration,
}

async fn events(State(app): State<App>) -> impl IntoResponse {
    // An error says that this subscriber has missed some, which are lost.
    let events = BroadcastStream::new(app.sender.subscribe())
        .filter_map(|text| Some(Ok::<_, Infallible>(Event::default().data(text.ok()?))));
    Sse::new(events).keep_alive(KeepAlive::new().interval(app.keep_alive))
}

impl Publish for broadcast::Sender<String> {
    async fn publish(&mut self, text: &str) {
        // An error says that there are no subscribers.
        drop(self.send(text.to_owned()));
    }
}

pub(crate) fn run(setup: &Setup) -> io::Result<()> {
    let keep_alive = setup.keep_alive;
    setup.block_on(async move {
        let (sender, _) = broadcast::channel(CAPACITY);
        let app = App { sender: sender.clone(), keep_alive };
        let app = Router::new().route("/events", get(events)).with_state(app);
        // Without it an event waits for the acknowledgement of the one before.
        let listener = listen().await?.tap_io(|socket| drop(socket.set_nodelay(true)));
        tokio::spawn(axum::serve(listener, app).into_future());
        publish(sender).await
    })
}
