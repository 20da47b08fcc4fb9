//! Handlers that outlive their connections.
//!
//! ```text
//!  request that begins ─▶ RunState ─▶ drive: polls the handler, which sends into a stream that no client reads,
//!                            │               and writes each event into the run's log, a topic of its own
//!                            ▼
//!  any request that names it ─▶ attend: a client's own stream, which follows that log from where the client left off
//! ```
//!
//! | file | what |
//! |---|---|
//! | `id`, `owner`, `meta` | which run, whose, and what its route says of it |
//! | `runs` | all runs of a process |
//! | `claim` | which of several requests with one key begins a run |
//! | `run` | one run: what its handler, its clients and its driver share |
//! | `drive`, `blocks` | the handler's side |
//! | `attach` | a client's side |
//! | `course`, `signs` | what nodes tell each other of a run, and of themselves |
//! | `elsewhere` | runs of others |
//! | `inspected` | what the inspector sees of runs, and does to one |

mod attach;
mod blocks;
mod claim;
mod course;
mod drive;
mod elsewhere;
mod id;
#[cfg(feature = "inspector")]
mod inspected;
mod meta;
mod owner;
mod run;
#[allow(clippy::module_inception)]
mod runs;
mod signs;

pub(crate) use attach::attend;
pub(crate) use claim::{Awaited, Claim};
pub(crate) use elsewhere::Elsewhere;
#[cfg(feature = "openapi")]
pub(crate) use elsewhere::LOST;
pub use id::RunId;
#[cfg(feature = "inspector")]
pub(crate) use inspected::runs_of;
pub use meta::RunMeta;
pub(crate) use owner::Owner;
pub use owner::Principal;
pub(crate) use run::{Attached, RunState};
pub use run::{Run, RunInfo};
pub(crate) use runs::Entered;
pub use runs::Runs;
