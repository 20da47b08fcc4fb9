//! The ticker's side: what becomes due, and when to look again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use super::state::{Course, Phase, State, wake};
use crate::stream::disconnect::DisconnectReason;
use crate::stream::meta::Meta;
use crate::stream::ticker::{Key, Ticked, Ticker};

/// The last share of the keep-alive interval and of the maximum age over which streams are spread.
const KEEP_ALIVE_SPREAD: f64 = 0.1;
const MAX_AGE_SPREAD: f64 = 0.2;

/// The keep-alive interval of one stream.
pub(super) fn keep_alive(meta: &Meta) -> Option<Duration> {
    meta.keep_alive.map(|interval| spread(interval, KEEP_ALIVE_SPREAD))
}

/// When a stream is to end: at the first of these.
pub(super) struct Ends {
    max_age: Option<Instant>,
    expires: Option<Instant>,
    /// The server is leaving.
    leaves: Option<Instant>,
}

impl Ends {
    pub(super) fn new(meta: &Meta, now: Instant) -> Self {
        let max_age = meta.max_age.and_then(|age| now.checked_add(spread(age, MAX_AGE_SPREAD)));
        Self { max_age, expires: None, leaves: None }
    }

    fn first(&self) -> Option<(Instant, DisconnectReason)> {
        let ends = [
            (self.expires, DisconnectReason::AuthExpired),
            (self.leaves, DisconnectReason::ServerShutdown),
            (self.max_age, DisconnectReason::MaxAge),
        ];
        ends.into_iter().filter_map(|(when, reason)| Some((when?, reason))).min_by_key(|(when, _)| *when)
    }
}

/// Shortens `interval` by a random part of its last `share`, so that streams that began together drift apart.
fn spread(interval: Duration, share: f64) -> Duration {
    interval.mul_f64(1.0 - share * fastrand::f64())
}

impl Shared {
    /// Enters the stream with the ticker, once. A stream that ends within its first poll seldom gets here.
    pub(super) fn keep_ticking(self: &Arc<Self>) {
        if self.state().ticking.is_none() {
            self.enter(Ticker::current);
        }
    }

    fn enter(self: &Arc<Self>, ticker: impl FnOnce() -> Option<Arc<Ticker>>) {
        let Some(next) = self.next_deadline(&self.state()) else { return };
        let Some(ticker) = ticker() else { return };
        // Noted before the ticker knows of it: from then on the key is the ticker's to change.
        let key = ticker.reserve(next);
        {
            let mut state = self.state();
            if state.over.is_some() {
                return;
            }
            state.ticking = Some((Arc::clone(&ticker), key));
        }
        let stream: Weak<Self> = Arc::downgrade(self);
        ticker.enter(key, stream);
    }

    /// The earliest moment at which something could be due, seen from now.
    fn next_deadline(&self, state: &State) -> Option<Instant> {
        let now = Instant::now();
        let keep_alive = self.keep_alive.map(|interval| {
            let due = state.last_write + interval;
            // A ping that is due already waits for the transport, not for us.
            if due > now { due } else { now + interval }
        });
        let stall = self.meta.send_timeout.map(|timeout| self.blocked_since(state).unwrap_or(now) + timeout);
        let end = if state.ending.is_none() { state.ends.first() } else { None };
        [keep_alive, stall, end.map(|(when, _)| when)].into_iter().flatten().min()
    }
}

impl Shared {
    /// Ends the stream when its client's right to it is over.
    pub(crate) fn end_at(self: &Arc<Self>, when: Instant) {
        self.state().ends.expires = Some(when);
        self.look_again();
    }

    /// Ends the stream at `when`, because the server is leaving.
    pub(crate) fn leave_at(self: &Arc<Self>, when: Instant) {
        self.state().ends.leaves = Some(when);
        self.look_again();
    }

    /// Has the ticker look at the stream by its earliest deadline, which has changed.
    fn look_again(self: &Arc<Self>) {
        let ticking = self.state().ticking.take();
        match ticking {
            Some((ticker, key)) => {
                ticker.leave(key);
                self.enter(|| Some(ticker));
            }
            None => self.enter(Ticker::current),
        }
    }

    /// Since when the transport has taken nothing. A body is not polled again before all that was handed over is
    /// written, which takes a slow reader long: progress is what the socket takes, where we know of it.
    pub(super) fn blocked_since(&self, state: &State) -> Option<Instant> {
        let since = state.blocked_since?;
        Some(self.connection.as_ref().map_or(since, |connection| since.max(connection.last_write())))
    }
}

impl Ticked for Shared {
    fn tick(self: Arc<Self>, now: Instant) -> Option<Instant> {
        self.meter.bring_up_to_date(|| self.state().take_added());
        let retry = self.shutdowns.retry();
        let mut state = self.state();
        if state.over.is_some() {
            return None;
        }
        let blocked = self.blocked_since(&state).map(|since| now.saturating_duration_since(since));
        if let (Some(blocked), Some(timeout)) = (blocked, self.meta.send_timeout) {
            if blocked >= timeout {
                state.ending.get_or_insert(DisconnectReason::SendTimeout);
                state.course = Course::Cut;
                let task = state.task.take();
                drop(state);
                self.conclude(DisconnectReason::SendTimeout);
                // A body that was stalled by hand is not polled again by a transport that waits for it.
                if let Some(task) = task {
                    task.wake();
                }
                if let Some(connection) = &self.connection {
                    connection.cut();
                }
                return None;
            }
        }
        if state.ending.is_none() {
            if let Some((_, reason)) = state.ends.first().filter(|(end, _)| now >= *end) {
                state.ending = Some(reason);
                state.come_back_after = retry;
            }
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
            Some((_, current)) if current.is_of_the_same(key) => {
                *current = key;
                true
            }
            _ => false,
        }
    }
}
