//! What may be passed to `send`, decided at compile time and without a copy: `&str` goes from the caller's
//! memory straight into the connection's buffer.

use std::{borrow::Cow, sync::Arc};

use serde::Serialize;

use super::{Event, EventError, EventShape, EventWriter, Message};

/// A type whose values are events, so that `Sse<Self>` sends them and nothing else.
///
/// [`#[derive(SseEvent)]`](derive@crate::SseEvent) implements it for what serde can serialize. By hand, for events of another
/// form:
///
/// ```
/// use sse_runtime::{EventError, EventWriter, SseEvent};
///
/// enum JobEvent {
///     Progress { percent: u8 },
///     Done { url: String },
/// }
///
/// impl SseEvent for JobEvent {
///     fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
///         match self {
///             Self::Progress { percent } => {
///                 event.name("progress")?;
///                 event.json(&serde_json::json!({ "percent": percent }))
///             }
///             Self::Done { url } => {
///                 event.name("done")?;
///                 event.data(url)
///             }
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event type",
    label = "`SseEvent` is not implemented for `{Self}`",
    note = "put `#[derive(serde::Serialize, sse_runtime::SseEvent)]` on `{Self}`, or use the untyped `Sse`"
)]
pub trait SseEvent {
    /// Writes this event's fields. What it writes becomes one event; if it fails or panics, nothing is sent.
    ///
    /// # Errors
    ///
    /// What the [`EventWriter`] refused.
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError>;

    /// What is known of the events before there is one; for documents. The derive writes it.
    #[doc(hidden)]
    fn shapes() -> &'static [EventShape]
    where
        Self: Sized,
    {
        &[]
    }
}

/// What `Sse<E>::send` takes: an `E`, and for the untyped stream also text and [`Event`]s.
///
/// It is implemented for every `E: SseEvent` and its references; there is no need to implement it by hand, only to
/// name it where code is generic over what it sends.
///
/// ```
/// use sse_runtime::{Message, Outgoing, Result, Sse};
///
/// async fn send_twice(sse: &Sse, event: impl Outgoing<Message> + Clone) -> Result<()> {
///     sse.send(event.clone()).await?;
///     sse.send(event).await?;
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent on `Sse<{E}>` or `Topic<{E}>`",
    label = "not an event of this stream or topic",
    note = "`Sse` and `Topic`, without a type, take text and `Event`; any other value goes as JSON: `send_json(&value)`, `publish_json(&value)`",
    note = "`Sse<E>` and `Topic<E>` take values of `E` alone, for which `E` implements `SseEvent`"
)]
pub trait Outgoing<E> {
    /// Writes the fields of the event.
    ///
    /// # Errors
    ///
    /// What the [`EventWriter`] refused.
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError>;
}

impl<E: SseEvent> Outgoing<E> for E {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        SseEvent::write(self, event)
    }
}

#[diagnostic::do_not_recommend]
impl<E: SseEvent> Outgoing<E> for &E {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        SseEvent::write(*self, event)
    }
}

macro_rules! outgoing_text {
    ($($text:ty),* $(,)?) => {
        $(
            // The compiler lists what can be sent where something else was: `&E` and `E` are hint enough.
            #[diagnostic::do_not_recommend]
            impl Outgoing<Message> for $text {
                fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
                    event.data(self)
                }
            }
        )*
    };
}

outgoing_text!(
    str,
    &str,
    String,
    &String,
    Cow<'_, str>,
    &Cow<'_, str>,
    Box<str>,
    &Box<str>,
    Arc<str>,
    &Arc<str>
);

impl Outgoing<Message> for Event {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        SseEvent::write(self, event)
    }
}

/// What [`Event::json`] returns: its error is then the error of `send`.
#[diagnostic::do_not_recommend]
impl Outgoing<Message> for Result<Event, EventError> {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        match self {
            Ok(built) => SseEvent::write(built, event),
            Err(error) => Err(error.clone()),
        }
    }
}

#[diagnostic::do_not_recommend]
impl Outgoing<Message> for &Event {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        SseEvent::write(*self, event)
    }
}

/// A value that goes out as JSON, as an event without a name: what `send_json` and `publish_json` make of theirs. Of use
/// where they do not reach, as in a stream for [`Sse::send_all`](crate::Sse::send_all), or a snapshot.
///
/// ```
/// use sse_runtime::{AsJson, Result, Sse};
///
/// async fn send_all(sse: &Sse, values: Vec<(u32, String)>) -> Result<()> {
///     sse.send_all(futures_util::stream::iter(values.into_iter().map(AsJson))).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsJson<T>(pub T);

#[diagnostic::do_not_recommend]
impl<T: Serialize> Outgoing<Message> for AsJson<T> {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.json(&self.0)
    }
}
