//! What is shared, behind one lock, and the small changes it goes through.

use std::any::Any;
use std::ops::Range;
use std::sync::{Arc, MutexGuard, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;
use tracing::Span;

use super::deadlines::Ends;
use super::following::Attached;
use crate::lifecycle::{Permit, Registration};
use crate::observe::Tally;
use crate::runs::RunState;
use crate::stream::disconnect::{Disconnect, DisconnectReason};
use crate::stream::head::Head;
use crate::stream::hook::Hook;
use crate::stream::meta::Meta;
use crate::stream::pace::Pace;
use crate::stream::ticker::{Key, Ticker};
use crate::stream::words::{END_ID, LastWord};
use crate::wire::{Encoded, EventError, Limits, SseEvent, encode};

pub(super) struct State {
    pub(super) meta: &'static Meta,
    pub(super) buffer: BytesMut,
    pub(super) phase: Phase,
    /// What the handler has said of the head, if anything.
    pub(super) head: Option<Box<Head>>,
    /// The first event was sent or `open` called: the head has to go out.
    pub(super) opened: bool,
    /// Why the stream is about to end, as soon as that is known.
    pub(super) ending: Option<DisconnectReason>,
    /// When it is to end, unless something else ends it.
    pub(super) ends: Ends,
    /// What the server's last word says of coming back, and why it came.
    pub(super) come_back_after: Duration,
    pub(super) because: Option<Arc<str>>,
    /// The runtime's last word stands in the buffer (or none is due).
    pub(super) said: bool,
    /// `finish` was called.
    pub(super) finished: bool,
    pub(super) course: Course,
    /// The task that polls the head, later the body; no need to wake it while it polls.
    pub(super) task: Option<Waker>,
    pub(super) polling: bool,
    pub(super) senders: Vec<Waker>,
    pub(super) events_queued: u64,
    pub(super) events_handed: u64,
    pub(super) bytes_handed: u64,
    pub(super) id_queued: LastId,
    pub(super) id_handed: LastId,
    pub(super) pace: Pace,
    /// The handler has had its turn: before its next one the transport writes what there is, and reads.
    pub(super) rests: bool,
    pub(super) retry_due: bool,
    pub(super) ping_due: bool,
    pub(super) last_write: Instant,
    /// When the transport took a frame, until it asks for the next: it is blocked, or has gone away silently.
    pub(super) blocked_since: Option<Instant>,
    pub(super) changed: Vec<(Box<[u8]>, Vec<u8>)>,
    pub(super) hooks: Vec<Hook>,
    /// Where frames come from when the buffer is empty.
    pub(super) source: Option<Attached>,
    /// The handler has been polled with a waker that is not the task's, and may have left it anywhere.
    pub(super) apart: bool,
    /// The last frame was the stream's own: the source is asked first now.
    pub(super) source_next: bool,
    /// The last id that was handed out was the source's.
    pub(super) source_spoke: bool,
    /// A handler is following topics; its waker, if it waits for what the body finds.
    pub(super) following: bool,
    pub(super) follower: Option<Waker>,
    /// Where the last follower left off, for the next.
    pub(super) followed: Option<Arc<dyn Any + Send + Sync>>,
    pub(super) ticking: Option<(Arc<Ticker>, Key)>,
    /// With the shutdowns that can end it.
    pub(super) registrations: [Option<Registration>; 2],
    /// Its place among those that may be open.
    pub(super) permit: Option<Permit>,
    pub(super) principal: Option<Box<str>>,
    /// The run that its handler is.
    pub(super) run: Option<Weak<RunState>>,
    pub(super) span: Option<Box<Span>>,
    pub(super) tally: Tally,
    pub(super) over: Option<Box<Disconnect>>,
}

/// An event id whose memory is used again: ids change with every event.
#[derive(Default)]
pub(super) struct LastId {
    pub(super) known: bool,
    pub(super) text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Head,
    Streaming,
}

/// Whether the body hands out what there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Flows,
    /// Nothing for now: somebody wants to see what becomes of its client.
    #[cfg(feature = "inspector")]
    Stalled,
    /// Nothing more but an error, which cuts the connection; but first what was handed over is written.
    CutLater,
    Cut,
}

