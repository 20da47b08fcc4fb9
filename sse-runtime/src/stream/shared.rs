//! What a handler, its handle's clones, the response body and the ticker share of one stream.
//!
//! ```text
//!              first event, open(), open_after
//!   Head ────────────────────────────────────────▶ Streaming
//!     │ handler fails: its HTTP response               │ handler returns, fails or panics; shutdown; max age:
//!     │                                                │ `ending` is set, the last word is written behind
//!     │ client leaves                                  │ what is queued, and both leave in one frame
//!     ▼                                                ▼
//!    Over ◀──────── client leaves, send timeout ─────── ┘   handler dropped, then the hooks, once
//! ```
//!
//! Locks: `state` is held for moments and never across foreign code except the encoding of one event; `handler` is
//! held while the handler is polled. Whoever holds `state` takes no other lock.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::response::Response;
use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::disconnect::{Disconnect, DisconnectReason};
use super::hook::Hook;
use super::ticker::{Key, Ticked, Ticker};
use super::words::{END, LastWord};
use crate::error::{PublicMessage, SendError};
use crate::lifecycle::{Connection, Registration, Shutdown};
use crate::route::Meta;
use crate::wire::{Encoded, EventError, KEEP_ALIVE, Limits, Outgoing, encode, encode_comment};

/// The handler of one request, erased.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), Response>> + Send>>;

/// `send` waits while this many bytes are queued: enough for one large write, little enough for ten thousand streams.
const HIGH_WATER: usize = 32 * 1024;

/// The last share of the keep-alive interval and of the maximum age over which streams are spread.
const KEEP_ALIVE_SPREAD: f64 = 0.1;
const MAX_AGE_SPREAD: f64 = 0.2;

pub(crate) struct Shared {
    pub(crate) meta: &'static Meta,
    pub(crate) asked: Option<Box<str>>,
    state: Mutex<State>,
    handler: Mutex<Option<HandlerFuture>>,
    closed: AtomicBool,
    closing: Notify,
    started: Instant,
    keep_alive: Option<Duration>,
    ends_at: Option<Instant>,
    shutdown: Option<Shutdown>,
    connection: Option<Arc<Connection>>,
}

struct State {
    meta: &'static Meta,
    buffer: BytesMut,
    phase: Phase,
    /// The first event was sent or `open` called: the head has to go out.
    opened: bool,
    /// Why the stream is about to end, as soon as that is known.
    ending: Option<DisconnectReason>,
    /// The runtime's last word stands in the buffer (or none is due).
    said: bool,
    /// `finish` was called.
    finished: bool,
    /// The transport was cut off: the body ends in an error.
    cut: bool,
    /// The task that polls the head, later the body; no need to wake it while it polls.
    task: Option<Waker>,
    polling: bool,
    senders: Vec<Waker>,
    events_queued: u64,
    events_handed: u64,
    bytes_handed: u64,
    id_queued: LastId,
    id_handed: LastId,
    retry_due: bool,
    ping_due: bool,
    last_write: Instant,
    /// When the transport took a frame, until it asks for the next: it is blocked, or has gone away silently.
    blocked_since: Option<Instant>,
    changed: Vec<(Box<[u8]>, Vec<u8>)>,
    hooks: Vec<Hook>,
    ticking: Option<(Arc<Ticker>, Key)>,
    registration: Option<Registration>,
    over: Option<Disconnect>,
}

/// An event id whose memory is used again: ids change with every event.
#[derive(Default)]
struct LastId {
    known: bool,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head,
    Streaming,
}

/// How the head phase ended.
pub(crate) enum Opened {
    /// The stream begins; the body follows.
    Stream,
    /// Nothing was sent, and the handler's error is the response.
    Failed(Response),
    /// Nothing was sent, and the handler panicked.
    Panicked,
    /// Nothing was sent, and the server is shutting down.
    ShuttingDown,
}

/// What the body hands to the transport next.
pub(crate) enum Next {
    Frame(Bytes),
    /// The last bytes, possibly none.
    Last(Bytes),
    Cut,
}

