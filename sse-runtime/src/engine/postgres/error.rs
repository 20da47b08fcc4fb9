//! What can go wrong with the server, and what it says of itself.

use std::time::Duration;

use tokio_postgres::error::{Error as Failure, SqlState};

use crate::engine::EngineError;

/// Why a log on PostgreSQL could not be opened, or could not do what it was asked for: what an
/// [`EngineError`](crate::engine::EngineError) of [`Postgres`](super::Postgres) wraps. No password is in it.
///
/// ```
/// use sse_runtime::Hub;
/// use sse_runtime::engine::{Postgres, PostgresError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // Nobody listens there.
/// let error = Hub::on(Postgres::connect("postgres://app@127.0.0.1:1/app")).start().await.unwrap_err();
/// assert!(matches!(error.downcast_ref(), Some(PostgresError::Unreachable { .. })), "{error}");
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The text after `postgres:` says no server, or not so that it can be understood.
    #[error("this is no address of a PostgreSQL server: {reason}; write `postgres://user@host/database`")]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// The name cannot be one of a schema.
    #[error("\"{schema}\" cannot be the schema of a log: it needs 1 to 63 bytes, and neither `$` nor NUL")]
    Schema {
        /// The name.
        schema: String,
    },
    /// Nobody answers there, or the connection was lost.
    #[error("PostgreSQL at {address} cannot be reached: {reason}")]
    Unreachable {
        /// Hosts and ports.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The server does not let this user in: wrong password, unknown user, or a rule of its `pg_hba.conf`.
    #[error("PostgreSQL at {address} refuses the login: {reason}")]
    Refused {
        /// Hosts and ports.
        address: String,
        /// What the server said.
        reason: String,
    },
    /// There is no such database, and it is not made.
    #[error("PostgreSQL at {address} has no such database: {reason}; create it, or name another one")]
    NoDatabase {
        /// Hosts and ports.
        address: String,
        /// What the server said.
        reason: String,
    },
    /// The address asks for TLS, and there is nothing to do it with; or TLS failed.
    #[error("no TLS with PostgreSQL at {address}: {reason}")]
    Tls {
        /// Hosts and ports.
        address: String,
        /// What is missing, or what went wrong.
        reason: String,
    },
    /// The server is too old.
    #[error("PostgreSQL at {address} has the version {version}, and a log needs 13 or later")]
    TooOld {
        /// Hosts and ports.
        address: String,
        /// What the server says it is.
        version: String,
    },
    /// The tables are not there, and the user may not create them; or it may not use them.
    #[error(
        "the user may not create or use the log in the schema \"{schema}\": {reason}; have its owner run what `Postgres::setup_sql` says"
    )]
    NotAllowed {
        /// The schema.
        schema: String,
        /// What the server said.
        reason: String,
    },
    /// The schema holds something else. It was left as it is.
    #[error(
        "the schema \"{schema}\" holds something that is no event log: {reason}; it was left as it is, so name another one"
    )]
    Foreign {
        /// The schema.
        schema: String,
        /// What was found.
        reason: String,
    },
    /// A later version of this library has written the log. It was left as it is.
    #[error(
        "the log in the schema \"{schema}\" has the format {format}, and this version reads formats up to {known}: use the newer version"
    )]
    Newer {
        /// The schema.
        schema: String,
        /// The log's format.
        format: i32,
        /// The newest that this version reads.
        known: i32,
    },
    /// Under a hub that runs, another log has taken the place of its own. It works again when it is started anew.
    #[error(
        "another log has taken the place of the one in the schema \"{schema}\": restart this process, and clients begin anew"
    )]
    Replaced {
        /// The schema.
        schema: String,
    },
    /// The event is larger than [`largest`](super::Postgres::largest) allows. It was not published.
    #[error("the event has {bytes} bytes with its topic and keys, and the log takes {most} at most")]
    TooLarge {
        /// The event's size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The server's disk is full.
    #[error("the disk of PostgreSQL is full: {reason}")]
    DiskFull {
        /// What the server said.
        reason: String,
    },
    /// The server only reads: it is a standby, or was told so.
    #[error("PostgreSQL at {address} is read-only, a standby perhaps: {reason}")]
    ReadOnly {
        /// Hosts and ports.
        address: String,
        /// What the server said.
        reason: String,
    },
    /// There was no answer in time. What was to be published may be published or not.
    #[error("PostgreSQL did not answer within {limit:?}{}", because(.reason))]
    Timeout {
        /// How long it had.
        limit: Duration,
        /// What went wrong last, if something did.
        reason: Option<String>,
    },
    /// The server said something else.
    #[error("PostgreSQL says: {reason}")]
    Server {
        /// What it said.
        reason: String,
        /// The five characters by which PostgreSQL names it.
        code: Option<String>,
    },
    /// No hub has started the engine, or its hub is gone.
    #[error("the log is not open: no hub has started it, or its hub is gone")]
    Closed,
}

fn because(reason: &Option<String>) -> String {
    reason.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default()
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Connect again, and ask again.
    Connect,
    /// The tables are not as they should be: look at them, and ask again.
    Settle,
    /// Ask again, over the same connection.
    Again,
    /// It will be the same the next time.
    GiveUp,
}

pub(super) fn way(failure: &Failure) -> Way {
    let Some(code) = failure.code() else { return Way::Connect };
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::QUERY_CANCELED
        | SqlState::OBJECT_IN_USE => Way::Again,
        SqlState::UNDEFINED_TABLE
        | SqlState::UNDEFINED_FUNCTION
        | SqlState::UNDEFINED_COLUMN
        | SqlState::UNDEFINED_OBJECT
        | SqlState::INVALID_SCHEMA_NAME
        | SqlState::FEATURE_NOT_SUPPORTED => Way::Settle,
        // The server goes down, or begins, or has become a standby: another one may have its address in a moment.
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::DATABASE_DROPPED
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::READ_ONLY_SQL_TRANSACTION => Way::Connect,
        _ if code.code().starts_with("08") => Way::Connect,
        _ => Way::GiveUp,
    }
}

/// What the server or the system said, with its reasons.
pub(super) fn text(failure: &Failure) -> String {
    if let Some(said) = failure.as_db_error() {
        return said.message().to_owned();
    }
    let mut text = failure.to_string();
    let mut cause = std::error::Error::source(failure);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

impl PostgresError {
    /// For who published.
    pub(super) fn of_publish(self) -> EngineError {
        if matches!(self, Self::TooLarge { .. }) {
            EngineError::refused(self)
        } else {
            EngineError::new(self)
        }
    }

    /// What the driver says, of this server and schema.
    pub(super) fn of(address: &str, schema: &str, failure: &Failure) -> Self {
        let (address, schema, reason) = (address.to_owned(), schema.to_owned(), text(failure));
        let Some(code) = failure.code() else {
            return if reason.contains("TLS") {
                Self::Tls { address, reason }
            } else if reason.starts_with("invalid configuration") || reason.contains("password missing") {
                // A password that the server wants and nobody has given.
                Self::Refused { address, reason }
            } else {
                Self::Unreachable { address, reason }
            };
        };
        match *code {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                Self::Refused { address, reason }
            }
            SqlState::INVALID_CATALOG_NAME => Self::NoDatabase { address, reason },
            SqlState::INSUFFICIENT_PRIVILEGE => Self::NotAllowed { schema, reason },
            SqlState::DISK_FULL => Self::DiskFull { reason },
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly { address, reason },
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::TOO_MANY_CONNECTIONS => Self::Unreachable { address, reason },
            _ => Self::Server { reason, code: Some(code.code().to_owned()) },
        }
    }
}
