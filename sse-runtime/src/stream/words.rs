//! The events that the runtime itself says.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::stream::DisconnectReason;
use crate::wire::{EventError, EventWriter, SseEvent};

/// The event that tells of an error or panic in the handler.
pub(crate) const FAILURE: &str = "failure";
/// The last event of a stream that the server ends although its handler goes on.
pub(crate) const BYE: &str = "sse-bye";
/// What the goodbye says to a client that was not let in.
pub(crate) const FULL: &str = "Full";
/// The terminal event's name where the route's `end` option gives no other.
pub(crate) const END: &str = "end";
/// The terminal event's id. A client that comes back with it has seen the end, and is answered 204.
pub(crate) const END_ID: &str = "sse-end";

/// The last event of a stream.
pub(crate) enum LastWord<'a> {
    /// The handler failed; `message` only if its error says that it may be shown.
    Failure { reason: DisconnectReason, message: Option<&'a str>, is_final: bool },
    /// The server ends the stream, and may say why; come back after `retry`, unless this is final: then it was a run.
    Bye { reason: &'static str, message: Option<&'a str>, retry: Duration, is_final: bool },
    /// Everything was said; do not come back.
    End { name: &'a str },
}

/// `{"reason": .., "message": ..}`, the message only if there is one. By hand: the derive would be another dependency.
struct Reason<'a> {
    reason: &'static str,
    message: Option<&'a str>,
}

impl Serialize for Reason<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("reason", self.reason)?;
        if let Some(message) = self.message {
            map.serialize_entry("message", message)?;
        }
        map.end()
    }
}

impl SseEvent for LastWord<'_> {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        match *self {
            Self::Failure { reason, message, is_final } => {
                event.name(FAILURE)?;
                if is_final {
                    event.id(END_ID)?;
                }
                event.json(&Reason { reason: reason.as_str(), message })
            }
            Self::Bye { reason, message, retry, is_final } => {
                event.name(BYE)?;
                if is_final {
                    event.id(END_ID)?;
                }
                event.retry(retry)?;
                event.json(&Reason { reason, message })
            }
            Self::End { name } => {
                event.name(name)?;
                event.id(END_ID)?;
                event.data("{}")
            }
        }
    }
}
