//! Clients that answer into their streams.
//!
//! ```text
//!  GET ─▶ layer: a slot ─▶ handler(.., replies: Replies<T>) ─▶ stream, which announces its token
//!                                     ▲ inbox
//!  POST ?reply=<token> ─▶ layer ──────┘ ◀── answer: what the handler responds, or 202
//!                           └─ not here: through the log of the hub, to the node that has the stream
//! ```
//!
//! | file | what |
//! |---|---|
//! | `handle` | what the handler has |
//! | `inbox` | what waits for it: in order, once, so many |
//! | `route` | the layer around a route, and a POST that is a reply |
//! | `answer`, `words` | what is sent back, and what is announced |
//! | `elsewhere` | the same through other nodes |

mod answer;
mod elsewhere;
mod handle;
mod inbox;
mod route;
mod words;

pub use handle::{Replies, Reply, ReplyArgument};
pub(crate) use route::Slot;
pub use route::{ReplyMeta, with_replies};
#[cfg(feature = "openapi")]
pub(crate) use words::REPLIES;
