//! A stream whose handler is a run, and the streams of those who follow it.

use std::sync::Weak;

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Shared;
use crate::runs::RunState;
use crate::stream::disconnect::DisconnectReason;
use crate::stream::head::Head;

impl Shared {
    pub(crate) fn set_run(&self, run: Weak<RunState>) {
        self.state().run = Some(run);
    }

    pub(crate) fn run(&self) -> Option<Weak<RunState>> {
        self.state().run.clone()
    }

    /// Events and bytes that have been handed on.
    pub(crate) fn handed(&self) -> (u64, u64) {
        let state = self.state();
        (state.events_handed, state.bytes_handed)
    }

    /// Why it is over, if it is.
    pub(crate) fn reason(&self) -> Option<DisconnectReason> {
        self.state().over.as_ref().map(|over| over.reason)
    }

    /// Held by what a shutdown has to wait for.
    pub(crate) fn shutdown_tokens(&self) -> Vec<TaskTrackerToken> {
        self.shutdowns.tokens()
    }

    /// Takes over what the handler of a run has said of the head, if it is not sent yet.
    pub(crate) fn set_head(&self, head: Box<Head>) {
        // Too late, it is of no use.
        drop(self.change_head(|own| *own = *head));
    }

    /// The run that it follows has come to its end, whose last word has been said.
    pub(crate) fn end_with(&self, reason: DisconnectReason) {
        if self.meta.bare && reason != DisconnectReason::Completed {
            // As a stream that is its own handler's: cut, so that it is not taken for whole.
            self.end(reason);
        } else {
            self.state().finished = true;
        }
    }
}
