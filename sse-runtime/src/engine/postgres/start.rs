//! The tables: there they are, or they are created, or it is said why not; and which log they are, and where it stands.
//!
//! Two nodes may start at once: one of them creates, under a lock, and the other one then finds them. Nothing is created
//! in place of something else.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::Shared;
use super::connection::{Session, Trouble};
use super::error::{PostgresError, Way, way};
use super::table::{FORMAT, number};
use crate::engine::{Log, fresh_epoch};

/// The tables and functions that make a log.
const TABLES: [&str; 5] = ["log", "events", "evicted", "known", "nodes"];
const FUNCTIONS: [&str; 4] = ["gone", "settle", "append", "evict"];

impl Shared {
    /// Finds the log, or begins it.
    pub(super) async fn begin(&self, session: &Session) -> Result<Log, PostgresError> {
        self.version(session).await?;
        let found = self.settle_or_create(session, number(fresh_epoch()), 0).await?;
        Ok(found)
    }

    /// Makes sure that the log of this hub is there, and above all that this node knows of.
    pub(super) async fn settle(&self, session: &Session) -> Result<(), PostgresError> {
        let Some(&epoch) = self.epoch.get() else { return Err(PostgresError::Closed) };
        let found = self.settle_or_create(session, epoch, number(self.known())).await?;
        if number(found.epoch) != epoch {
            return Err(PostgresError::Replaced { schema: self.options.schema.clone() });
        }
        Ok(())
    }

    async fn version(&self, session: &Session) -> Result<(), PostgresError> {
        let limit = self.options.read_timeout;
        let error = |trouble: Trouble| trouble.error(&self.connector);
        let asked = session.prepare("SELECT current_setting('server_version_num')::int, version()", limit);
        let asked = asked.await.map_err(error)?;
        let answer = session.query(&asked, &[], limit).await.map_err(error)?;
        match answer.first() {
            Some(row) if row.get::<_, i32>(0) < 130_000 => {
                Err(PostgresError::TooOld { address: self.connector.address.clone(), version: row.get(1) })
            }
            _ => Ok(()),
        }
    }

    async fn settle_or_create(
        &self,
        session: &Session,
        epoch: i64,
        known: i64,
    ) -> Result<Log, PostgresError> {
        let mut created = false;
        loop {
            match self.ask(session, epoch, known).await {
                Ok(log) => return Ok(log),
                Err(Trouble::Failed(failure)) if !created && way(&failure) == Way::Settle => {
                    self.create(session).await?;
                    created = true;
                }
                // It has all the names, and is something else.
                Err(Trouble::Failed(failure)) if way(&failure) == Way::Settle => {
                    let (schema, reason) = (self.options.schema.clone(), super::error::text(&failure));
                    return Err(PostgresError::Foreign { schema, reason });
                }
                Err(trouble) => return Err(trouble.error(&self.connector)),
            }
        }
    }

    async fn ask(&self, session: &Session, epoch: i64, known: i64) -> Result<Log, Trouble> {
        let limit = self.options.publish_timeout;
        let sql = self.names.sql("SELECT format, epoch, top FROM {schema}.settle($1, $2)");
        let settle = session.prepare(&sql, limit).await?;
        let rows = session.query(&settle, &[&epoch, &known], limit).await?;
        let schema = || self.options.schema.clone();
        let Some(row) = rows.first() else {
            return Err(Trouble::Wrong(PostgresError::Foreign {
                schema: schema(),
                reason: "it says nothing".to_owned(),
            }));
        };
        let format: i32 = row.get(0);
        if format != FORMAT {
            return Err(Trouble::Wrong(PostgresError::Newer { schema: schema(), format, known: FORMAT }));
        }
        let [epoch, top] = [1, 2].map(|column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default());
        Ok(Log { epoch, top })
    }

    async fn create(&self, session: &Session) -> Result<(), PostgresError> {
        let limit = self.options.publish_timeout;
        let error = |trouble: Trouble| trouble.error(&self.connector);
        let lock = format!("BEGIN; SELECT pg_advisory_xact_lock({})", self.names.creating);
        session.run(&lock, limit).await.map_err(error)?;
        let created = self.create_locked(session, limit).await;
        let end = if matches!(created, Ok(true)) { "COMMIT" } else { "ROLLBACK" };
        let ended = session.run(end, limit).await;
        created?;
        ended.map_err(error)
    }

    /// Whether anything was created.
    async fn create_locked(&self, session: &Session, limit: Duration) -> Result<bool, PostgresError> {
        let error = |trouble: Trouble| trouble.error(&self.connector);
        let schema = &self.options.schema;
        let look = "SELECT n.oid IS NOT NULL, \
            ARRAY(SELECT relname::text FROM pg_class WHERE relnamespace = n.oid AND relname = ANY ($2)), \
            ARRAY(SELECT proname::text FROM pg_proc WHERE pronamespace = n.oid AND proname = ANY ($3)) \
            FROM (SELECT) one LEFT JOIN pg_namespace n ON n.nspname = $1::text";
        let look = session.prepare(look, limit).await.map_err(error)?;
        let given: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [schema, &TABLES.as_slice(), &FUNCTIONS.as_slice()];
        let rows = session.query(&look, &given, limit).await.map_err(error)?;
        let (has_schema, mut found) = match rows.first() {
            Some(row) => {
                let (tables, functions): (Vec<String>, Vec<String>) = (row.get(1), row.get(2));
                (row.get(0), [tables, functions].concat())
            }
            None => (false, Vec::new()),
        };
        found.sort_unstable();
        if found.len() == TABLES.len() + FUNCTIONS.len() {
            return self.recognize(session, limit).await.map(|()| false);
        }
        if !found.is_empty() {
            let reason = format!("there is already: {}", found.join(", "));
            return Err(PostgresError::Foreign { schema: schema.clone(), reason });
        }
        if !has_schema {
            session.run(&self.names.sql("CREATE SCHEMA {schema}"), limit).await.map_err(error)?;
        }
        session.run(&self.names.tables(), limit).await.map_err(error)?;
        Ok(true)
    }

    /// All names are there: is it a log?
    async fn recognize(&self, session: &Session, limit: Duration) -> Result<(), PostgresError> {
        let look = self.names.sql("SELECT format, epoch, top, gone FROM {schema}.log LIMIT 0");
        match session.prepare(&look, limit).await {
            Ok(_) => Ok(()),
            Err(Trouble::Failed(failure)) if failure.code() == Some(&SqlState::UNDEFINED_COLUMN) => {
                let reason = super::error::text(&failure);
                Err(PostgresError::Foreign { schema: self.options.schema.clone(), reason })
            }
            Err(trouble) => Err(trouble.error(&self.connector)),
        }
    }
}
