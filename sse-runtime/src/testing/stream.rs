//! A stream, as a test reads it.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::client::TestRequest;
use super::parser::{Item, Parser, ReceivedEvent};

/// An open stream. Like a real client's kernel, it reads on its own, whether or not the test is looking, until it is
/// told to [`stall`](Self::stall).
///
/// Dropping it disconnects.
pub struct TestStream {
    request: TestRequest,
    headers: HeaderMap,
    reader: JoinHandle<()>,
    reading: watch::Sender<bool>,
    chunks: mpsc::UnboundedReceiver<Result<Bytes, axum::Error>>,
    parser: Parser,
    raw: Vec<u8>,
    /// Of the events that the test has seen, not of all that have arrived: what a test reconnects with must not depend
    /// on how the bytes were cut.
    last_event_id: String,
    retry: Option<Duration>,
}

/// What came next.
enum Arrived {
    Item(Item),
    End,
    Nothing,
}

impl TestStream {
    pub(super) fn new(request: TestRequest, headers: HeaderMap, body: Body) -> Self {
        // As in a browser, which keeps the id over a reconnect until an event brings another.
        let last_event_id = request.asked();
        let (sender, chunks) = mpsc::unbounded_channel();
        let (reading, mut may_read) = watch::channel(true);
        let mut body = body.into_data_stream();
        let reader = tokio::spawn(async move {
            loop {
                // Fails only if the stream was dropped, and this task with it.
                if may_read.wait_for(|may| *may).await.is_err() {
                    return;
                }
                tokio::select! {
                    biased;
                    _ = may_read.wait_for(|may| !*may) => {}
                    chunk = body.next() => match chunk {
                        Some(chunk) => drop(sender.send(chunk)),
                        None => return,
                    },
                }
            }
        });
        Self {
            request,
            headers,
            reader,
            reading,
            chunks,
            parser: Parser::new(),
            raw: Vec::new(),
            last_event_id,
            retry: None,
        }
    }

    /// The next event; comments and keep-alives are skipped.
    ///
    /// # Panics
    /// If the stream ends first, or nothing comes within the client's limit.
    pub async fn next(&mut self) -> ReceivedEvent {
        let deadline = self.deadline();
        loop {
            match self.arrive(deadline).await {
                Arrived::Item(Item::Event(event)) => return event,
                Arrived::Item(Item::Comment(_)) => {}
                Arrived::End => self.fail("the stream ended where an event was expected"),
                Arrived::Nothing => self.fail(&format!("no event within {:?}", self.request.client.limit)),
            }
        }
    }

    /// The data of the next event, parsed from JSON.
    ///
    /// # Panics
    /// As [`next`](Self::next); and if the data is not the JSON of a `T`.
    pub async fn next_as<T: DeserializeOwned>(&mut self) -> T {
        let event = self.next().await;
        match serde_json::from_str(&event.data) {
            Ok(value) => value,
            Err(error) => self.fail(&format!("{event:?} is not the expected JSON: {error}")),
        }
    }

    /// Expects the next event to have this name (`message`, if it was sent without one) and this data.
    ///
    /// # Panics
    /// As [`next`](Self::next); and if it has not.
    pub async fn expect(&mut self, name: &str, data: &str) -> ReceivedEvent {
        let event = self.next().await;
        if (event.name.as_str(), event.data.as_str()) != (name, data) {
            self.fail(&format!("expected the event {name:?} with {data:?}, got {event:?}"));
        }
        event
    }

    /// The next `count` events.
    ///
    /// # Panics
    /// As [`next`](Self::next).
    pub async fn take(&mut self, count: usize) -> Vec<ReceivedEvent> {
        let mut events = Vec::with_capacity(count);
        for _ in 0..count {
            events.push(self.next().await);
        }
        events
    }

    /// All events from here to the end of the stream.
    ///
    /// # Panics
    /// If the end does not come within the client's limit.
    pub async fn rest(&mut self) -> Vec<ReceivedEvent> {
        let mut events = Vec::new();
        let deadline = self.deadline();
        loop {
            match self.arrive(deadline).await {
                Arrived::Item(Item::Event(event)) => events.push(event),
                Arrived::Item(Item::Comment(_)) => {}
                Arrived::End => return events,
                Arrived::Nothing => {
                    self.fail(&format!("the stream did not end within {:?}", self.request.client.limit))
                }
            }
        }
    }

    /// Expects a comment next, before any event; returns its text.
    ///
    /// # Panics
    /// If an event or the end comes first, or nothing within the client's limit.
    pub async fn expect_comment(&mut self) -> String {
        let deadline = self.deadline();
        match self.arrive(deadline).await {
            Arrived::Item(Item::Comment(text)) => text,
            Arrived::Item(Item::Event(event)) => self.fail(&format!("expected a comment, got {event:?}")),
            Arrived::End => self.fail("the stream ended where a comment was expected"),
            Arrived::Nothing => self.fail(&format!("no comment within {:?}", self.request.client.limit)),
        }
    }

