//! The handle that a handler sends with.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::Stream;
use serde::Serialize;

use super::disconnect::Disconnect;
use super::hidden::Hidden;
use super::hook::Hook;
use super::sending::{Opening, SendAll, Sending};
use super::shared::Shared;
use crate::wire::{AsJson, Message, Outgoing};

/// The sending side of one client's stream: the first argument of every [`sse_route`](crate::sse_route) function.
///
/// `Sse` alone is `Sse<Message>`, the untyped handle, which sends text, JSON and [`Event`](crate::Event)s; `Sse<E>`
/// sends values of `E` only.
///
/// A clone is cheap and sends to the same client. The stream ends when the *handler* returns, whatever clones there
/// are; when the client leaves, the handler's future is dropped where it waits. Work that must go on without its
/// client belongs in a spawned task with a clone of the handle: there, [`send`](Self::send) returns
/// [`SendError::Closed`](crate::SendError::Closed) once the client is gone.
///
/// ```
/// use sse_runtime::{Event, Result, Sse, sse_route};
///
/// #[sse_route("/greetings")]
/// async fn greetings(sse: Sse) -> Result<()> {
///     sse.send("plain text").await?;
///     sse.send_json(&serde_json::json!({ "hello": "world" })).await?;
///     sse.send(Event::new("greeting").id("3").data("bonjour")).await?;
///     Ok(())
/// }
/// ```
pub struct Sse<E = Message> {
    stream: Arc<dyn Hidden>,
    // `fn`: the handle sends values of E and owns none, so it is Send and Sync whatever E is.
    events: PhantomData<fn(E)>,
}

impl<E> Sse<E> {
    pub(crate) fn new(stream: Arc<dyn Hidden>) -> Self {
        Self { stream, events: PhantomData }
    }

    pub(crate) fn hidden(&self) -> &Arc<dyn Hidden> {
        &self.stream
    }

    pub(super) fn shared(&self) -> &Shared {
        self.stream.shared()
    }

