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
//! | `components`, `references` | schemas under names, each of which means one thing |
//! | `events`, `item` | the schema of a stream's items |
//! | `visits` | what else a path answers: coming back to a run, its end, a reply |
//! | `runtime_events` | the events that the runtime itself says |
//! | `api` | the routes together, and the documents beside them |
//! | `document` | the finished documents, served |
//! | `page/` | Scalar, which shows the first of them |

mod api;
mod components;
mod document;
mod events;
mod item;
mod operation;
#[cfg(feature = "docs")]
mod page;
mod probes;
mod references;
mod runtime_events;
mod visits;

pub use api::Api;
pub use components::Components;
pub use operation::Operation;
pub use probes::DescribeArgument;

pub use probes::Probe;

/// What the expansion of `operation!` brings into scope: without names, which would hide the user's.
pub mod questions {
    pub use super::probes::{
        ArgumentByDefault as _, ArgumentByLibrary as _, ArgumentByUser as _, EventsByDefault as _,
        EventsByLibrary as _, EventsByName as _, OutcomeByDefault as _, OutcomeByLibrary as _,
        ParameterByDefault as _, ParameterByLibrary as _,
    };
}