    /// Expects a keep-alive next, before any event: an empty comment.
    ///
    /// # Panics
    /// As [`expect_comment`](Self::expect_comment); and if the comment says something.
    pub async fn expect_keep_alive(&mut self) {
        let text = self.expect_comment().await;
        if !text.is_empty() {
            self.fail(&format!("expected a keep-alive, got the comment {text:?}"));
        }
    }

    /// Expects that for `duration` no event comes and the stream does not end. Comments and keep-alives are silence.
    ///
    /// # Panics
    /// If an event or the end comes.
    pub async fn silent_for(&mut self, duration: Duration) {
        let deadline = Instant::now() + duration;
        loop {
            match self.arrive(deadline).await {
                Arrived::Nothing => return,
                Arrived::Item(Item::Comment(_)) => {}
                Arrived::Item(Item::Event(event)) => {
                    self.fail(&format!("expected {duration:?} of silence, got {event:?}"))
                }
                Arrived::End => self.fail(&format!("expected {duration:?} of silence, but the stream ended")),
            }
        }
    }

    /// Expects the end of the stream, with no event before it.
    ///
    /// # Panics
    /// If an event comes, or no end within the client's limit.
    pub async fn expect_end(&mut self) {
        let events = self.rest().await;
        if let Some(event) = events.first() {
            self.fail(&format!("expected the end of the stream, got {event:?}"));
        }
    }

    /// Expects that the connection is cut, with no event and no proper end before it: what a `bare` route does when it cannot
    /// say that it is not through.
    ///
    /// # Panics
    /// If an event or the end comes, or nothing within the client's limit.
    pub async fn expect_cut(&mut self) {
        let deadline = self.deadline();
        loop {
            match self.arrive_or_cut(deadline).await {
                Err(_) => return,
                Ok(Arrived::Item(Item::Comment(_))) => {}
                Ok(Arrived::Item(Item::Event(event))) => {
                    self.fail(&format!("expected to be cut off, got {event:?}"))
                }
                Ok(Arrived::End) => {
                    self.fail("the stream ended properly where it was expected to be cut off")
                }
                Ok(Arrived::Nothing) => {
                    self.fail(&format!("not cut off within {:?}", self.request.client.limit))
                }
            }
        }
    }

    /// Disconnects, as a closed tab does.
    pub fn disconnect(self) {
        drop(self);
    }

    /// Disconnects and sends the request again, as `EventSource` does: with the id of the last event.
    ///
    /// # Panics
    /// As [`TestRequest::stream`].
    pub async fn reconnect(self) -> Self {
        self.reconnect_request().stream().await
    }

    /// The request that [`reconnect`](Self::reconnect) would send, after disconnecting: to do something while
    /// the client is away, or for servers that are expected to refuse it.
    pub fn reconnect_request(self) -> TestRequest {
        let request = self.request.clone();
        match self.last_event_id() {
            "" => request.without_last_event_id(),
            id => request.last_event_id(id),
        }
    }

    /// Stops reading, as a client does whose machine is asleep; the server's side of the stream is no longer polled.
    pub fn stall(&mut self) {
        self.reading.send_replace(false);
    }

    /// Reads again after [`stall`](Self::stall).
    pub fn resume(&mut self) {
        self.reading.send_replace(true);
    }

    /// The headers of the response.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The bytes of the body that the calls so far have looked at.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The same as text.
    ///
    /// # Panics
    /// If they are not UTF-8, which an event stream must be.
    #[must_use]
    pub fn raw_text(&self) -> &str {
        match std::str::from_utf8(&self.raw) {
            Ok(text) => text,
            Err(error) => self.fail(&format!("the stream is not UTF-8: {error}")),
        }
    }

    /// The id of the last event that was looked at, which a reconnect names; before the first with an id, the one that the
    /// request named; empty if there is none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time that the events so far have asked for.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.request.client.limit
    }

    async fn arrive(&mut self, deadline: Instant) -> Arrived {
        match self.arrive_or_cut(deadline).await {
            Ok(arrived) => arrived,
            Err(error) => self.fail(&format!("the connection was cut: {error}")),
        }
    }

    async fn arrive_or_cut(&mut self, deadline: Instant) -> Result<Arrived, axum::Error> {
        loop {
            if let Some(item) = self.parser.next_item() {
                if let Item::Event(event) = &item {
                    if let Some(id) = &event.id {
                        id.clone_into(&mut self.last_event_id);
                    }
                    self.retry = event.retry.or(self.retry);
                }
                return Ok(Arrived::Item(item));
            }
            match timeout_at(deadline, self.chunks.recv()).await {
                Ok(Some(Ok(chunk))) => {
                    self.raw.extend_from_slice(&chunk);
                    self.parser.feed(&chunk);
                }
                Ok(Some(Err(error))) => return Err(error),
                Ok(None) => return Ok(Arrived::End),
                Err(_) => return Ok(Arrived::Nothing),
            }
        }
    }

    fn fail(&self, what: &str) -> ! {
        let seen = String::from_utf8_lossy(&self.raw);
        panic!("{} {}: {what}\nreceived so far:\n{seen}", self.request.method, self.request.path)
    }
}

impl Drop for TestStream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl fmt::Debug for TestStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestStream")
            .field("path", &self.request.path)
            .field("last_event_id", &self.last_event_id())
            .finish_non_exhaustive()
    }
}
