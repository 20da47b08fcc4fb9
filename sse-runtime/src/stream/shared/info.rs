//! How a stream looks from outside, and what is known of its client.

use tokio::time::Instant;

use super::Shared;
use super::state::State;
use crate::lifecycle::StreamInfo;
use crate::observe::Added;

impl Shared {
    /// The stream as it is now; `None` if it is over.
    pub(crate) fn info(&self) -> Option<StreamInfo> {
        let now = Instant::now();
        let state = self.state();
        if state.over.is_some() {
            return None;
        }
        let blocked = self.blocked_since(&state).map(|since| now.saturating_duration_since(since));
        Some(StreamInfo {
            id: self.id,
            route: self.meta.path,
            client: self.client,
            principal: state.principal.as_deref().map(str::to_owned),
            age: now.saturating_duration_since(self.started),
            events: state.events_handed,
            bytes: state.bytes_handed,
            queued: state.buffer.len(),
            behind: state.source.as_ref().map(|attached| attached.source.behind()),
            blocked: blocked.filter(|blocked| !blocked.is_zero()),
            last_event_id: state.last_id().or_else(|| self.asked.id().map(str::to_owned)),
        })
    }

    pub(crate) fn set_principal(&self, principal: String) {
        self.span_principal(&principal);
        self.state().principal = Some(principal.into());
    }
}

impl State {
    /// Has the stream counted as one that was open; `false` if it is over already.
    pub(super) fn begin(&mut self) -> bool {
        let begins = self.over.is_none();
        if begins {
            self.tally.begin();
        }
        begins
    }

    /// What is not in the counters yet, which the caller adds there when the lock is free.
    pub(super) fn take_added(&mut self) -> Added {
        self.tally.take(self.events_handed, self.bytes_handed)
    }
}
