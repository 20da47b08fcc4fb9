//! One open stream: the handle that a handler sends with, and the response body that polls the handler.
//!
//! The handler's future lives inside the response body and is polled in place. `send` appends to one buffer, and the
//! body hands out everything pending as one frame: no task and no channel stand between handler and socket.

mod arrival;
mod asked;
mod body;
mod disconnect;
mod handle;
mod head;
mod hidden;
mod hook;
#[cfg(feature = "inspector")]
mod lookers;
mod meta;
mod pace;
mod sending;
mod shared;
mod slow;
mod source;
mod ticker;
mod whose;
mod words;

pub(crate) use arrival::Arrival;
pub(crate) use asked::Asked;
pub(crate) use body::{Body, Guard};
pub use disconnect::{Disconnect, DisconnectReason};
pub use handle::Sse;
pub(crate) use head::Head;
pub use head::HeadError;
pub(crate) use hidden::Hidden;
pub(crate) use hook::Hook;
#[cfg(feature = "inspector")]
pub(crate) use lookers::{Looker, Shown};
pub use meta::Meta;
pub use sending::{Opening, SendAll, Sending};
pub use shared::HandlerFuture;
#[cfg(feature = "inspector")]
pub(crate) use shared::NotSent;
pub(crate) use shared::{Next, Opened, Shared};
pub use slow::Slow;
pub(crate) use source::{Leftover, Reached, SharedFrame, Source};
pub use whose::Expiry;
#[cfg(feature = "openapi")]
pub(crate) use words::END;
pub(crate) use words::{BYE, END_ID, FAILURE, FULL, LastWord};
