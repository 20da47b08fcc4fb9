//! The events by which a stream that follows topics tells its client where it stands.

use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::place::Place;
use super::resume::ResetReason;
use crate::wire::{EventError, EventWriter, SseEvent};

/// The names of these events.
pub(crate) const OPEN: &str = "sse-open";
pub(crate) const RESET: &str = "sse-reset";
pub(crate) const GAP: &str = "sse-gap";

/// The first event: where the stream begins, and after how much silence a keep-alive comes.
pub(super) struct Open<'a> {
    pub(super) at: Place<'a>,
    pub(super) resumed: bool,
    pub(super) heartbeat: Option<Duration>,
    /// Not if a snapshot follows: who loses the connection before its end has to get it again.
    pub(super) with_id: bool,
}

/// The stream cannot go on from where the client asked for.
pub(super) struct Reset<'a> {
    pub(super) reason: ResetReason,
    /// What it asked for, if that can be shown.
    pub(super) asked: Option<&'a str>,
    /// The oldest position that could be served.
    pub(super) oldest: Place<'a>,
    pub(super) now: Place<'a>,
    /// Where the stream begins; not if a snapshot follows.
    pub(super) at: Option<Place<'a>>,
}

/// Events were left out, because the client did not read them in time.
pub(super) struct Gap<'a> {
    pub(super) missed: u64,
    pub(super) after: Place<'a>,
    pub(super) until: Place<'a>,
    pub(super) with_id: bool,
}

impl SseEvent for Open<'_> {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        write(event, OPEN, self.with_id.then_some(self.at), self)
    }
}

impl SseEvent for Reset<'_> {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        write(event, RESET, self.at, self)
    }
}

impl SseEvent for Gap<'_> {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        write(event, GAP, self.with_id.then_some(self.until), self)
    }
}

fn write(
    event: &mut EventWriter<'_>,
    name: &str,
    id: Option<Place<'_>>,
    data: &impl Serialize,
) -> Result<(), EventError> {
    event.name(name)?;
    if let Some(id) = id {
        event.id(&id.to_string())?;
    }
    event.json(data)
}

// By hand: the derive would be another dependency.

impl Serialize for Open<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let heartbeat =
            self.heartbeat.map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("position", &self.at)?;
        if let Some(run) = self.at.mark {
            map.serialize_entry("run", run)?;
        }
        map.serialize_entry("resumed", &self.resumed)?;
        map.serialize_entry("heartbeat", &heartbeat)?;
        map.end()
    }
}

impl Serialize for Reset<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("reason", self.reason.as_str())?;
        map.serialize_entry("asked", &self.asked)?;
        map.serialize_entry("oldest", &self.oldest)?;
        map.serialize_entry("now", &self.now)?;
        map.end()
    }
}

impl Serialize for Gap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("missed", &self.missed)?;
        map.serialize_entry("after", &self.after)?;
        map.serialize_entry("until", &self.until)?;
        map.end()
    }
}

impl Serialize for Place<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
