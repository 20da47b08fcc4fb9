//! What can go wrong with the server.

use std::time::Duration;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::engine::EngineError;

/// Why a log on Redis could not be begun, or could not do what it was asked for: what an
/// [`EngineError`](crate::engine::EngineError) of [`Redis`](super::Redis) wraps.
///
/// No text of it has the password.
///
/// ```
/// use sse_runtime::Hub;
/// use sse_runtime::engine::{Redis, RedisFailure};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = Hub::on(Redis::connect("redis://localhost:1")).start().await.unwrap_err();
/// assert!(matches!(error.downcast_ref(), Some(RedisFailure::Unreachable { .. })), "{error}");
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisFailure {
    /// The URL names no server.
    #[error("the URL of the Redis server cannot be used: {reason}")]
    Url {
        /// What it should be.
        reason: &'static str,
    },
    /// The log's name cannot be one.
    #[error("\"{prefix}\" cannot be the prefix of a log: it is a name without braces, and not empty")]
    Prefix {
        /// The name.
        prefix: String,
    },
    /// Nobody answers there, or the connection is lost.
    #[error("the Redis server {address} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port, or the socket's path.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The server wants another login, or this one may not do what is needed.
    #[error("the Redis server {address} refuses the login: {reason}")]
    Refused {
        /// Host and port, or the socket's path.
        address: String,
        /// What the server said.
        reason: String,
    },
    /// Something else answers there.
    #[error("what answers at {address} is not Redis: {reason}")]
    NotRedis {
        /// Host and port, or the socket's path.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The server is too old.
    #[error("the Redis server {address} has the version {version}, and {needed} or later is needed")]
    TooOld {
        /// Host and port, or the socket's path.
        address: String,
        /// Its version.
        version: String,
        /// The oldest that will do.
        needed: &'static str,
    },
    /// The server is a replica, or has become one.
    #[error("the Redis server {address} is a replica, which takes no events: connect to its master")]
    ReadOnly {
        /// Host and port, or the socket's path.
        address: String,
    },
    /// There is something else where the log keeps its data. It was left as it is.
    #[error("the key {key:?} of the Redis server {address} is not of an event log: take another prefix")]
    Foreign {
        /// Host and port, or the socket's path.
        address: String,
        /// The key, or the first part of it.
        key: String,
    },
    /// A later version of this library has written the log. It was left as it is.
    #[error(
        "the log on the Redis server {address} has the format {format}, and this version reads the format {known}: use the newer version"
    )]
    Newer {
        /// Host and port, or the socket's path.
        address: String,
        /// The log's format.
        format: String,
        /// What this version reads.
        known: u64,
    },
    /// The record is larger than the log takes. It was not published.
    #[error("the event takes {bytes} bytes in the log, and {limit} is the most: see `Redis::record_bytes`")]
    TooLarge {
        /// What it takes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The server has no memory left, by its setting `maxmemory`. The event was not published.
    #[error("the Redis server {address} is out of memory (`maxmemory`), so it takes no events")]
    OutOfMemory {
        /// Host and port, or the socket's path.
        address: String,
    },
    /// The server has lost the log, with what was being published.
    #[error("the Redis server {address} has lost its data while the event was published")]
    Lost {
        /// Host and port, or the socket's path.
        address: String,
    },
    /// There was no answer in time.
    #[error("the Redis server {address} did not answer within {limit:?}")]
    Timeout {
        /// Host and port, or the socket's path.
        address: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The server answered with an error.
    #[error("the Redis server {address} says: {reason}")]
    Server {
        /// Host and port, or the socket's path.
        address: String,
        /// What it said.
        reason: String,
    },
    /// No hub has started the engine, or its hub is gone.
    #[error("the log on the Redis server {address} is not open: no hub has started it, or its hub is gone")]
    Closed {
        /// Host and port, or the socket's path.
        address: String,
    },
}

/// What an error means for the connection on which it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The connection is lost, or not of use: another one is needed. Whether the command was done is not known.
    Lost,
    /// Another one is needed, and the command was not done.
    Refused,
    /// The server does not know the script.
    NoScript,
    /// A group came before the one that it follows.
    OutOfTurn,
    /// The command was not done, and will not be.
    Final,
}

pub(super) fn meaning(error: &RedisError) -> Meaning {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::Client => Meaning::Lost,
        ErrorKind::Server(ServerErrorKind::NoScript) => Meaning::NoScript,
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain
            | ServerErrorKind::Moved,
        ) => Meaning::Refused,
        _ => match error.code() {
            // Another node began the log anew.
            Some("SSEGONE" | "BUSY" | "NOREPLICAS" | "NOAUTH") => Meaning::Refused,
            Some("SSEWAIT") => Meaning::OutOfTurn,
            _ => Meaning::Final,
        },
    }
}

impl RedisFailure {
    /// For who published.
    pub(super) fn of_publish(self) -> EngineError {
        if matches!(self, Self::TooLarge { .. }) {
            EngineError::refused(self)
        } else {
            EngineError::new(self)
        }
    }

    /// What the crate says, of the server at this address.
    pub(super) fn of(address: &str, error: &RedisError) -> Self {
        let address = address.to_owned();
        let reason = || error.to_string();
        match error.kind() {
            ErrorKind::Io => Self::Unreachable { address, reason: reason() },
            ErrorKind::Parse | ErrorKind::RESP3NotSupported => Self::NotRedis { address, reason: reason() },
            ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => {
                Self::Refused { address, reason: reason() }
            }
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::ReadOnly { address },
            _ => match error.code() {
                Some("WRONGPASS" | "NOAUTH") => Self::Refused { address, reason: reason() },
                Some("OOM") => Self::OutOfMemory { address },
                Some("SSEGONE" | "SSEOLD") => Self::Lost { address },
                _ => Self::Server { address, reason: reason() },
            },
        }
    }
}
