//! The contract of an [`Engine`], as tests: what an engine of your own has to pass before a [`Hub`](crate::Hub) may
//! stand on it.
//!
//! ```
//! use sse_runtime::engine::Memory;
//! use sse_runtime::testing::engine_contract::{self, Subject};
//!
//! struct InMemory;
//!
//! impl Subject for InMemory {
//!     type Engine = Memory;
//!
//!     async fn fresh(&self) -> Memory {
//!         Memory::new()
//!     }
//!
//!     fn keeps(&self) -> usize {
//!         0 // it has no history to read
//!     }
//! }
//!
//! // In a test: #[tokio::test]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! engine_contract::check(InMemory).await;
//! # }
//! ```
//!
//! For an engine without a second node, or a restart, a closure does:
//! `check(|| async { MyEngine::connect(fresh_name()).await.unwrap() })`.
//!
//! A clause that does not hold panics and is named. Everything that is waited for has a limit, [`Subject::limit`]; an
//! engine that talks to a server needs a clock that runs, not a paused one.
//!
//! Not everything can be seen from outside. That no method blocks its thread, and that records survive a crash of the
//! server, is for the engine's own tests.

mod content;
mod delivery;
mod ledger;
mod node;
mod numbers;
mod once;
mod opening;
mod reading;
mod waiting;

use std::fmt;
use std::future::ready;
use std::time::Duration;

pub use content::{keys_and_blocks_arrive_unchanged, names_are_any_text, traces_arrive_unchanged};
pub use delivery::{
    concurrent_publishers_share_one_order, delivery_is_complete_ordered_and_once,
    delivery_reaches_every_node, nothing_from_before_the_start_is_delivered,
};
pub use numbers::{
    epochs_tell_logs_apart, numbers_begin_at_one_and_rise, numbers_go_on_after_a_restart, top_is_never_behind,
};
pub use once::a_record_with_a_key_is_there_once;
pub use opening::{
    opened_again_it_is_still_delivered_once, opening_loses_nothing, opening_waits_for_delivery,
};
pub use reading::{
    reading_begins_and_ends_where_it_is_told, reading_never_leaves_a_hole, reading_shows_what_was_delivered,
};
pub use waiting::{a_hub_that_is_gone_does_no_harm, answers_may_be_dropped};

use crate::engine::Engine;

/// An engine to be checked: where to get it from, and what can be done to it.
///
/// Only [`fresh`](Self::fresh) is needed. What the others cannot do, by default, is not checked.
pub trait Subject {
    /// The engine.
    type Engine: Engine;

    /// An engine on a log that nothing was written to, and that nobody else uses.
    fn fresh(&self) -> impl Future<Output = Self::Engine>;

    /// One more engine on the log of `first`, as a second process has it.
    fn second(&self, first: &Self::Engine) -> impl Future<Output = Option<Self::Engine>> {
        let _ = first;
        ready(None)
    }

    /// Ends an engine, and begins again on its log, as a process does that is restarted.
    fn restart(&self, engine: Self::Engine) -> impl Future<Output = Option<Self::Engine>> {
        drop(engine);
        ready(None)
    }

    /// Makes the log forget its records up to the number `until`. Whether it did.
    fn evict(&self, engine: &Self::Engine, until: u64) -> impl Future<Output = bool> {
        let _ = (engine, until);
        ready(false)
    }

    /// How many of its newest records the log has for sure. Up to there, reading has to find them; beyond, it may say
    /// that they are gone. 1000 by default, which is more than any check asks for; 0 for an engine without a history.
    fn keeps(&self) -> usize {
        1000
    }

    /// How long each thing may take. 10 s by default.
    fn limit(&self) -> Duration {
        Duration::from_secs(10)
    }
}

impl<F, Fut, E> Subject for F
where
    F: Fn() -> Fut,
    Fut: Future<Output = E>,
    E: Engine,
{
    type Engine = E;

    fn fresh(&self) -> impl Future<Output = E> {
        self()
    }
}

/// Checks every clause, each on a fresh log. To be called within a tokio runtime.
///
/// # Panics
/// If a clause does not hold.
pub async fn check(subject: impl Subject) {
    let subject = &subject;
    // What the others build on comes first.
    numbers_begin_at_one_and_rise(subject).await;
    top_is_never_behind(subject).await;
    epochs_tell_logs_apart(subject).await;
    delivery_is_complete_ordered_and_once(subject).await;
    keys_and_blocks_arrive_unchanged(subject).await;
    traces_arrive_unchanged(subject).await;
    names_are_any_text(subject).await;
    concurrent_publishers_share_one_order(subject).await;
    nothing_from_before_the_start_is_delivered(subject).await;
    delivery_reaches_every_node(subject).await;
    opening_loses_nothing(subject).await;
    opening_waits_for_delivery(subject).await;
    opened_again_it_is_still_delivered_once(subject).await;
    reading_begins_and_ends_where_it_is_told(subject).await;
    reading_never_leaves_a_hole(subject).await;
    reading_shows_what_was_delivered(subject).await;
    numbers_go_on_after_a_restart(subject).await;
    a_record_with_a_key_is_there_once(subject).await;
    answers_may_be_dropped(subject).await;
    a_hub_that_is_gone_does_no_harm(subject).await;
}

/// A clause of the contract, as it is numbered there.
#[derive(Clone, Copy, Debug)]
enum Clause {
    Order = 1,
    Epoch,
    Delivery,
    Opening,
    Reading,
    Failure,
    Waiting,
    Text,
    Once,
}

/// What every check ends with that does not hold.
fn broken(clause: Clause, what: impl fmt::Display) -> ! {
    panic!("the engine breaks its contract, clause {} ({clause:?}): {what}", clause as u8)
}
