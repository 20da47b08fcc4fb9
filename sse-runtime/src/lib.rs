//! Server-Sent Events for axum.

#![forbid(unsafe_code)]

mod error;
mod lifecycle;
mod route;
mod serve;
mod stream;
pub mod wire;

pub use error::{Error, PublicMessage, Result, SendError};
pub use http::StatusCode;
pub use lifecycle::Shutdown;
pub use route::Route;
pub use serve::{Serve, listen, serve};
#[doc = include_str!("route/sse_route.md")]
pub use sse_macros::sse_route;
pub use stream::{Disconnect, DisconnectReason, Opening, SendAll, Sending, Sse};
pub use wire::{Event, EventError, EventId, EventName, EventWriter, Message, Outgoing, SseEvent};

/// What expansions of the macros call. Not for use by hand; it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use axum::Router;
    pub use axum::routing::MethodFilter;
    pub use core::time::Duration;

    pub use crate::route::{
        Failure, Handle, HeadArgument, HeadArguments, LastArgument, Meta, Outcome, Params, PathArgument,
        Rejection, Stream, route, stub,
    };
    pub use crate::stream::HandlerFuture;
}