    /// Sends one event. Text becomes the event's data, as it is.
    ///
    /// Returns as soon as the event is in the stream's buffer; waits first while 32 KiB are queued there, so that a
    /// handler is never faster than its client. The first event sends the response head. What was sent leaves when the
    /// handler waits for something; if it never does, then at the first send after some 5 ms, which waits for that.
    ///
    /// # Errors
    /// - [`SendError::Event`](crate::SendError::Event): the event cannot be written (a line break in its name, too
    ///   large for the route's `max_event`, ...). Nothing was sent, and the stream is unharmed.
    /// - [`SendError::Closed`](crate::SendError::Closed): the stream is over. Not seen in the handler itself, which is
    ///   dropped then.
    /// - [`SendError::Finished`](crate::SendError::Finished): after [`finish`](Self::finish).
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, the event was not sent.
    pub fn send<T: Outgoing<E>>(&self, event: T) -> Sending<'_, T> {
        Sending { stream: &*self.stream, event, act: |event, admitted| admitted.send::<E, T>(event) }
    }

    /// Sends the event unless the last one of the same name that was sent *with this method* on this stream carried
    /// the same data (id and retry are not compared). Returns whether it was sent.
    ///
    /// Made for polling: ask a state once a second, tell the client only of changes.
    ///
    /// # Errors and cancel safety
    /// As for [`send`](Self::send).
    pub fn send_changed<T: Outgoing<E>>(&self, event: T) -> Sending<'_, T, bool> {
        Sending { stream: &*self.stream, event, act: |event, admitted| admitted.send_changed::<E, T>(event) }
    }

    /// Sends everything that a stream yields, with the backpressure of [`send`](Self::send), until it ends.
    ///
    /// # Errors
    /// The first error of [`send`](Self::send); the rest of the stream is dropped.
    ///
    /// # Cancel safety
    /// If the future is dropped, at most one item that was taken from the stream has not been sent.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sse_runtime::{Result, Sse, sse_route};
    ///
    /// #[sse_route("/countdown")]
    /// async fn countdown(sse: Sse) -> Result<()> {
    ///     sse.send_all(stream::iter(["3", "2", "1"])).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn send_all<S>(&self, stream: S) -> SendAll<'_, S>
    where
        S: Stream,
        S::Item: Outgoing<E>,
    {
        SendAll {
            stream,
            waiting: None,
            target: &*self.stream,
            act: |event, admitted| admitted.send::<E, S::Item>(event),
        }
    }

    /// Sends a comment, which clients ignore. Each line of `text` becomes a comment line.
    ///
    /// # Errors and cancel safety
    /// As for [`send`](Self::send).
    pub fn comment<T: AsRef<str>>(&self, text: T) -> Sending<'_, T> {
        Sending { stream: &*self.stream, event: text, act: |text, admitted| admitted.comment(text.as_ref()) }
    }

    /// Sends the response head now: status 200, the stream is open in the browser. Without it, the head leaves with
    /// the first event, or after the route's `open_after` (default 1 s).
    ///
    /// From here on an error of the handler is no longer an HTTP status but an in-band `failure` event.
    ///
    /// # Errors
    /// [`SendError::Closed`](crate::SendError::Closed), as for [`send`](Self::send).
    pub fn open(&self) -> Opening<'_> {
        Opening { stream: &*self.stream, asked: false }
    }

    /// Ends the stream for good: sends the terminal event, after which nothing can be sent.
    ///
    /// `EventSource` reconnects after every end of a stream. The terminal event carries an id of its own, which a
    /// reconnecting client names; such a client is answered 204 without running the handler, and that makes every
    /// `EventSource` stop. The event's name is the route's `end` option, or `end`.
    ///
    /// The connection itself ends when the handler returns.
    ///
    /// # Errors and cancel safety
    /// As for [`send`](Self::send).
    pub fn finish(&self) -> Sending<'_, ()> {
        Sending {
            stream: &*self.stream,
            event: (),
            act: |(), admitted| {
                admitted.finish();
                Ok(())
            },
        }
    }

    /// Runs `hook` once, in a task of its own, when the stream is over, for whatever
    /// [reason](crate::DisconnectReason), also after a panic of the handler, or if that was answered by an HTTP status; the handler's future has been dropped by
    /// then. Several hooks all run. A hook given after the end runs at once.
    ///
    /// It runs in the tokio runtime that it was registered in; if that is gone, it does not run. A server that shuts down
    /// through [`serve`](crate::serve) or [`Shutdown`](crate::Shutdown) waits for hooks that
    /// run, within its limit.
    pub fn on_disconnect<F, Fut>(&self, hook: F)
    where
        F: FnOnce(Disconnect) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.shared().add_hook(Hook::new(hook));
    }

    /// Completes when the stream is over. For clones in spawned tasks: the handler itself is dropped at that moment.
    ///
    /// Cancel safe.
    pub async fn closed(&self) {
        self.shared().closed().await;
    }

    /// Whether the stream is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared().is_closed()
    }

    /// The `Last-Event-ID` with which a reconnecting client came: the id of the last event it saw. If that header is
    /// missing or empty, the query's `last_event_id`.
    ///
    /// `None` for a first connection, and for an id that no client of ours can have been told to send: empty, over
    /// 1 KiB, not UTF-8, or with control characters. It is the client's word, so check it like any other input.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.shared().asked.id()
    }
}

impl Sse {
    /// Sends `value` as JSON: an event without a name, its data the compact JSON text. For a name or an id, send
    /// [`Event::json`](crate::Event::json).
    ///
    /// # Errors and cancel safety
    /// As for [`send`](Self::send); also if `value` cannot be serialized.
    pub fn send_json<T: Serialize>(&self, value: T) -> Sending<'_, T> {
        Sending { stream: &*self.stream, event: value, act: |value, admitted| admitted.send(&AsJson(value)) }
    }
}

impl<E> Clone for Sse<E> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.stream))
    }
}

impl<E> fmt::Debug for Sse<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse")
            .field("route", &self.shared().meta.path)
            .field("closed", &self.is_closed())
            .finish()
    }
}
