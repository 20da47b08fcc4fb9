//! What can go wrong behind a hub.

use std::fmt;
use std::sync::Arc;

/// An engine could not do what it was asked for.
///
/// ```
/// use sse_runtime::engine::EngineError;
///
/// let error = EngineError::new(std::io::Error::other("connection refused"));
/// assert_eq!(error.to_string(), "connection refused");
/// ```
#[derive(Clone)]
pub struct EngineError {
    error: Arc<dyn std::error::Error + Send + Sync>,
    refused: bool,
}

impl EngineError {
    /// Wraps what went wrong: an error, or a text that says it.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { error: Arc::from(error.into()), refused: false }
    }

    /// The same for a [`publish`](super::Engine::publish) whose outcome is known: the record is not in the log, and will not
    /// be. One that is too large, for instance.
    pub fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { refused: true, ..Self::new(error) }
    }

    /// Whether it is certain that nothing was done.
    pub(crate) fn is_refusal(&self) -> bool {
        self.refused
    }

    /// The error that was wrapped, if it is of this type.
    ///
    /// ```
    /// use std::io;
    /// use sse_runtime::engine::EngineError;
    ///
    /// let error = EngineError::new(io::Error::from(io::ErrorKind::StorageFull));
    /// assert_eq!(error.downcast_ref::<io::Error>().map(io::Error::kind), Some(io::ErrorKind::StorageFull));
    /// ```
    #[must_use]
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
