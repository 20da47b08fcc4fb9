//! The one task that delivers, and that makes and watches the connections.
//!
//! ```text
//!            +--------- messages, openings, a mark each second ---------+
//!            v                                                          |
//!   up: one subscription for each open topic, and one for marks --------+
//!            |  a connection is lost, nothing comes in time, the log is another one
//!            v
//!   down: connect, join, subscribe to all open topics -- fails: again, at most a second later
//!            |  what was missed is read and delivered, or said to be lost
//!            v
//!           up
//! ```
//!
//! Messages come on one connection in the order in which the scripts ran, which is that of the numbers. A mark is a message,
//! too, with the number of the newest record: when it comes, everything up to there has come. So it answers those who open
//! a topic, and is the sign that both connections and the server live.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::redis::{Msg, RedisResult, Value};
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::error::{Meaning, RedisFailure, meaning};
use super::keys::{Entry, Parts, REMEMBERED, SLOTS, decode, entries, number};
use super::link::Shared;
use super::retention::milliseconds;
use super::script::{self, MARK};
use super::start::{self, CHANNELS, Joined};
use crate::engine::{EngineError, Feed, Record};

/// How often it is asked for a mark when nobody opens a topic.
const BEAT: Duration = Duration::from_secs(1);
/// How long the server may be silent when something is to come.
const SILENCE: Duration = Duration::from_secs(3);
/// The longest rest between two attempts to connect.
const REST: Duration = Duration::from_millis(800);
/// A connection that has lived for so long was a good one: the next is made at once.
const LIVED: Duration = Duration::from_secs(2);

pub(super) type Opened = oneshot::Sender<u64>;

/// What the engine asks of this task.
pub(super) enum Request {
    Open(String, Opened),
    Close(String),
}

pub(super) struct Delivery {
    pub(super) shared: Arc<Shared>,
    pub(super) feed: Feed,
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    pub(super) trouble: mpsc::UnboundedReceiver<(u64, RedisFailure)>,
    /// The open topics, by their streams, with the number of the newest record that has been delivered; 0 if none has.
    pub(super) open: HashMap<String, u64>,
    /// Everything up to this number has been delivered, of the open topics.
    pub(super) delivered: u64,
    /// Up to this number, it has been said that something may be missing.
    lost: u64,
    /// Of the log, not of the hub: another one may have been begun.
    pub(super) epoch: u64,
    /// Those who open topics, and are not answered.
    pub(super) opening: Opening,
    marks: u64,
    /// Before the next attempt to connect.
    rest: Duration,
}

/// The openings of one moment are made together; who comes meanwhile waits for the next ones.
#[derive(Default)]
pub(super) struct Opening {
    next: Vec<(String, Opened)>,
    now: Vec<Opened>,
    phase: Phase,
}

#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    /// Until the server says so.
    Subscribing(Pin<Box<dyn Future<Output = RedisResult<()>> + Send>>),
    /// Until this mark comes.
    Marking(u64),
}

impl Delivery {
    pub(super) fn new(
        shared: Arc<Shared>,
        feed: Feed,
        requests: mpsc::UnboundedReceiver<Request>,
        trouble: mpsc::UnboundedReceiver<(u64, RedisFailure)>,
        joined: &Joined,
    ) -> Self {
        Self {
            shared,
            feed,
            requests,
            trouble,
            open: HashMap::new(),
            delivered: joined.top,
            lost: 0,
            epoch: joined.epoch,
            opening: Opening::default(),
            marks: 0,
            rest: Duration::ZERO,
        }
    }

    /// Never ends by itself.
    pub(super) async fn run(mut self, mut joined: Joined) {
        loop {
            let begun = Instant::now();
            let Err(failure) = self.serve(&mut joined).await;
            if begun.elapsed() >= LIVED {
                self.rest = Duration::ZERO;
            }
            let serial = joined.link.serial;
            // The others see that they need not wait for it.
            drop(joined);
            joined = self.connect_again(serial, failure).await;
        }
    }

