//! What an engine has when a hub has started it: once.

use std::sync::OnceLock;

use super::{EngineError, Log};

/// Nothing, until a hub has started the engine.
pub(super) struct Started<T>(OnceLock<T>);

impl<T> Started<T> {
    pub(super) const fn not_yet() -> Self {
        Self(OnceLock::new())
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.0.get()
    }

    /// Starts it, for one hub.
    pub(super) async fn start<E>(
        &self,
        starting: impl Future<Output = Result<(T, Log), E>>,
    ) -> Result<Log, EngineError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        if self.0.get().is_some() {
            return Err(EngineError::new("the engine has been started before: make one for each hub"));
        }
        let (running, log) = starting.await.map_err(EngineError::new)?;
        let started = self.0.set(running);
        started.map_err(|_| EngineError::new("the engine is started by two hubs: make one for each"))?;
        Ok(log)
    }
}
