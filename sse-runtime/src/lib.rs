//! Server-Sent Events for axum: annotate an async function, get a streaming route.
//!
//! ```no_run
//! use std::time::Duration;
//! use sse_runtime::{Disconnect, Result, Sse, routes, serve, sse_route};
//!
//! #[sse_route("/ticks/{every}")]
//! async fn ticks(sse: Sse, every: u64) -> Result<()> {
//!     sse.on_disconnect(|gone: Disconnect| async move { println!("{} after {} events", gone.reason, gone.events) });
//!     for n in 0.. {
//!         sse.send(format!("tick {n}")).await?;
//!         tokio::time::sleep(Duration::from_secs(every)).await;
//!     }
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = sse_runtime::listen("127.0.0.1:3000").await?;
//!     serve(listener, routes![ticks]).await
//! }
//! ```
//!
//! - [`sse_route`] makes the route, [`routes!`] collects routes into an `axum::Router`, [`serve`] runs it; plain
//!   `axum::serve` does too (then see [`Shutdown`]).
//! - [`Sse`] is the handle that a handler sends with; [`Event`] an event with a name, an id, a reconnection time.
//! - [`Hub`], [`Topic`] and [`Sse::follow`]: publish once, and every browser gets it, also one that comes back; see
//!   [`guide::topics_and_resume`].
//! - The feature `postgres` brings `changes`: rows of a database, streamed as they change.
//! - The feature `client` brings a client for browsers, see [`guide::browser_client`].
//! - [`AllowedHosts`] keeps other sites' pages from a server on this machine; who else may listen is in
//!   [`guide::who_may_listen`].
//! - [`Runs`] and the route option `run`: a handler that goes on when its client leaves, and a client that comes back to it.
//! - [`Replies`]: clients that answer into their streams.
//! - [`Error`] is for handlers that have no error type of their own.
//! - [`derive@SseEvent`] makes an enum a route's events; with the feature `openapi`, `api!` makes documents of routes, which the
//!   page of the feature `docs` shows; see [`guide::typed_events`].
//! - [`Admission`] limits how many streams there are, [`Registry`] lists and ends them, [`Shutdown::drain`] moves them to the
//!   next process; see [`guide::production`].
//! - The feature `testing` brings a `TestClient`, which runs routes in-process, on tokio's paused clock; see
//!   [`guide::testing`].
//!
//! # The life of a stream
//!
//! The response head is not sent before it is known what the response is. Until the first event, [`Sse::open`] or the
//! route's `open_after` (1 s, so that a quiet stream opens in the browser; longer where a handler thinks longer before it
//! knows), an `Err` of the handler is an ordinary HTTP response. After it, an `Err` or a panic is
//! an in-band event, `failure`, and the stream ends. While a stream is silent a comment goes out every 15 s, which
//! keeps proxies from cutting it.
//!
//! When the client leaves, the handler's future is dropped where it waits, and then the
//! [`on_disconnect`](Sse::on_disconnect) hooks run, once, with the [reason](DisconnectReason).
//!
//! # What the runtime says by itself
//!
//! | when | what the client receives |
//! |---|---|
//! | the handler fails or panics, nothing was sent yet | its HTTP response; 500 for a panic |
//! | the handler fails or panics later | `event: failure`, data `{"reason":"HandlerError"}` or `"HandlerPanic"`, with a `message` if the error [allows it](PublicMessage); then the end |
//! | the server shuts down, the stream reaches its `max_age`, its client is too slow for a topic, what it was let in with [expires](Sse::expires_at), or it is [kicked](Registry::kick) | `event: sse-bye` with a `retry` of its own, data `{"reason":"ServerShutdown"}`, `"MaxAge"`, `"SlowClient"`, `"AuthExpired"`, or `"Kicked"` with a `message`; then the end |
//! | there is no place for it ([`Admission`], `max_streams`) | 503 with `Retry-After`; an `EventSource` gets 200, `sse-bye` with data `{"reason":"Full"}`, and the end |
//! | [`Sse::finish`], or the handler returns `Ok` on a route with `end = "name"` | `event: name` (`end` by default), `id: sse-end`, data `{}`; then the end |
//! | it reconnects with `Last-Event-ID: sse-end` | 204, the handler does not run |
//! | a stream follows topics | `sse-open`, `sse-reset`, `sse-gap`, see [the guide](guide::topics_and_resume) |
//! | silence | a line `:` |
//! | a path parameter or an extractor refuses | 400 or what the extractor answers |
//! | `Accept` refuses `text/event-stream` | 406 |
//! | the handler takes [`Replies`] | `event: sse-replies` with the token, before all others |
//! | a run ends, or is lost | its last word, for everybody who follows it; `run-lost` if its node is gone, see [the guide](guide::long_tasks) |
//! | HEAD | what the extractors answer, else the headers; the handler does not run |
//!
//! On `bare` routes there is none of these events, and no 406; a stream that is not through is cut off.
//!
//! An `EventSource` reconnects after every end of a stream but a 204 or another status than 200, so after `failure` and
//! `sse-bye` it comes back by itself. A page that wants to know listens for the names:
//!
//! ```js
//! const events = new EventSource("/jobs/7/events");
//! events.onmessage = (event) => show(event.data);              // events without a name
//! events.addEventListener("progress", (event) => show(JSON.parse(event.data)));
//! events.addEventListener("failure", (event) => warn(JSON.parse(event.data).reason));
//! events.addEventListener("end", () => events.close());        // it would be told to stop anyway, by a 204
//! ```
//!
//! What goes wrong is logged through [`tracing`](https://docs.rs/tracing): a program that wants to see it installs a
//! subscriber, `tracing_subscriber::fmt::init()` for instance. Each stream has a span, and with the feature
//! `metrics` there are numbers: see [`guide::observability`].
//!
//! # Cancel safety
//!
//! A handler is cancelled whenever its client leaves, at any `.await`: as everywhere in async Rust, what must not be
//! left half done belongs in a spawned task or in a destructor. The futures of [`Sse`] are cancel safe: an event was
//! sent whole, or not at all.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `client` | no | the module `client`, which serves a client for browsers: see [`guide::browser_client`] |
//! | `compression` | no | `Compression`, a layer that compresses streams, event by event |
//! | `docs` | no | `openapi`, and the page `/docs`, which is embedded (Rust 1.88) |
//! | `inspector` | no | `Inspector`, a page that shows routes, streams, runs and topics while they live |
//! | `listenfd` | yes | [`listen`] takes a socket from systemd or systemfd |
//! | `http2` | no | HTTP/2 without TLS in [`serve`] |
//! | `metrics` | no | numbers about streams and hubs, for Prometheus and others: see [`guide::observability`] |
//! | `nats` | no | `engine::Nats`, a log on NATS JetStream for many machines (Rust 1.89); `nats-tls` with TLS, by ring |
//! | `openapi` | no | `api!` and `Api`: OpenAPI documents of routes (Rust 1.88) |
//! | `postgres` | no | `engine::Postgres`, a log in PostgreSQL that many processes share; the module `changes`: rows of a database as they change |
//! | `redb` | no | `engine::Redb`, a log on a file: history that survives the process (Rust 1.90) |
//! | `testing` | no | the module `testing`, with a test client |