/// What became of the handler.
enum Finished {
    Done,
    Failed(Response),
    Panicked,
}

impl Shared {
    pub(crate) fn new(
        meta: &'static Meta,
        asked: Option<String>,
        shutdown: Option<Shutdown>,
        connection: Option<Arc<Connection>>,
    ) -> Arc<Self> {
        let now = Instant::now();
        let shared = Arc::new(Self {
            meta,
            asked: asked.map(String::into_boxed_str),
            state: Mutex::new(State {
                meta,
                buffer: BytesMut::new(),
                phase: Phase::Head,
                opened: false,
                ending: None,
                said: false,
                finished: false,
                cut: false,
                task: None,
                polling: false,
                senders: Vec::new(),
                events_queued: 0,
                events_handed: 0,
                bytes_handed: 0,
                id_queued: LastId::default(),
                id_handed: LastId::default(),
                retry_due: meta.retry.is_some(),
                ping_due: false,
                last_write: now,
                blocked_since: None,
                changed: Vec::new(),
                hooks: Vec::new(),
                ticking: None,
                registration: None,
                over: None,
            }),
            handler: Mutex::new(None),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            started: now,
            keep_alive: meta.keep_alive.map(|interval| spread(interval, KEEP_ALIVE_SPREAD)),
            ends_at: meta.max_age.and_then(|age| now.checked_add(spread(age, MAX_AGE_SPREAD))),
            shutdown,
            connection,
        });
        if let Some(shutdown) = &shared.shutdown {
            match shutdown.register(&shared) {
                Some(registration) => shared.state().registration = Some(registration),
                None => shared.end(DisconnectReason::ServerShutdown),
            }
        }
        shared
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can only come from a user's `Serialize`, and the encoder has put the buffer right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- the sending side ----------------------------------------------------------------------------------------

    /// Room in the buffer, or the reason why there will never be any; else the caller is woken when there is.
    #[inline]
    pub(crate) fn poll_admit(&self, cx: &mut Context<'_>) -> Poll<Result<Admitted<'_>, SendError>> {
        let mut state = self.state();
        if state.over.is_some() || state.said {
            return Poll::Ready(Err(SendError::Closed));
        }
        if state.finished {
            return Poll::Ready(Err(SendError::Finished));
        }
        if state.buffer.len() >= HIGH_WATER {
            state.wait(cx);
            return Poll::Pending;
        }
        Poll::Ready(Ok(Admitted(state)))
    }

    /// Has the head sent now; returns whether it is out already.
    pub(crate) fn open(&self) -> Result<bool, SendError> {
        let mut state = self.state();
        if state.over.is_some() {
            return Err(SendError::Closed);
        }
        state.opened = true;
        let is_out = state.phase == Phase::Streaming;
        wake(state);
        Ok(is_out)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) async fn closed(&self) {
        let closing = self.closing.notified();
        let mut closing = std::pin::pin!(closing);
        closing.as_mut().enable();
        if !self.is_closed() {
            closing.await;
        }
    }

    pub(crate) fn add_hook(&self, hook: Hook) {
        let mut state = self.state();
        match state.over.clone() {
            None => state.hooks.push(hook),
            Some(disconnect) => {
                drop(state);
                hook.run(disconnect, self.shutdown.as_ref());
            }
        }
    }

    // ---- the transport's side ------------------------------------------------------------------------------------

    /// Gives the stream its handler; before the first poll.
    pub(crate) fn start(&self, handler: HandlerFuture) {
        *self.handler.lock().unwrap_or_else(PoisonError::into_inner) = Some(handler);
    }

    /// Runs the handler until it is known what the response is.
    pub(crate) fn poll_head(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Opened> {
        let ending = {
            let mut state = self.state();
            state.polling = true;
            state.ending
        };
        let finished = if ending.is_none() { self.poll_handler(cx) } else { Poll::Pending };
        let mut state = self.state();
        state.polling = false;
        match finished {
            Poll::Ready(Finished::Failed(response)) if !state.opened && state.ending.is_none() => {
                drop(state);
                log_failure(self.meta, &response);
                self.conclude(DisconnectReason::HandlerError);
                return Poll::Ready(Opened::Failed(response));
            }
            Poll::Ready(Finished::Panicked) if !state.opened && state.ending.is_none() => {
                drop(state);
                self.conclude(DisconnectReason::HandlerPanic);
                return Poll::Ready(Opened::Panicked);
            }
            Poll::Ready(finished) => self.settle(&mut state, finished),
            Poll::Pending => {}
        }
        if state.ending.is_some() && !state.said && self.meta.bare && !state.opened {
            // A foreign protocol has no word for "come back": say it in HTTP.
            drop(state);
            self.conclude(DisconnectReason::ServerShutdown);
            return Poll::Ready(Opened::ShuttingDown);
        }
        if state.opened || state.ending.is_some() {
            self.begin_streaming(state);
            return Poll::Ready(Opened::Stream);
        }
        state.task = Some(cx.waker().clone());
        drop(state);
        self.keep_ticking();
        Poll::Pending
    }

    /// Leaves the head phase whatever the handler does: its route's `open_after` is over.
    pub(crate) fn open_now(self: &Arc<Self>) {
        self.begin_streaming(self.state());
    }

    fn begin_streaming(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.opened = true;
        state.phase = Phase::Streaming;
        // From here on it is the transport's turn: a body that is never polled is a client that does not read.
        state.blocked_since = Some(Instant::now());
        let is_over_soon = state.ending.is_some();
        drop(state);
        if !is_over_soon {
            self.keep_ticking();
        }
    }

    /// Runs the handler and hands out everything that is queued as one frame.
    pub(crate) fn poll_body(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Next> {
        let ending = {
            let mut state = self.state();
            if state.cut {
                return Poll::Ready(Next::Cut);
            }
            state.polling = true;
            state.blocked_since = None;
            state.ending
        };
        let finished = if ending.is_none() { self.poll_handler(cx) } else { Poll::Pending };
        let mut state = self.state();
        state.polling = false;
        if let Poll::Ready(finished) = finished {
            self.settle(&mut state, finished);
        }
        if let Some(reason) = state.ending {
            self.say_bye(&mut state, reason);
            let last = self.take(&mut state);
            drop(state);
            self.conclude(reason);
            return Poll::Ready(Next::Last(last));
        }
        if !state.buffer.is_empty() {
            let frame = self.take(&mut state);
            let senders = std::mem::take(&mut state.senders);
            let ticking = state.ticking.is_some();
            drop(state);
            senders.into_iter().for_each(Waker::wake);
            if !ticking {
                self.keep_ticking();
            }
            return Poll::Ready(Next::Frame(frame));
        }
        if state.ping_due {
            // Silent for a whole interval: a good moment to give the memory of past bursts back.
            state.buffer = BytesMut::new();
            let frame = Bytes::from_static(KEEP_ALIVE);
            state.note_handed(frame.len());
            return Poll::Ready(Next::Frame(frame));
        }
        match &mut state.task {
            Some(task) => task.clone_from(cx.waker()),
            None => state.task = Some(cx.waker().clone()),
        }
        let ticking = state.ticking.is_some();
        drop(state);
        if !ticking {
            self.keep_ticking();
        }
        Poll::Pending
    }

    /// The number of bytes still to come, once it is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        let state = self.state();
        state.said.then_some(state.buffer.len() as u64)
    }

    fn poll_handler(&self, cx: &mut Context<'_>) -> Poll<Finished> {
        let mut slot = self.handler.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(handler) = slot.as_mut() else { return Poll::Pending };
        let finished = match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => Finished::Done,
            Ok(Poll::Ready(Err(response))) => Finished::Failed(response),
            Err(panic) => {
                log_panic(self.meta, &*panic);
                Finished::Panicked
            }
        };
        drop_quietly(slot.take());
        Poll::Ready(finished)
    }

    fn take(&self, state: &mut State) -> Bytes {
        let frame = state.buffer.split().freeze();
        state.note_handed(frame.len());
        state.events_handed = state.events_queued;
        if state.id_queued.known {
            std::mem::swap(&mut state.id_handed, &mut state.id_queued);
            state.id_queued.known = false;
        }
        frame
    }

    // ---- the end -------------------------------------------------------------------------------------------------

    /// The handler is through: writes the last word that follows from how.
    fn settle(&self, state: &mut State, finished: Finished) {
        let reason = match finished {
            Finished::Done => DisconnectReason::Completed,
            Finished::Failed(_) => DisconnectReason::HandlerError,
            Finished::Panicked => DisconnectReason::HandlerPanic,
        };
        if state.ending.is_some() {
            return;
        }
        state.ending = Some(reason);
        state.said = true;
        match finished {
            Finished::Done => {
                if let (Some(name), false) = (self.meta.end, state.finished) {
                    state.say(&LastWord::End { name });
                }
            }
            Finished::Failed(response) => {
                log_failure(self.meta, &response);
                let message = response.extensions().get::<PublicMessage>().map(|message| message.0.as_str());
                state.say_unless_bare(&LastWord::Failure { reason, message });
            }
            Finished::Panicked => state.say_unless_bare(&LastWord::Failure { reason, message: None }),
        }
    }

    /// The server ends the stream: says when to come back, if that has not been settled otherwise.
    fn say_bye(&self, state: &mut State, reason: DisconnectReason) {
        if !state.said {
            state.said = true;
            let retry = self.shutdown.as_ref().map_or_else(Shutdown::default_retry, Shutdown::retry);
            state.say_unless_bare(&LastWord::Bye { reason, retry });
        }
    }

    /// Ends the stream from outside: its body says goodbye when it is polled next.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        let mut state = self.state();
        if state.ending.is_none() && state.over.is_none() {
            state.ending = Some(reason);
            wake(state);
        }
    }

    /// The stream is over: drops the handler and runs the hooks. Only the first call does anything.
    pub(crate) fn conclude(self: &Arc<Self>, reason: DisconnectReason) {
        let (disconnect, hooks, senders, ticking, registration) = {
            let mut state = self.state();
            if state.over.is_some() {
                return;
            }
            let reason = *state.ending.get_or_insert(reason);
            let disconnect = Disconnect {
                reason,
                events: state.events_handed,
                bytes: state.bytes_handed,
                duration: self.started.elapsed(),
                last_event_id: if state.id_handed.known {
                    Some(std::mem::take(&mut state.id_handed.text))
                } else {
                    self.asked.as_deref().map(str::to_owned)
                },
            };
            state.over = Some(disconnect.clone());
            state.buffer = BytesMut::new();
            state.task = None;
            (
                disconnect,
                std::mem::take(&mut state.hooks),
                std::mem::take(&mut state.senders),
                state.ticking.take(),
                state.registration.take(),
            )
        };
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
        senders.into_iter().for_each(Waker::wake);
        if let Some((ticker, key)) = ticking {
            ticker.leave(key);
        }
        let handler = match self.handler.try_lock() {
            Ok(mut slot) => slot.take(),
            Err(TryLockError::Poisoned(slot)) => slot.into_inner().take(),
            // Being polled at this moment, by a body that finds the stream over when that poll returns.
            Err(TryLockError::WouldBlock) => None,
        };
        drop_quietly(handler);
        for hook in hooks {
            hook.run(disconnect.clone(), self.shutdown.as_ref());
        }
        // Last, so that a drain which waits for this stream finds its hooks already under way.
        drop(registration);
    }

    // ---- time ----------------------------------------------------------------------------------------------------

    /// Enters the stream with the ticker, once. A stream that ends within its first poll never gets here.
    fn keep_ticking(self: &Arc<Self>) {
        if self.state().ticking.is_some() {
            return;
        }
        let Some(next) = self.next_deadline(&self.state()) else { return };
        let Some(ticker) = Ticker::current() else { return };
        let weak = Arc::downgrade(self);
        let key = ticker.enter(weak, next);
        let mut state = self.state();
        if state.over.is_none() {
            state.ticking = Some((ticker, key));
        } else {
            drop(state);
            ticker.leave(key);
        }
    }

    /// The earliest moment at which something could be due, seen from now.
    fn next_deadline(&self, state: &State) -> Option<Instant> {
        let now = Instant::now();
        let keep_alive = self.keep_alive.map(|interval| {
            let due = state.last_write + interval;
            // A ping that is due already waits for the transport, not for us.
            if due > now { due } else { now + interval }
        });
        let stall = self.meta.send_timeout.map(|timeout| state.blocked_since.unwrap_or(now) + timeout);
        let end = self.ends_at.filter(|_| state.ending.is_none());
        [keep_alive, stall, end].into_iter().flatten().min()
    }
}

impl Ticked for Shared {
    fn tick(self: Arc<Self>, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        if state.over.is_some() {
            return None;
        }
        let blocked = state.blocked_since.map(|since| now.saturating_duration_since(since));
        if let (Some(blocked), Some(timeout)) = (blocked, self.meta.send_timeout) {
            if blocked >= timeout {
                state.ending.get_or_insert(DisconnectReason::SendTimeout);
                state.cut = true;
                drop(state);
                self.conclude(DisconnectReason::SendTimeout);
                if let Some(connection) = &self.connection {
                    connection.cut();
                }
                return None;
            }
        }
        if self.ends_at.is_some_and(|end| now >= end) && state.ending.is_none() {
            state.ending = Some(DisconnectReason::MaxAge);
        }
        let silent = now.saturating_duration_since(state.last_write);
        state.ping_due =
            state.phase == Phase::Streaming && self.keep_alive.is_some_and(|interval| silent >= interval);
        let next = self.next_deadline(&state);
        if state.ping_due || state.ending.is_some() {
            wake(state);
        }
        next
    }

