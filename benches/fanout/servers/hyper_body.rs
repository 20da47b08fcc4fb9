//! hyper without a framework, by hand: an event is encoded once, and all bodies hand out the same bytes.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::broadcast;
use tokio_stream::Stream;
use tokio_stream::wrappers::BroadcastStream;

use super::{Publish, Setup, listen, publish};

const CAPACITY: usize = 1024;

/// The body of a response: whatever is published from now on.
struct Events(BroadcastStream<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_next(context)) {
                Some(Ok(event)) => return Poll::Ready(Some(Ok(Frame::data(event)))),
                // This subscriber has missed some, which are lost.
                Some(Err(_)) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

struct Publisher {
    sender: broadcast::Sender<Bytes>,
    /// Something was published since the last look, so that no ping is needed.
    lively: Arc<AtomicBool>,
}

impl Publish for Publisher {
    async fn publish(&mut self, text: &str) {
        self.lively.store(true, Ordering::Relaxed);
        // An error says that there are no subscribers.
        drop(self.sender.send(Bytes::from(format!("data: {text}\n\n"))));
    }
}

pub(crate) fn run(setup: &Setup) -> io::Result<()> {
    let keep_alive = setup.keep_alive;
    setup.block_on(async move {
        let listener = listen().await?;
        let (sender, _) = broadcast::channel(CAPACITY);
        let publisher = Publisher { sender: sender.clone(), lively: Arc::default() };

        // One clock for all streams, since all of them carry the same.
        let (pings, lively) = (sender.clone(), Arc::clone(&publisher.lively));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(keep_alive).await;
                if !lively.swap(false, Ordering::Relaxed) {
                    drop(pings.send(Bytes::from_static(b":\n\n")));
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                drop(socket.set_nodelay(true));
                let sender = sender.clone();
                let answer = service_fn(move |_| {
                    let events = Events(BroadcastStream::new(sender.subscribe()));
                    async move {
                        Response::builder()
                            .header("content-type", "text/event-stream")
                            .header("cache-control", "no-cache")
                            .body(events)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
            }
        });
        publish(publisher).await
    })
}
