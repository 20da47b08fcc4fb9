//! What can go wrong with the file.

use std::io;
use std::path::{Path, PathBuf};

use ::redb::Error as Failure;

/// Why a log on a file could not be opened, or could not do what it was asked for: what an
/// [`EngineError`](crate::engine::EngineError) of [`Redb`](super::Redb) wraps.
///
/// ```
/// use sse_runtime::Hub;
/// use sse_runtime::engine::{Redb, RedbError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = Hub::on(Redb::open("Cargo.toml")).start().await.unwrap_err();
/// assert!(matches!(error.downcast_ref(), Some(RedbError::Foreign { .. })), "{error}");
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedbError {
    /// Another process has it open, or another hub of this one.
    #[error(
        "another process has the file {path:?} open, and a log on a file belongs to one: end that process, or name another file"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else. It was left as it is.
    #[error("the file {path:?} is not an event log: {reason}; it was left as it is, so name another file")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// A later version of this library has written the log. It was left as it is.
    #[error(
        "the log {path:?} has the format {format}, and this version reads formats up to {known}: use the newer version"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The log's format.
        format: u64,
        /// The newest that this version reads.
        known: u64,
    },
    /// The file is an event log, and some of it is wrong.
    #[error("the log {path:?} is damaged: {reason}; restore it, or move it away to begin a new one")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The system refuses to read or write it. `source` says why: the disk is full, for instance.
    #[error("the log {path:?} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No hub has started the engine, or its hub is gone.
    #[error("the log {path:?} is not open: no hub has started it, or its hub is gone")]
    Closed {
        /// The file.
        path: PathBuf,
    },
}

impl RedbError {
    /// What redb says, of this file.
    pub(super) fn of(path: &Path, failure: Failure) -> Self {
        let path = path.to_owned();
        match failure {
            Failure::DatabaseAlreadyOpen | Failure::LockProtocolMismatch => Self::InUse { path },
            Failure::Io(error) if is_not_a_database(&error) => {
                Self::Foreign { path, reason: "it is not a redb database".to_owned() }
            }
            Failure::Io(source) => Self::Io { path, source },
            Failure::PreviousIo => Self::Io { path, source: io::Error::other("an error before this one") },
            Failure::UpgradeRequired(version) => {
                Self::Foreign { path, reason: format!("its redb format is {version}, of an old redb") }
            }
            Failure::Corrupted(reason) => Self::Damaged { path, reason },
            other @ (Failure::TableDoesNotExist(_)
            | Failure::TableTypeMismatch { .. }
            | Failure::TypeDefinitionChanged { .. }
            | Failure::TableIsMultimap(_)
            | Failure::TableIsNotMultimap(_)) => Self::Damaged { path, reason: other.to_string() },
            other => Self::Io { path, source: io::Error::other(other.to_string()) },
        }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }

    pub(super) fn closed(path: &Path) -> Self {
        Self::Closed { path: path.to_owned() }
    }
}

/// redb says so by an error that the system could give, too, but does not.
fn is_not_a_database(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData && error.raw_os_error().is_none()
}
