//! From a channel to a response: what the author of the axum handlers writes once. `Events` is tokio-stream's
//! `ReceiverStream`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_util::Stream;
use tokio::sync::mpsc::Receiver;

pub struct Events(Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}

pub type EventStream = Sse<KeepAliveStream<Events>>;

pub fn stream(events: Receiver<Event>) -> EventStream {
    Sse::new(Events(events)).keep_alive(KeepAlive::default())
}
