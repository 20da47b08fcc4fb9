//! Server-Sent Events for axum.

#![forbid(unsafe_code)]

#[cfg(feature = "testing")]
pub mod testing;
pub mod wire;

pub use wire::{Event, EventError, EventId, EventName, EventWriter, Message, SseEvent};
