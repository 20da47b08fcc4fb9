//! How a stream looks from outside, and what is known of its client.

use tokio::time::Instant;

use super::Shared;
use crate::lifecycle::StreamInfo;

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
