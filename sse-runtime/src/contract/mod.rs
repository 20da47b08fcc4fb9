//! What the routes of a program promise, as documents: OpenAPI 3.2, and a page that shows it.
//!
//! ```text
//! #[sse_route] ──── operation! ──▶ Operation ─┐  probes: what the types in the signature say of themselves
//! #[derive(SseEvent)] ─ shapes ──▶ Events ────┴─▶ Api ──▶ /openapi.json, /openapi.client.json, /docs
//! ```
//!
//! | file | job |
//! |---|---|
//! | `operation` | what the attribute knows of one route, put together |
//! | `probes` | what each type in the signature says: an extractor, the events, the error |
//! | `components` | schemas under names |
//! | `events`, `item` | the schema of a stream's items |
//! | `runtime_events` | the events that the runtime itself says |
//! | `api` | the routes together, and the documents beside them |
//! | `document` | the finished documents, served |
//! | `page` | the page that shows them (feature `docs`) |

mod api;
mod components;
mod document;
mod events;
mod item;
mod operation;
#[cfg(feature = "docs")]
mod page;
mod probes;
mod runtime_events;

pub use api::Api;
pub use operation::Operation;
pub use probes::DescribeArgument;

/// What the expansion of `operation!` brings into scope.
pub mod questions {
    pub use super::probes::{
        ArgumentByDefault, ArgumentByLibrary, ArgumentByUser, EventsByDefault, EventsByLibrary,
        OutcomeByDefault, OutcomeByLibrary, ParameterByDefault, ParameterByLibrary, Probe,
    };
}
