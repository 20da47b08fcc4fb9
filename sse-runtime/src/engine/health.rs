//! Whether an engine can do its work.

use std::time::SystemTime;

use super::EngineError;

/// How the engine of a hub is; from [`Hub::health`](crate::Hub::health).
///
/// While it is down, streams stay open and are kept alive, and what the hub holds is replayed from there. To publish, and
/// to read what only the engine has, waits for a while and then fails.
///
/// ```
/// use axum::{Json, extract::State, http::StatusCode};
/// use sse_runtime::{Hub, engine::Health};
///
/// async fn ready(State(hub): State<Hub>) -> (StatusCode, String) {
///     match hub.health() {
///         Health::Up => (StatusCode::OK, "ok".to_owned()),
///         down => (StatusCode::SERVICE_UNAVAILABLE, down.to_string()),
///     }
/// }
/// # let _ = ready;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Health {
    /// It works, as far as is known.
    Up,
    /// It does not, and tries again by itself.
    Down {
        /// Since when, by the system's clock.
        since: SystemTime,
        /// What went wrong last.
        reason: EngineError,
    },
}

impl Health {
    /// Whether it is [`Up`](Self::Up).
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }
}

/// `up`, or `down for 3 s: connection refused`.
impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down { since, reason } => {
                let seconds = since.elapsed().unwrap_or_default().as_secs();
                write!(f, "down for {seconds} s: {reason}")
            }
        }
    }
}