#![forbid(unsafe_code)]

#[cfg(any(feature = "compression", feature = "docs"))]
mod accept_encoding;
#[cfg(any(feature = "client", feature = "inspector", feature = "openapi"))]
mod asset;
#[cfg(feature = "postgres")]
pub mod changes;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "compression")]
mod compression;
#[cfg(feature = "openapi")]
mod contract;
pub mod engine;
mod error;
pub mod guide;
mod hosts;
#[cfg(feature = "inspector")]
mod inspector;
mod lifecycle;
mod observe;
mod replies;
mod route;
mod runs;
mod serve;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod topic;
pub mod wire;

#[cfg(feature = "compression")]
pub use compression::{Compressed, Compression};
#[cfg(feature = "openapi")]
pub use contract::{Api, DescribeArgument};
pub use error::{Error, PublicMessage, Result, SendError};
pub use hosts::{AllowedHosts, CheckHost};
pub use http::StatusCode;
#[cfg(feature = "inspector")]
pub use inspector::Inspector;
pub use lifecycle::{Admission, ProxyError, Registry, Shutdown, StreamId, StreamInfo};
pub use replies::{Replies, Reply};
pub use route::Route;
pub use runs::{Principal, Run, RunId, RunInfo, Runs};
pub use serve::{Serve, listen, prepare_socket, serve};
pub use stream::{Disconnect, DisconnectReason, Expiry, HeadError, Opening, SendAll, Sending, Sse};
pub use topic::{
    Follow, FollowError, Hub, HubBuilder, HubStats, PublishError, Publishing, ResetReason, SnapshotError,
    Topic,
};
pub use wire::{AsJson, Event, EventError, EventId, EventName, EventWriter, Message, Outgoing, SseEvent};

