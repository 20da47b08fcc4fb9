//! Everybody's way out: the last word, then the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError};
use std::task::Waker;

use axum::response::Response;
use bytes::BytesMut;
use tracing::Span;

use super::polling::Finished;
use super::state::{Course, State, wake};
use super::{HandlerFuture, Shared, span};
use crate::error::{PublicMessage, Report};
use crate::stream::disconnect::{Disconnect, DisconnectReason};
use crate::stream::meta::Meta;
use crate::stream::words::LastWord;

impl Shared {
    /// The handler is through: writes the last word that follows from how.
    pub(super) fn settle(&self, state: &mut State, finished: &Finished) {
        if state.ending.is_some() {
            return;
        }
        let reason = finished.reason();
        state.ending = Some(reason);
        state.said = true;
        // Clients of a run need not come back to hear that it is over.
        let is_final = state.run.is_some();
        match finished {
            Finished::Done => {
                if let (Some(name), false) = (self.meta.end, state.finished) {
                    state.say(&LastWord::End { name });
                }
            }
            Finished::Failed(response) => {
                let message = response.extensions().get::<PublicMessage>().map(|message| message.0.as_str());
                state.say_unless_bare(&LastWord::Failure { reason, message, is_final });
            }
            Finished::Panicked => {
                state.say_unless_bare(&LastWord::Failure { reason, message: None, is_final });
            }
        }
    }

    /// The server ends the stream: says when to come back, if that has not been settled otherwise.
    pub(super) fn say_bye(state: &mut State, reason: DisconnectReason) {
        if !state.said {
            state.said = true;
            let (retry, is_final) = (state.come_back_after, state.run.is_some());
            let message = state.because.take();
            let (reason, message) = (reason.as_str(), message.as_deref());
            state.say_unless_bare(&LastWord::Bye { reason, message, retry, is_final });
        }
    }

    /// Ends the stream from outside: its body says goodbye when it is polled next.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        self.end_because(reason, None);
    }

    /// Ends it, and has the goodbye say why; whether it was not ending already.
    pub(crate) fn end_because(&self, reason: DisconnectReason, because: Option<Arc<str>>) -> bool {
        let retry = self.shutdowns.retry();
        let mut state = self.state();
        if state.ending.is_some() || state.over.is_some() {
            return false;
        }
        state.ending = Some(reason);
        state.because = because;
        state.come_back_after = retry;
        wake(state);
        true
    }

    /// Why the transport lets go of the stream before its end.
    pub(crate) fn why_let_go(&self) -> DisconnectReason {
        match &self.connection {
            Some(connection) if connection.has_vanished() => DisconnectReason::PeerVanished,
            _ => DisconnectReason::ClientClosed,
        }
    }

    /// Ends the stream without its transport, which will not poll it any more.
    pub(crate) fn give_up(self: &Arc<Self>) {
        self.state().course = Course::Cut;
        self.conclude(DisconnectReason::ServerShutdown);
    }

    /// The stream is over: drops the handler and runs the hooks. Only the first call does anything.
    pub(crate) fn conclude(self: &Arc<Self>, reason: DisconnectReason) {
        let (disconnect, hooks, task, senders, followed, ticking, registrations, answer, watched) = {
            let mut state = self.state();
            if state.over.is_some() {
                return;
            }
            let reason = *state.ending.get_or_insert(reason);
            let source = state.leave_source();
            let disconnect = Disconnect {
                reason,
                events: state.events_handed,
                bytes: state.bytes_handed,
                duration: self.started.elapsed(),
                last_event_id: if state.id_handed.known {
                    Some(std::mem::take(&mut state.id_handed.text))
                } else {
                    self.asked.id().map(str::to_owned)
                },
            };
            state.over = Some(Box::new(disconnect.clone()));
            #[cfg(feature = "inspector")]
            state.permit.iter().for_each(|permit| permit.route().note_ended(&disconnect));
            let added = state.take_added();
            state.buffer = BytesMut::new();
            (
                disconnect,
                std::mem::take(&mut state.hooks),
                state.task.take(),
                std::mem::take(&mut state.senders),
                (source, state.follower.take()),
                state.ticking.take(),
                (std::mem::take(&mut state.registrations), state.permit.take()),
                state.take_answer(),
                (state.span.take(), added),
            )
        };
        // Only now that the lock is free: a waker is foreign code when it is dropped.
        drop(task);
        drop(answer);
        drop(self.handler_task.take());
        let (source, follower) = followed;
        drop(source);
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
        senders.into_iter().chain(follower).for_each(Waker::wake);
        if let Some((ticker, key)) = ticking {
            ticker.leave(key);
        }
        self.drop_handler();
        let (span, added) = watched;
        let within = span.as_deref().map_or_else(Span::none, Span::clone);
        for hook in hooks {
            hook.run(disconnect.clone(), &self.shutdowns, within.clone());
        }
        span::close(span, &disconnect);
        self.meter.ended(disconnect.reason, disconnect.duration, &added);
        self.note_last();
        // Last, so that a drain which waits for this stream finds its hooks already under way.
        drop(registrations);
    }
}

impl Shared {
    pub(super) fn drop_handler(&self) {
        let handler = match self.handler.try_lock() {
            Ok(mut slot) => slot.take(),
            Err(TryLockError::Poisoned(slot)) => slot.into_inner().take(),
            // Being polled at this moment, by a body that finds the stream over when that poll returns.
            Err(TryLockError::WouldBlock) => None,
        };
        drop_quietly(handler);
    }
}

/// Drops a handler; a panic in one of its destructors must not take the connection or the ticker with it.
pub(super) fn drop_quietly(handler: Option<HandlerFuture>) {
    if catch_unwind(AssertUnwindSafe(|| drop(handler))).is_err() {
        tracing::error!("a handler's destructor panicked");
    }
}

/// Logs what a handler returned. An error type has no text of its own here, only the response it became: `Error` leaves
/// its text there, others may leave a [`PublicMessage`].
pub(super) fn log_failure(meta: &Meta, response: &Response, opened: bool) {
    let status = response.status().as_u16();
    let extensions = response.extensions();
    let report = extensions.get::<Report>().map(|report| &*report.0);
    let text = report.or_else(|| extensions.get::<PublicMessage>().map(|message| message.0.as_str()));
    let error = text.unwrap_or("not said: log it where it becomes a response");
    if response.status().is_client_error() && !opened {
        // The client's mistake, answered as such: not for the operator, whose log any client could fill.
        tracing::debug!(route = meta.path, handler = meta.name, status, error, "handler refused the request");
    } else {
        tracing::error!(route = meta.path, handler = meta.name, status, error, "handler failed");
    }
}

pub(super) fn log_panic(meta: &Meta, panic: &(dyn std::any::Any + Send)) {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is not text");
    tracing::error!(route = meta.path, handler = meta.name, panic = text, "handler panicked");
}
