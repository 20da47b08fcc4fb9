//! Server-Sent Events for axum.

#![forbid(unsafe_code)]

pub mod wire;

pub use wire::{Event, EventError, EventId, EventName, EventWriter, Message, SseEvent};
