//! The handle's side before the head is sent.

use axum::response::Response;

use super::Shared;
use super::state::State;
use crate::error::SendError;
use crate::stream::head::{Head, HeadError};

impl Shared {
    /// Changes what the head will say, if that is still possible.
    pub(crate) fn change_head(&self, change: impl FnOnce(&mut Head)) -> Result<(), SendError> {
        let mut state = self.state();
        state.may_change_head()?;
        change(state.head.get_or_insert_default());
        Ok(())
    }

    /// Has the request answered by `response`, in place of a stream.
    pub(crate) fn answer(&self, response: Response) -> Result<(), SendError> {
        let replaced = {
            let mut state = self.state();
            state.may_change_head()?;
            // Nothing can be sent from here on.
            state.finished = true;
            state.head.get_or_insert_default().answer.replace(response)
        };
        // Only now that the lock is free: a response's parts are foreign code when they are dropped.
        drop(replaced);
        Ok(())
    }

    /// What the handler has said of the head of its stream.
    pub(crate) fn take_head(&self) -> Option<Box<Head>> {
        self.state().head.take()
    }
}

impl State {
    fn may_change_head(&self) -> Result<(), SendError> {
        if self.over.is_some() || self.said {
            return Err(SendError::Closed);
        }
        if self.opened {
            return Err(HeadError::Sent.into());
        }
        Ok(())
    }

    /// Whether the request will be answered by a response that is no stream.
    pub(super) fn is_answered(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.answer.is_some())
    }

    pub(super) fn take_answer(&mut self) -> Option<Response> {
        if !self.is_answered() {
            return None;
        }
        self.head.take().and_then(|head| head.into_answer())
    }
}
