//! Rows of a database as they change: one reader for the whole server, and a topic that brings what it reads to everybody.
//!
//! ```text
//!  INSERT, UPDATE, DELETE ──▶ trigger ──▶ outbox ──▶ PostgresFeed ──▶ Topic ──▶ every browser
//!                                (same transaction)     │ one reader, whose position the database keeps
//!                                                       └ others stand by, and take over
//! ```
//!
//! # Why an outbox, and not logical replication
//!
//! Both were measured, and neither loses anything when the server is killed. What decided:
//!
//! | | trigger and outbox | logical replication (`pgwire-replication` 0.5) |
//! |---|---|---|
//! | the server as it comes | yes | `wal_level = logical`, which is a restart, and a role with REPLICATION |
//! | nobody reads for a week | the outbox keeps a million changes, and says what it let go | the slot keeps the log until the disk is full, unless `max_slot_wal_keep_size` says when it breaks |
//! | a database that somebody else runs | yes | often not |
//! | rows arrive as | JSON, made where the types are known | text by column; `TOAST`ed columns that did not change are left out |
//! | costs the transaction that writes | a row more for each row: see [the guide](crate::guide::database_changes#what-it-costs) | nearly nothing |
//! | more dependencies | none | 60 crates, with TLS; Rust 1.88 |
//!
//! A view is in neither: only tables have triggers, and only tables are replicated.
//!
//! # Which changes are new
//!
//! The numbers of an outbox are given before the commit, so a change may appear below one that was read long ago: "everything
//! above the last number" loses it. To number under a lock would make writers wait for each other. So the position is a
//! snapshot of the server, as `pg_current_snapshot()` gives it: which transactions were finished then. New is what is
//! visible now and was written by a transaction that was not. That is exact, no writer waits, and one that
//! takes an hour delays nothing but its own changes.
//!
//! Within what is new, changes are in the order of their numbers. Who changes a row has waited for whoever changed it before,
//! and takes a number after that: so the changes of one row are in their order, in one batch or over several. It is the same
//! with any two transactions of which one began after the other had been committed.
//!
//! # Once
//!
//! Reading is at least once: what was handed out is noted when the next is asked for. Publishing is once, by
//! [`dedupe`](crate::Publishing::dedupe) keys.

mod change;
mod materialize;
mod postgres;

pub use change::{Operation, RowChange};
pub use materialize::MaterializeSubscription;
pub use postgres::{ChangesError, PostgresChanges, PostgresFeed};
