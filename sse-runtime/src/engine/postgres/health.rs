//! Whether the engine works: if both its connections do, the one that writes and the one that listens.

use std::sync::{Mutex, PoisonError};

use super::error::PostgresError;
use crate::engine::{EngineError, Feed};

#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Writing,
    Listening,
}

pub(super) struct Outages {
    feed: Feed,
    /// What is wrong with each.
    wrong: Mutex<[Option<PostgresError>; 2]>,
}

impl Outages {
    pub(super) fn new(feed: Feed) -> Self {
        Self { feed, wrong: Mutex::default() }
    }

    /// Says how a part is. What the hub is told is told in order: it takes no lock that could be waited for here.
    pub(super) fn say(&self, part: Part, outcome: Result<(), &PostgresError>) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let before = wrong.iter().any(Option::is_some);
        wrong[part as usize] = outcome.err().cloned();
        match wrong.iter().flatten().next() {
            Some(error) => self.feed.down(EngineError::new(error.clone())),
            None if before => self.feed.up(),
            None => {}
        }
    }

    /// What went wrong last, if it does not work.
    pub(super) fn reason(&self) -> Option<String> {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.iter().flatten().next().map(ToString::to_string)
    }
}
