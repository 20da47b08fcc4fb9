//! What can go wrong when a feed starts.

use tokio_postgres::Error as Failure;
use tokio_postgres::error::SqlState;

/// Why a feed could not start. Once it has started, nothing is an error any more: it connects again, and the log says so.
///
/// ```
/// use sse_runtime::changes::{ChangesError, PostgresChanges};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = PostgresChanges::connect("postgres://127.0.0.1:1/app").table("orders").start().await.unwrap_err();
/// assert!(matches!(error, ChangesError::Unreachable { .. }), "{error}");
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangesError {
    /// The URL cannot be read.
    #[error(
        "the URL of the database cannot be read: {source}; it looks like `postgres://user:password@host:5432/database`"
    )]
    Url {
        /// What is wrong with it.
        source: Failure,
    },
    /// Nobody answers there.
    #[error("the database at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// The server does not let this user in.
    #[error(
        "the database at {server} refuses the login: {reason}; look at the user and the password in the URL, and at its `pg_hba.conf`"
    )]
    Login {
        /// Host and port.
        server: String,
        /// What it said.
        reason: String,
    },
    /// No table was named.
    #[error("the feed has no table: name one, `.table(\"orders\")`")]
    NoTables,
    /// There is no such table.
    #[error(
        "there is no table {table} in the database, or it is in a schema that is not searched: name it as `schema.table`"
    )]
    NoSuchTable {
        /// As it was named.
        table: String,
    },
    /// It is something else than a table.
    #[error(
        "{table} is a {kind}, which has no changes that could be seen: keep it as a table, by a trigger for instance"
    )]
    NotATable {
        /// As it was named.
        table: String,
        /// What it is.
        kind: &'static str,
    },
    /// Its rows cannot be told apart.
    #[error("the table {table} has no primary key, by which its rows could be told apart: give it one")]
    NoKey {
        /// As it was named.
        table: String,
    },
    /// The user may not do it.
    #[error(
        "the user of the feed may not {what}: {reason}; either grant it, or have an administrator run the SQL of `PostgresChanges::SQL`, whose head says how"
    )]
    NoRights {
        /// What it wanted to do.
        what: &'static str,
        /// What the server said.
        reason: String,
    },
    /// A later version of this library has been here.
    #[error(
        "the outbox has the format {found}, and this version knows those up to {known}: use the newer version"
    )]
    Newer {
        /// The format of the outbox.
        found: i32,
        /// The newest that this version knows.
        known: i32,
    },
    /// The server is too old, or something else.
    #[error("the database at {server} cannot be used: {reason}")]
    Other {
        /// Host and port.
        server: String,
        /// What it said.
        reason: String,
    },
}

impl ChangesError {
    /// What happened while `what` was done.
    pub(super) fn of(server: &str, what: &'static str, failure: &Failure) -> Self {
        let (server, reason) = (server.to_owned(), whole(failure));
        match failure.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Self::NoRights { what, reason },
            Some(code) if code.code().starts_with("28") => Self::Login { server, reason },
            Some(&SqlState::INVALID_CATALOG_NAME | &SqlState::UNDEFINED_FUNCTION) => {
                Self::Other { server, reason }
            }
            Some(_) => Self::Other { server, reason },
            None => Self::Unreachable { server, reason },
        }
    }
}

/// An error with its causes: what tokio-postgres itself says is "db error".
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.trim_start_matches("db error: ").to_owned()
}