#[doc = include_str!("route/sse_route.md")]
pub use sse_macros::sse_route;

#[doc = include_str!("wire/sse_event.md")]
pub use sse_macros::SseEvent;

/// Compiles, and where it can runs, every Rust block of the README.
#[cfg(all(doctest, feature = "docs", feature = "inspector", feature = "testing"))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(feature = "openapi")]
pub use utoipa;

/// Beside a handler's route, what documents say of it.
#[cfg(feature = "openapi")]
#[doc(hidden)]
#[macro_export]
macro_rules! __operation {
    // Of a handler with mistakes: the program that has it does not compile, and so never calls this.
    () => {
        pub fn operation(_: $crate::__private::Components) -> $crate::__private::Operation {
            ::core::unreachable!()
        }
    };
    (
        name: $name:literal, docs: [$($doc:expr),*], deprecated: $deprecated:literal, methods: [$($method:literal),*],
        parameters: [$($parameter:literal: $parameter_type:ty,)*], arguments: [$($argument:ty,)*],
        handle: $handle:ty, output: $output:ty, run: [$($run:expr)?],
    ) => {
        #[doc(hidden)]
        // Of a route of this crate's own, no document is made.
        #[allow(dead_code, unreachable_pub)]
        pub fn operation(known: $crate::__private::Components) -> $crate::__private::Operation {
            #[allow(unused_imports)]
            use $crate::__private::questions::*;
            #[allow(unused_mut)]
            let mut operation = $crate::__private::Operation::new(
                known, Self::__META, $name, &[$($method),*], &[$($doc),*], $deprecated,
            );
            $((&&&$crate::__private::Probe::<$parameter_type>::NEW).parameter(&mut operation, $parameter);)*
            $((&&&$crate::__private::Probe::<$argument>::NEW).argument(&mut operation);)*
            (&&&$crate::__private::Probe::<$handle>::NEW).events(&mut operation);
            (&&&$crate::__private::Probe::<$output>::NEW).outcome(&mut operation);
            $(operation.set_run($run);)?
            operation
        }
    };
}

#[cfg(not(feature = "openapi"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __operation {
    ($($described:tt)*) => {};
}

#[cfg(not(feature = "openapi"))]
#[doc(hidden)]
#[macro_export]
macro_rules! api {
    ($($handler:tt)*) => {
        ::core::compile_error!(
            "`api!` needs a feature of sse-runtime: `features = [\"docs\"]`, or [\"openapi\"] without the page"
        )
    };
}

/// What expansions of the macros call. Not for use by hand; it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use axum::Router;
    pub use axum::routing::MethodFilter;
    pub use core::time::Duration;

    pub use crate::__operation as operation;
    #[cfg(feature = "openapi")]
    pub use crate::contract::{Components, Operation, Probe, questions};
    pub use crate::replies::{ReplyArgument, ReplyMeta, with_replies};
    pub use crate::route::{
        Failure, Handle, HeadArgument, HeadArguments, LastArgument, Outcome, Params, PathArgument, Rejection,
        Stream, route, run_route, stub,
    };
    pub use crate::runs::RunMeta;
    pub use crate::stream::{HandlerFuture, Meta, Slow};
    pub use crate::wire::derived::{Data, EventShape, id, json, name, retry, terminal};
}
