//! What runs when a stream is over.

use std::pin::Pin;

use tokio::runtime::Handle;
use tracing::{Instrument as _, Span};

use super::disconnect::Disconnect;
use crate::lifecycle::Shutdowns;

type Call = dyn FnOnce(Disconnect) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send;

/// A registered `on_disconnect` hook.
pub(crate) struct Hook {
    call: Box<Call>,
    /// The runtime it was registered in: a stream may be dropped outside of any.
    runtime: Option<Handle>,
}

impl Hook {
    pub(crate) fn new<F, Fut>(call: F) -> Self
    where
        F: FnOnce(Disconnect) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self {
            call: Box::new(move |disconnect| Box::pin(call(disconnect))),
            runtime: Handle::try_current().ok(),
        }
    }

    /// Runs it in a task of its own: the connection it belonged to is gone, and a hook that panics or is slow must
    /// concern nobody else. A drain waits for it.
    pub(crate) fn run(self, disconnect: Disconnect, shutdowns: &Shutdowns, span: Span) {
        let Self { call, runtime } = self;
        let Some(runtime) = runtime.or_else(|| Handle::try_current().ok()) else {
            tracing::error!(
                "an on_disconnect hook needs a tokio runtime, and its stream runs outside of any"
            );
            return;
        };
        let noted = shutdowns.tokens();
        let running = async move {
            call(disconnect).await;
            drop(noted);
        };
        drop(runtime.spawn(running.instrument(span)));
    }
}
