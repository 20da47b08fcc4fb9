//! The rows as they are, for browsers that begin anew. Those who ask while a query runs share the next one.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Options;
use super::session::{Lost, Session};
use crate::changes::{Operation, RowChange};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Snapshots {
    options: Arc<Options>,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    session: Option<Session>,
    /// The newest, and when its query began.
    newest: Option<(Instant, Vec<RowChange>)>,
}

impl Snapshots {
    pub(super) fn new(options: Arc<Options>) -> Self {
        Self { options, shared: Mutex::default() }
    }

    /// All rows of all tables, as of now or later.
    pub(super) async fn take(&self) -> Result<Vec<RowChange>> {
        let asked = Instant::now();
        let mut shared = self.shared.lock().await;
        if let Some((begun, rows)) = shared.newest.as_ref().filter(|(begun, _)| *begun > asked) {
            tracing::trace!(age = ?begun.elapsed(), "a snapshot is shared");
            return Ok(rows.clone());
        }
        let begun = Instant::now();
        // A connection that was lost while nobody asked is no reason to fail.
        let had_one = shared.session.is_some();
        let rows = match self.query(&mut shared.session).await {
            Err(Failure::Lost(lost)) if had_one => {
                tracing::debug!(%lost, "the connection for snapshots is made anew");
                self.query(&mut shared.session).await
            }
            other => other,
        };
        let rows = rows.map_err(|failure| Error::from(failure.to_string()))?;
        // Only for those who wait already: nobody else may have it.
        shared.newest = Some((begun, rows.clone()));
        Ok(rows)
    }

    async fn query(&self, kept: &mut Option<Session>) -> std::result::Result<Vec<RowChange>, Failure> {
        let session = match kept.take() {
            Some(session) => session,
            None => self.options.target.connect().await?,
        };
        let mut changes = Vec::new();
        for (table, condition) in &self.options.tables {
            let most = self.options.snapshot_rows;
            let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
            let rows = session.query_once(&table.select(condition.as_deref()), &[&limit]).await?;
            if rows.len() > most {
                return Err(Failure::TooMany { table: table.label.clone(), most });
            }
            for row in rows {
                let mut change =
                    RowChange::new(Operation::Insert, table.label.as_str(), row.get::<_, &str>(0));
                change.row = serde_json::from_str(row.get(1)).ok();
                changes.push(change);
            }
        }
        *kept = Some(session);
        Ok(changes)
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the rows cannot be read: {0}")]
    Lost(Lost),
    #[error(
        "the table {table} has more than {most} rows to begin with: choose among them with `snapshot_where`, or allow more with `snapshot_rows`"
    )]
    TooMany { table: String, most: usize },
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}