impl State {
    pub(super) fn new(meta: &'static Meta, now: Instant, permit: Option<Permit>) -> Self {
        Self {
            meta,
            buffer: BytesMut::new(),
            phase: Phase::Head,
            head: None,
            opened: false,
            ending: None,
            ends: Ends::new(meta, now),
            come_back_after: Duration::ZERO,
            because: None,
            said: false,
            finished: false,
            course: Course::Flows,
            task: None,
            polling: false,
            senders: Vec::new(),
            events_queued: 0,
            events_handed: 0,
            bytes_handed: 0,
            id_queued: LastId::default(),
            id_handed: LastId::default(),
            pace: Pace::default(),
            rests: false,
            retry_due: meta.retry.is_some(),
            ping_due: false,
            last_write: now,
            blocked_since: None,
            changed: Vec::new(),
            hooks: Vec::new(),
            source: None,
            apart: false,
            source_next: false,
            source_spoke: false,
            following: false,
            follower: None,
            followed: None,
            ticking: None,
            registrations: [None, None],
            permit,
            principal: None,
            run: None,
            span: None,
            tally: Tally::new(),
            over: None,
        }
    }

    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        if !self.senders.iter().any(|waiting| waiting.will_wake(cx.waker())) {
            self.senders.push(cx.waker().clone());
        }
    }

    /// The same, because there is no room; counted once for all who wait together.
    pub(super) fn wait_for_room(&mut self, cx: &Context<'_>) {
        if self.senders.is_empty() {
            self.tally.note_wait();
        }
        self.wait(cx);
    }

    #[inline]
    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_event: self.meta.max_event,
            retry: if self.retry_due { self.meta.retry } else { None },
            end_id: if self.meta.bare { None } else { Some(END_ID) },
        }
    }

    /// Whether an end for this reason would be taken for a proper one: the route has no word of its own for that, and the
    /// protocol's last word has not been said.
    pub(super) fn would_mislead(&self, reason: DisconnectReason) -> bool {
        self.meta.bare && !self.finished && reason != DisconnectReason::Completed
    }

    pub(super) fn say_unless_bare(&mut self, word: &LastWord<'_>) {
        if !self.meta.bare && !self.finished {
            self.say(word);
        }
    }

    pub(super) fn say<T: SseEvent>(&mut self, word: &T) {
        // The runtime's own events are not the route's: its cap does not apply to them.
        let limits = Limits { max_event: usize::MAX, ..self.limits() };
        // It cannot fail: names and ids are constants or were checked at compile time, and JSON of text is text.
        if let Ok(encoded) = encode::<T, T>(word, &mut self.buffer, &limits) {
            self.note_queued(&encoded);
        }
    }

    /// Takes the block just written back if its id is the runtime's own, or if there must be none.
    #[inline]
    pub(super) fn refuse_reserved(&mut self, encoded: &Encoded) -> Result<(), EventError> {
        match &encoded.id {
            Some(id) if self.run.is_some() && !encoded.terminal => {
                let start = self.buffer.len() - encoded.len;
                let id = self.buffer.get(start + id.start..start + id.end).unwrap_or_default();
                let id = String::from_utf8_lossy(id).into_owned();
                self.buffer.truncate(start);
                Err(EventError::RunId { id })
            }
            // A terminal event has it from us, and none of its own.
            Some(id) if !encoded.terminal || self.meta.bare => {
                self.refuse_reserved_id(encoded.len, id.clone())
            }
            _ => Ok(()),
        }
    }

    fn refuse_reserved_id(&mut self, len: usize, id: Range<usize>) -> Result<(), EventError> {
        let start = self.buffer.len() - len;
        if self.buffer.get(start + id.start..start + id.end) == Some(END_ID.as_bytes()) {
            self.buffer.truncate(start);
            return Err(EventError::ReservedId);
        }
        Ok(())
    }

    /// Whether the block just written differs from the last one of its name; if not, it is taken back.
    pub(super) fn is_change(&mut self, encoded: &Encoded) -> bool {
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
    pub(super) fn note_queued(&mut self, encoded: &Encoded) {
        self.events_queued += 1;
        self.retry_due = false;
        if let Some(id) = &encoded.id {
            self.note_id(encoded.len, id.clone());
        }
    }

    pub(super) fn note_id(&mut self, len: usize, id: Range<usize>) {
        let frame = self.buffer.len() - len;
        let id = self.buffer.get(frame + id.start..frame + id.end).unwrap_or_default();
        self.id_queued.known = true;
        self.id_queued.text.clear();
        self.id_queued.text.push_str(std::str::from_utf8(id).unwrap_or_default());
    }

    /// The id of the last event that was handed out, if one had any.
    pub(super) fn last_id(&self) -> Option<String> {
        match &self.source {
            Some(attached) if self.source_spoke => Some(attached.source.last_id()),
            _ => self.id_handed.known.then(|| self.id_handed.text.clone()),
        }
    }

    pub(super) fn note_handed(&mut self, len: usize) {
        let now = Instant::now();
        self.bytes_handed += len as u64;
        self.last_write = now;
        self.blocked_since = Some(now);
        self.ping_due = false;
    }

    /// Everything that is queued, as one frame.
    pub(super) fn take(&mut self) -> Bytes {
        let frame = self.buffer.split().freeze();
        if self.source.is_some() {
            // Seldom needed beside a source: what is left of it need not lie there for the life of the stream.
            self.buffer = BytesMut::new();
        }
        self.note_handed(frame.len());
        self.events_handed = self.events_queued;
        if self.id_queued.known {
            std::mem::swap(&mut self.id_handed, &mut self.id_queued);
            self.id_queued.known = false;
            self.source_spoke = false;
        }
        frame
    }
}

/// Wakes the task that polls the stream, unless it is polling now: it looks at the buffer before it rests.
#[inline]
pub(super) fn wake(state: MutexGuard<'_, State>) {
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