    fn rescheduled(&self, key: Key) -> bool {
        match &mut self.state().ticking {
            Some((_, current)) => {
                *current = key;
                true
            }
            None => false,
        }
    }
}

impl State {
    fn wait(&mut self, cx: &Context<'_>) {
        if !self.senders.iter().any(|waiting| waiting.will_wake(cx.waker())) {
            self.senders.push(cx.waker().clone());
        }
    }

    #[inline]
    fn limits(&self) -> Limits {
        Limits { max_event: self.meta.max_event, retry: if self.retry_due { self.meta.retry } else { None } }
    }

    fn say_unless_bare(&mut self, word: &LastWord<'_>) {
        if !self.meta.bare && !self.finished {
            self.say(word);
        }
    }

    fn say(&mut self, word: &LastWord<'_>) {
        // The runtime's own events are not the route's: its cap does not apply to them.
        let limits = Limits { max_event: usize::MAX, ..self.limits() };
        match encode::<LastWord<'_>, _>(word, &mut self.buffer, &limits) {
            Ok(encoded) => self.note_queued(&encoded),
            Err(error) => {
                tracing::error!(route = self.meta.path, %error, "a stream's last event was not written")
            }
        }
    }

    /// Whether the block just written differs from the last one of its name; if not, it is taken back.
    fn is_change(&mut self, encoded: &Encoded) -> bool {
        let start = self.buffer.len() - encoded.len;
        let block = self.buffer.get(start..).unwrap_or_default();
        let name = encoded.name.clone().and_then(|name| block.get(name)).unwrap_or_default();
        let content = block.get(encoded.data.clone()).unwrap_or_default();
        match self.changed.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, last)) if *last == content => {
                self.buffer.truncate(start);
                return false;
            }
            Some((_, last)) => {
                last.clear();
                last.extend_from_slice(content);
            }
            None => self.changed.push((name.into(), content.to_vec())),
        }
        true
    }

    #[inline]
    fn note_queued(&mut self, encoded: &Encoded) {
        self.events_queued += 1;
        self.retry_due = false;
        if let Some(id) = &encoded.id {
            self.note_id(encoded.len, id.clone());
        }
    }

    fn note_id(&mut self, len: usize, id: Range<usize>) {
        let frame = self.buffer.len() - len;
        let id = self.buffer.get(frame + id.start..frame + id.end).unwrap_or_default();
        self.id_queued.known = true;
        self.id_queued.text.clear();
        self.id_queued.text.push_str(std::str::from_utf8(id).unwrap_or_default());
    }

    fn note_handed(&mut self, len: usize) {
        let now = Instant::now();
        self.bytes_handed += len as u64;
        self.last_write = now;
        self.blocked_since = Some(now);
        self.ping_due = false;
    }
}

