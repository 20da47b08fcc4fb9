//! The wire format of Server-Sent Events, as the [HTML standard] defines it: pure, no I/O.
//!
//! [`EventWriter`] writes one event block after the other into a buffer that the caller owns, and everything
//! else here is a way to it: [`Event`] and [`Message`] for text, [`SseEvent`] for types of your own.
//!
//! What is written always has this form, and nothing that is passed in can change it:
//!
//! - lines end in `\n`; a value never brings a line end of its own. In data, `\r\n`, `\r` and `\n` all begin a
//!   new `data:` line; in a name or an id they are an error, because removing them would change the meaning;
//! - `data: `, `id: ` and the others have exactly one space after the colon, which the reader removes, so that a
//!   value's own leading space survives;
//! - every block has data, empty if need be: a browser never dispatches an event without a `data` line, and many
//!   other readers report a spurious empty event;
//! - a comment is not followed by a blank line, because several readers take that for an event.
//!
//! [HTML standard]: https://html.spec.whatwg.org/multipage/server-sent-events.html

mod comment;
#[doc(hidden)]
pub mod derived;
mod encode;
mod error;
mod event;
mod id;
mod json;
mod last_event_id;
mod lines;
mod message;
mod name;
mod outgoing;
mod place;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use comment::{KEEP_ALIVE, encode_comment};
pub(crate) use derived::EventShape;
pub(crate) use encode::{Encoded, Limits, encode};
pub use error::EventError;
pub use event::Event;
pub use id::EventId;
pub use last_event_id::last_event_id;
pub use message::Message;
pub use name::EventName;
pub use outgoing::{AsJson, Outgoing, SseEvent};
pub use writer::EventWriter;

/// How large one event may be when nothing else is said: 256 KiB, counted in bytes on the wire.
///
/// Some readers refuse a line of more than 512 KiB (aiohttp) or an event of more than 1 MiB, so this stays below
/// the lowest of them.
pub const DEFAULT_MAX_EVENT: usize = 256 * 1024;
