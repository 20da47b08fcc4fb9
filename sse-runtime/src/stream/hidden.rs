//! A stream as its handle holds it: out of the compiler's sight.
//!
//! Whether a handler's future is `Send` is worked out for every handler anew, and in a type that holds a `'static`
//! reference or a trait object somewhere, the compiler walks through all the fields on the way there, each time. For all
//! that a stream is made of, that took two million instructions a handler, 7 % of the time in which 200 handlers are
//! checked (`benches/compile_time`). Behind a trait object it is one step, whatever a stream is made of; the price is a
//! virtual call for each event.

use std::sync::Arc;

use tokio::time::Instant;

use super::shared::Shared;

/// A [`Shared`] whose fields no one outside has to walk through.
pub(crate) trait Hidden: Send + Sync {
    fn shared(&self) -> &Shared;
    /// Where the stream itself has to be kept.
    fn expire_at(self: Arc<Self>, when: Instant);
}

impl Hidden for Shared {
    fn shared(&self) -> &Shared {
        self
    }

    fn expire_at(self: Arc<Self>, when: Instant) {
        Shared::end_at(&self, when);
    }
}
