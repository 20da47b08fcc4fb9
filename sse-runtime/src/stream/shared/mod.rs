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
//! | file | whose side |
//! |---|---|
//! | `state` | what is shared, and its small changes |
//! | `heading` | the handle's, before the head is sent |
//! | `sending` | the handle's |
//! | `following` | the handle's, when it follows topics |
//! | `polling` | the transport's: head, then body |
//! | `ending` | everybody's way out |
//! | `deadlines` | the ticker's |
//! | `running` | a run's |
//! | `info`, `span`, `inspected` | a looker-on's |
//!
//! Locks: `state` is held for moments and never across foreign code except the encoding of one event; `handler` is
//! held while the handler is polled. Whoever holds `state` takes no other lock but, through the source, a topic's ring;
//! whoever holds a ring takes none.

mod deadlines;
mod ending;
mod following;
mod heading;
mod info;
#[cfg(feature = "inspector")]
mod inspected;
mod polling;
mod running;
mod sending;
mod span;
mod state;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::Response;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::arrival::Arrival;
use super::asked::Asked;
use super::disconnect::DisconnectReason;
use super::meta::Meta;
use crate::lifecycle::{Connection, Permit, Shutdowns, StreamId};
use crate::observe::StreamMeter;

#[cfg(feature = "inspector")]
pub(crate) use inspected::NotSent;
pub(crate) use polling::{Next, Opened};
pub(crate) use sending::Admitted;
use state::State;

/// The handler of one request, erased. Its error is boxed: it is moved with every `?` and rare.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), Box<Response>>> + Send>>;

pub(crate) struct Shared {
    pub(crate) meta: &'static Meta,
    id: StreamId,
    client: Option<IpAddr>,
    pub(crate) asked: Asked,
    state: Mutex<State>,
    handler: Mutex<Option<HandlerFuture>>,
    closed: AtomicBool,
    /// The handler's waker was called, while the body takes frames from a source.
    handler_woken: AtomicBool,
    /// The task that polls the body, for that waker.
    handler_task: AtomicWaker,
    closing: Notify,
    started: Instant,
    keep_alive: Option<Duration>,
    shutdowns: Shutdowns,
    connection: Option<Arc<Connection>>,
    pub(crate) meter: StreamMeter,
    #[cfg(feature = "inspector")]
    path: Box<str>,
}

impl Shared {
    pub(crate) fn new(meta: &'static Meta, arrival: Arrival) -> Arc<Self> {
        #[cfg(feature = "inspector")]
        let path = arrival.path;
        let Arrival { asked, shutdowns, connection, client, permit, .. } = arrival;
        let now = Instant::now();
        let meter = permit.as_ref().map(Permit::meter).unwrap_or_default();
        let shared = Arc::new(Self {
            meta,
            id: StreamId::next(),
            client,
            asked,
            state: Mutex::new(State::new(meta, now, permit)),
            handler: Mutex::new(None),
            closed: AtomicBool::new(false),
            handler_woken: AtomicBool::new(false),
            handler_task: AtomicWaker::new(),
            closing: Notify::new(),
            started: now,
            keep_alive: deadlines::keep_alive(meta),
            shutdowns,
            connection,
            meter,
            #[cfg(feature = "inspector")]
            path,
        });
        let registrations = shared.shutdowns.each(|shutdown| {
            let registration = shutdown.register(&shared);
            if registration.is_none() {
                shared.end(DisconnectReason::ServerShutdown);
            }
            registration
        });
        shared.state().registrations = registrations;
        if let Some(connection) = &shared.connection {
            connection.wait_for_client(meta.send_timeout);
        }
        shared
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can only come from a user's `Serialize`, and the encoder has put the buffer right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
