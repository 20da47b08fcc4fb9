//! An event put together by hand, as text.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{EventError, EventWriter, SseEvent};

/// One event: a name, an id, a reconnection time and data, all of them optional.
///
/// Nothing is checked until the event is sent; then a name or an id that cannot be written is an [`EventError`]
/// to the sender, and the stream is unharmed. A setter that is called twice replaces the first value. An event
/// without data is sent with empty data, because a browser never dispatches one that has none.
///
/// ```
/// use std::time::Duration;
/// use sse_runtime::Event;
///
/// let event = Event::new("new_message").id("17").retry(Duration::from_secs(15)).data("hello");
/// let unnamed = Event::default().data("two\nlines");
/// # let _ = (event, unnamed);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "an event does nothing until it is sent"]
pub struct Event {
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    data: Option<String>,
}

impl Event {
    /// An event with a name (see [`EventName`](crate::EventName) for what it may hold), as yet without data.
    /// [`Event::default`] is one without a name, which a browser dispatches as `message`.
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }

    /// Sets the name; see [`EventName`](crate::EventName) for what it may hold.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the id, which the client sends back as `Last-Event-ID` when it reconnects; see
    /// [`EventId`](crate::EventId) for what it may hold. An empty one makes the client forget the last id.
    /// It may be anything that can be shown: a number, a text.
    pub fn id(mut self, id: impl fmt::Display) -> Self {
        self.id = Some(id.to_string());
        self
    }

    /// Sets how long the client waits before it reconnects once the stream has ended, from now on. It is written
    /// in whole milliseconds: see [`EventWriter::retry`].
    pub fn retry(mut self, after: Duration) -> Self {
        self.retry = Some(after);
        self
    }

    /// Sets the data to text, which may have any number of lines.
    pub fn data(mut self, text: impl Into<String>) -> Self {
        self.data = Some(text.into());
        self
    }

    /// Sets the data to a value as JSON.
    ///
    /// ```
    /// # use sse_runtime::{Event, EventError};
    /// let event = Event::new("price").json(&serde_json::json!({ "eur": 7 }))?;
    /// # let _ = event;
    /// # Ok::<(), EventError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EventError::Json`] if the value cannot be serialized. What is returned can be sent as it is, too: then `send`
    /// returns the error, and an error type of your own needs no `From<EventError>`.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, EventError> {
        let json = serde_json::to_string(value).map_err(|error| EventError::Json(error.to_string()))?;
        Ok(self.data(json))
    }
}

impl SseEvent for Event {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        if let Some(name) = &self.name {
            event.name(name)?;
        }
        if let Some(id) = &self.id {
            event.id(id)?;
        }
        if let Some(after) = self.retry {
            event.retry(after)?;
        }
        match &self.data {
            Some(data) => event.data(data),
            None => Ok(()),
        }
    }
}
