//! What can go wrong with the server.

use std::time::Duration;

use async_nats::{ConnectError, ConnectErrorKind};

use crate::engine::EngineError;

/// Why a log on NATS could not be opened, or could not do what it was asked for: what an
/// [`EngineError`](crate::engine::EngineError) of [`Nats`](super::Nats) wraps. No text has a password.
///
/// ```
/// use sse_runtime::Hub;
/// use sse_runtime::engine::{Nats, NatsError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = Hub::on(Nats::connect("nats://127.0.0.1:1")).start().await.unwrap_err();
/// assert!(matches!(error.downcast_ref(), Some(NatsError::Unreachable { .. })), "{error}");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// What was given as addresses is none, or a name cannot be one.
    #[error("NATS cannot be reached by what was configured: {reason}")]
    Configuration {
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers there, or the connection was lost.
    #[error("the NATS server {server} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// The server does not know this user, or not this password, token or key.
    #[error(
        "the NATS server {server} refuses the login: see the user, password, token or credentials it is given"
    )]
    LoginRefused {
        /// Host and port.
        server: String,
    },
    /// The server has no JetStream, or this account may not use it.
    #[error("the NATS server {server} has no JetStream for this account: {reason}")]
    NoJetStream {
        /// Host and port.
        server: String,
        /// What is missing.
        reason: String,
    },
    /// There is a stream of this name which is not a log of this library, or has settings that a log cannot have. It was
    /// left as it is.
    #[error("the stream {stream:?} is not an event log: {reason}; it was left as it is, so name another one")]
    Foreign {
        /// Its name.
        stream: String,
        /// What it is instead.
        reason: String,
    },
    /// The event, with what goes with it, is larger than the server takes. It was not published.
    #[error("the event takes {size} bytes, and the NATS server takes {most} (its `max_payload`)")]
    TooLarge {
        /// In bytes, with its topic, key and headers.
        size: usize,
        /// The server's limit, in bytes; 0 if only the server knows it.
        most: usize,
    },
    /// The server, the account or the stream has no room. It was not published.
    #[error("the stream {stream:?} has no room: {reason}")]
    Full {
        /// Its name.
        stream: String,
        /// What the server said.
        reason: String,
    },
    /// The server refused it for another reason.
    #[error("the NATS server refused to {doing}: {reason} (error {code})")]
    Refused {
        /// What it was asked for.
        doing: &'static str,
        /// Its `err_code`.
        code: u64,
        /// What it said.
        reason: String,
    },
    /// There was no answer in time. What was to be published may be in the log, or get there yet.
    #[error("the NATS server has not answered within {after:?} when it was asked to {doing}")]
    TimedOut {
        /// What it was asked for.
        doing: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// No hub has started the engine, or its hub is gone.
    #[error("the log on NATS is not open: no hub has started it, or its hub is gone")]
    Closed,
}

impl NatsError {
    /// For who published.
    pub(super) fn of_publish(self) -> EngineError {
        if matches!(self, Self::TooLarge { .. }) {
            EngineError::refused(self)
        } else {
            EngineError::new(self)
        }
    }

    /// What the client says of a connection that did not come about.
    pub(super) fn of_connect(server: String, error: &ConnectError) -> Self {
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                Self::LoginRefused { server }
            }
            ConnectErrorKind::ServerParse => Self::Configuration { reason: error.to_string() },
            _ => Self::Unreachable { server, reason: error.to_string() },
        }
    }

    pub(super) fn lost(server: &str) -> Self {
        Self::Unreachable { server: server.to_owned(), reason: "the connection was lost".to_owned() }
    }
}