    async fn connect_again(&mut self, mut serial: u64, mut failure: RedisFailure) -> Joined {
        loop {
            drop(self.shared.state.send_replace(Err(failure.clone())));
            self.feed.down(EngineError::new(failure));
            // Not all nodes at once.
            sleep(self.rest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            self.rest = (self.rest * 2).clamp(Duration::from_millis(50), REST);
            self.note_requests();
            serial += 1;
            let known = self.shared.known.load(Ordering::Acquire).max(self.delivered);
            let attempt = async {
                let mut joined = start::join(&self.shared, Some((self.epoch, known)), serial).await?;
                self.resume(&mut joined).await?;
                Ok(joined)
            };
            match attempt.await {
                Ok(joined) => {
                    drop(self.shared.state.send_replace(Ok(Arc::clone(&joined.link))));
                    self.feed.up();
                    return joined;
                }
                Err(next) => failure = next,
            }
        }
    }

    /// Opens and closes topics of which it will be told to the server later.
    fn note_requests(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Request::Open(stream, opened) => self.opening.next.push((stream, opened)),
                Request::Close(stream) => drop(self.open.remove(&stream)),
            }
        }
    }

    /// Delivers what comes, until something is wrong.
    async fn serve(&mut self, joined: &mut Joined) -> Result<std::convert::Infallible, RedisFailure> {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut marking: Option<Pin<Box<dyn Future<Output = RedisResult<Value>> + Send>>> = None;
        // The newest mark that was asked for, and the newest that came.
        let (mut asked, mut came) = (self.marks, self.marks);
        self.begin_again();
        loop {
            self.begin_opening(joined);
            tokio::select! {
                message = joined.stream.next() => {
                    let Some(message) = message else { return Err(self.unreachable("the connection is closed")) };
                    heard = Instant::now();
                    came = self.take(&message).unwrap_or(came);
                }
                request = self.requests.recv() => match request {
                    Some(Request::Open(stream, opened)) => self.opening.next.push((stream, opened)),
                    Some(Request::Close(stream)) => self.close(&stream, joined),
                    // The engine is gone, and so will this task be.
                    None => std::future::pending().await,
                },
                outcome = subscribed(&mut self.opening.phase) => {
                    outcome.map_err(|error| self.shared.failure(&error))?;
                    asked = self.ask(&mut marking, joined);
                    self.opening.phase = Phase::Marking(asked);
                }
                outcome = ready(&mut marking) => {
                    marking = None;
                    if let Err(error) = outcome.and_then(Value::extract_error) {
                        match meaning(&error) {
                            Meaning::NoScript => {
                                let mut connection = joined.link.connection.clone();
                                let loaded = script::load(&mut connection, SILENCE).await;
                                loaded.map_err(|error| self.shared.failure(&error))?;
                                asked = self.ask(&mut marking, joined);
                                if let Phase::Marking(token) = &mut self.opening.phase {
                                    *token = asked;
                                }
                            }
                            _ => return Err(self.shared.failure(&error)),
                        }
                    }
                }
                Some((serial, failure)) = self.trouble.recv() => {
                    if serial == joined.link.serial {
                        return Err(failure);
                    }
                }
                _ = beat.tick() => {
                    if came < asked {
                        if heard.elapsed() > SILENCE {
                            return Err(self.unreachable(&format!("silent for {SILENCE:?}")));
                        }
                    } else {
                        heard = Instant::now();
                        asked = self.ask(&mut marking, joined);
                    }
                }
            }
        }
    }

    fn unreachable(&self, reason: &str) -> RedisFailure {
        RedisFailure::Unreachable { address: self.shared.address.clone(), reason: reason.to_owned() }
    }

    /// Asks for a mark, and says which.
    fn ask(
        &mut self,
        marking: &mut Option<Pin<Box<dyn Future<Output = RedisResult<Value>> + Send>>>,
        joined: &Joined,
    ) -> u64 {
        self.marks += 1;
        let (keys, limits) = (&self.shared.keys, &self.shared.options.limits);
        let mut call = MARK.call(4);
        call.arg(&keys.about).arg(&keys.topics).arg(&keys.clock).arg(&keys.nodes);
        call.arg(joined.link.generation.as_str()).arg(&keys.marks).arg(self.marks);
        call.arg(milliseconds(limits.age)).arg(milliseconds(limits.tick()));
        // Longer than a publisher waits, or what comes again might not be known any more.
        let remembered = REMEMBERED.max(self.shared.options.publish_timeout.saturating_mul(2));
        call.arg(&keys.node).arg(milliseconds(remembered)).arg(SLOTS);
        let mut connection = joined.link.connection.clone();
        let before = marking.take();
        *marking = Some(Box::pin(async move {
            if let Some(before) = before {
                before.await?.extract_error()?;
            }
            connection.send_packed_command(&call).await
        }));
        self.marks
    }

    /// What was being opened on another connection is opened again on this one.
    fn begin_again(&mut self) {
        self.opening.phase = if self.opening.now.is_empty() {
            Phase::Idle
        } else {
            // All open topics are subscribed to by now, these among them.
            Phase::Subscribing(Box::pin(std::future::ready(Ok(()))))
        };
    }

    fn begin_opening(&mut self, joined: &Joined) {
        if !matches!(self.opening.phase, Phase::Idle) || self.opening.next.is_empty() {
            return;
        }
        let most = self.opening.next.len().min(CHANNELS);
        let mut channels = Vec::new();
        for (stream, opened) in self.opening.next.drain(..most) {
            self.opening.now.push(opened);
            if !self.open.contains_key(&stream) {
                self.open.insert(stream.clone(), 0);
                channels.push(stream);
            }
        }
        let mut sink = joined.sink.clone();
        self.opening.phase = Phase::Subscribing(Box::pin(async move {
            if channels.is_empty() {
                return Ok(());
            }
            sink.subscribe(&channels).await
        }));
    }

    fn close(&mut self, stream: &str, joined: &Joined) {
        // Whoever opens it has gone, or it would not be closed.
        self.opening.next.retain(|(next, _)| next != stream);
        if self.open.remove(stream).is_some() {
            let mut sink = joined.sink.clone();
            let mut telling = Box::pin(async move { sink.unsubscribe(stream).await });
            // It is sent with the first look; nobody has to wait for the answer.
            drop(futures_util::FutureExt::now_or_never(&mut telling));
        }
    }

    /// Takes a message; the number of a mark, if it is one.
    fn take(&mut self, said: &Msg) -> Option<u64> {
        let (channel, payload) = (said.get_channel_name(), said.get_payload_bytes());
        if channel == self.shared.keys.marks {
            return self.take_mark(payload);
        }
        for entry in entries(payload) {
            let record = entry.and_then(|entry| Some((entry, decode(entry.value)?)));
            let Some((Entry { seq, previous, .. }, parts)) = record else {
                tracing::warn!(channel, "what came on a channel of the log is not a record");
                break;
            };
            self.take_record(channel, seq, previous, &parts);
        }
        None
    }

    fn take_record(&mut self, channel: &str, seq: u64, previous: u64, parts: &Parts<'_>) {
        if seq <= self.delivered {
            return;
        }
        let Some(newest) = self.open.get_mut(channel) else { return };
        // Of a record that came before this one, and did not come.
        let missed = *newest > 0 && previous > (*newest).max(self.lost);
        *newest = seq;
        if missed {
            self.lose(previous);
        }
        self.deliver(channel, seq, parts);
    }

    fn take_mark(&mut self, payload: &[u8]) -> Option<u64> {
        let (mark, top) = number(payload)?;
        let top = std::str::from_utf8(top).ok()?.parse().ok()?;
        self.arrived(top);
        if matches!(self.opening.phase, Phase::Marking(awaited) if awaited <= mark) {
            self.opening.phase = Phase::Idle;
            for opened in self.opening.now.drain(..) {
                // Nobody may wait for it any more.
                let _ = opened.send(self.delivered);
            }
        }
        Some(mark)
    }

    /// Everything up to this number has been delivered.
    pub(super) fn arrived(&mut self, top: u64) {
        self.delivered = self.delivered.max(top);
        self.shared.note(top);
    }

    pub(super) fn deliver(&mut self, stream: &str, seq: u64, parts: &Parts<'_>) {
        self.arrived(seq);
        let Some(topic) = self.shared.keys.topic(stream) else { return };
        let record = Record::new(parts.block, parts.key).traced(parts.trace.as_ref());
        let delivered = catch_unwind(AssertUnwindSafe(|| drop(self.feed.deliver(topic, seq, record))));
        // A waker is foreign code. The others are to be woken all the same, and the next event delivered.
        if delivered.is_err() {
            tracing::error!(seq, "a waker panicked when an event was delivered");
        }
    }

    /// Says that whatever has a number up to this one may not have been delivered.
    pub(super) fn lose(&mut self, top: u64) {
        self.arrived(top);
        let top = self.delivered;
        self.lost = top;
        if catch_unwind(AssertUnwindSafe(|| self.feed.lost(top))).is_err() {
            tracing::error!(top, "a waker panicked when events were lost");
        }
    }
}

/// Ends when the server has confirmed.
async fn subscribed(phase: &mut Phase) -> RedisResult<()> {
    match phase {
        Phase::Subscribing(subscribing) => subscribing.await,
        _ => std::future::pending().await,
    }
}

async fn ready<T>(future: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
