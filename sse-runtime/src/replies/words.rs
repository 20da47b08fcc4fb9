//! What a stream says of replies.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::token::Token;
use crate::wire::{EventError, EventWriter, SseEvent};

/// The event that says with which token a client answers into its stream.
pub(crate) const REPLIES: &str = "sse-replies";

pub(super) struct Announcement(pub(super) Token);

impl SseEvent for Announcement {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.name(REPLIES)?;
        event.json(self)
    }
}

// By hand: the derive would be another dependency.
impl Serialize for Announcement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("token", self.0.as_str())?;
        map.end()
    }
}
