//! Topics: publish once, and everyone who follows gets it; who comes back gets what was missed.
//!
//! ```text
//!  publish ──▶ encode once ──▶ Engine ── numbers it, may keep it ──▶ deliver ──▶ Ring of the topic ──▶ wakers
//!                                                                                 │ shared frames
//!                 one topic that keeps up: `Tap`, polled by the stream's body ◀───┤
//!                 several topics, or behind: `Follower`, in the handler        ◀──┘
//! ```
//!
//! | file | what |
//! |---|---|
//! | `hub`, `settings`, `retention`, `stats`, `listing` | all topics together: names, limits, numbers |
//! | `state`, `ring` | one topic: what is kept of it, and who waits for more |
//! | `handle`, `publishing`, `beginning`, `snapshot` | what a program does with a topic |
//! | `position`, `place`, `resume` | ids: written, read, judged |
//! | `delivery` | says in the log which traced events have come to a client |
//! | `reads`, `surveys` | what only the engine has: a few at a time; how much of it there is |
//! | `log`, `records` | a topic as the log of a run |
//! | `follow`, `follower`, `tap`, `words` | what a stream does with topics, and what it tells its client |
//!
//! Locks, from the outside in: a stream's state, the engine's, the table of topics, the list of oldest events, a ring.

mod beginning;
mod delivery;
mod follow;
mod follower;
mod handle;
mod hub;
#[cfg(feature = "inspector")]
mod listing;
mod log;
pub(crate) mod place;
mod position;
mod publishing;
mod reads;
mod records;
mod resume;
mod retention;
mod ring;
mod settings;
mod snapshot;
mod state;
mod stats;
mod surveys;
mod tap;
mod words;

pub use follow::{Follow, FollowError};
pub use handle::Topic;
pub use hub::Hub;
pub(crate) use log::Log;
pub use publishing::{PublishError, Publishing};
pub(crate) use records::{Entry, ReadError, Records};
pub use resume::ResetReason;
pub use settings::HubBuilder;
pub use snapshot::SnapshotError;
pub use stats::HubStats;
#[cfg(feature = "openapi")]
pub(crate) use words::{GAP, OPEN, RESET};