/// The right to append to the buffer. One lock guard and no more, so that it travels in registers.
pub(crate) struct Admitted<'a>(MutexGuard<'a, State>);

impl Admitted<'_> {
    #[inline]
    pub(crate) fn send<E, T: Outgoing<E> + ?Sized>(mut self, event: &T) -> Result<(), SendError> {
        let limits = self.0.limits();
        let encoded = encode(event, &mut self.0.buffer, &limits)?;
        self.0.note_queued(&encoded);
        self.commit();
        Ok(())
    }

    /// Sends unless the last event of this name that was sent this way carried the same data.
    pub(crate) fn send_changed<E, T: Outgoing<E> + ?Sized>(mut self, event: &T) -> Result<bool, SendError> {
        let limits = self.0.limits();
        let encoded = encode(event, &mut self.0.buffer, &limits)?;
        if !self.0.is_change(&encoded) {
            return Ok(false);
        }
        self.0.note_queued(&encoded);
        self.commit();
        Ok(true)
    }

    pub(crate) fn finish(mut self) {
        let name = self.0.meta.end.unwrap_or(END);
        self.0.say(&LastWord::End { name });
        self.0.finished = true;
        self.commit();
    }

    pub(crate) fn comment(mut self, text: &str) -> Result<(), SendError> {
        let max = self.0.meta.max_event;
        if text.len() > max {
            return Err(EventError::TooLarge { size: text.len(), max }.into());
        }
        encode_comment(text, &mut self.0.buffer);
        self.commit();
        Ok(())
    }

    #[inline]
    fn commit(mut self) {
        self.0.opened = true;
        wake(self.0);
    }
}

