//! What is counted of streams and hubs, for the recorder that a program has installed (feature `metrics`).
//!
//! | file | what |
//! |---|---|
//! | `table` | every metric: its name, its labels, what it says |
//! | `meters` | the hooks that the rest of the crate calls |
//! | `hub` | `Hub::record_metrics` |
//! | `off` | the same hooks without the feature: nothing |
//!
//! A recorder is foreign code, and so it is called under no lock. An event is not counted here at all: a stream keeps
//! its numbers anyway, and what has been added to them is brought to the counters when the ticker looks at the stream,
//! and at its end.

#[cfg(feature = "metrics")]
mod hub;
#[cfg(feature = "metrics")]
mod meters;
#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod table;

#[cfg(feature = "metrics")]
pub(crate) use meters::{Added, RouteMeter, StreamMeter, Tally};
#[cfg(not(feature = "metrics"))]
pub(crate) use off::{Added, RouteMeter, StreamMeter, Tally};