/// Wakes the task that polls the stream, unless it is polling now: it looks at the buffer before it rests.
#[inline]
fn wake(state: MutexGuard<'_, State>) {
    if !state.polling {
        wake_task(state);
    }
}

fn wake_task(mut state: MutexGuard<'_, State>) {
    let task = state.task.take();
    drop(state);
    if let Some(task) = task {
        task.wake();
    }
}

/// Shortens `interval` by a random part of its last `share`, so that streams that began together drift apart.
fn spread(interval: Duration, share: f64) -> Duration {
    interval.mul_f64(1.0 - share * fastrand::f64())
}

/// Drops a handler; a panic in one of its destructors must not take the connection or the ticker with it.
fn drop_quietly(handler: Option<HandlerFuture>) {
    if catch_unwind(AssertUnwindSafe(|| drop(handler))).is_err() {
        tracing::error!("a handler's destructor panicked");
    }
}

fn log_failure(meta: &Meta, response: &Response) {
    let status = response.status().as_u16();
    match response.extensions().get::<crate::error::Report>() {
        Some(report) => {
            tracing::error!(route = meta.path, handler = meta.name, status, error = %report.0, "handler failed")
        }
        None => tracing::error!(route = meta.path, handler = meta.name, status, "handler failed"),
    }
}

fn log_panic(meta: &Meta, panic: &(dyn std::any::Any + Send)) {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is not text");
    tracing::error!(route = meta.path, handler = meta.name, panic = text, "handler panicked");
}
