//! The same changes from Materialize, which keeps views up to date by itself: `SUBSCRIBE`, the successor of `TAIL`.

mod updates;
mod value;

use std::collections::VecDeque;

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

use self::updates::{Update, Updates};
use self::value::Column;
use super::postgres::{ChangesError, Lost, Outage, Session, Target, refused};
use super::{Operation, RowChange};
use crate::topic::{PublishError, Topic};

/// A subscription to a table, source or view of [Materialize](https://materialize.com): its changes as [`RowChange`]s.
///
/// **Not tested against Materialize.** It is written after its documentation, of the version of autumn 2026. What is tested is
/// how rows are understood, with rows as that documentation shows them. Before you rely on it, try it.
///
/// Each time the subscription begins, it says `truncate`, and then `insert` for every row that there is. After that it is told
/// what changes, by time: a row that goes and one with the same key that comes at the same time are one `update`. If
/// the connection is lost, it goes on where it was, if the view's history is kept for so long (`RETAIN HISTORY`); otherwise
/// it begins anew. When the program starts, it begins anew always.
///
/// ```no_run
/// use sse_runtime::changes::{MaterializeSubscription, RowChange};
/// use sse_runtime::{Hub, Topic};
///
/// # async fn example(hub: Hub) -> sse_runtime::Result<()> {
/// let url = "postgres://materialize@localhost:6875/materialize";
/// let sensors = MaterializeSubscription::start(url, "sensors_view_1s", &["sensor", "second"]).await?;
/// let topic: Topic<RowChange> = hub.topic("sensors").latest();
/// sensors.publish_to(&topic).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MaterializeSubscription {
    target: Target,
    relation: String,
    session: Option<Session>,
    updates: Updates,
    ready: VecDeque<RowChange>,
    outage: Option<Outage>,
}

impl MaterializeSubscription {
    /// Connects, and finds out which columns there are. `relation` goes into a statement as it is. `key` names the columns that
    /// tell its rows apart: at any time there may be one row of each key.
    ///
    /// # Errors
    /// If the server cannot be reached, refuses the login, or knows no such relation or column.
    pub async fn start(url: &str, relation: &str, key: &[&str]) -> Result<Self, ChangesError> {
        let target = Target::new(url)?;
        let failed = |lost| refused(&target.server, "subscribe", lost);
        let session = target.open().await.map_err(failed)?;
        let statement = match session.prepare(&format!("SELECT * FROM {relation}")).await {
            Err(Lost::Failed(error)) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                return Err(ChangesError::NoSuchTable { table: relation.to_owned() });
            }
            other => other.map_err(failed)?,
        };
        let columns: Vec<_> =
            statement.columns().iter().map(|column| Column::new(column.name(), column.type_())).collect();
        let Some(updates) = Updates::new(relation, columns, key) else {
            return Err(ChangesError::NoKey { table: relation.to_owned() });
        };
        drop(statement);
        Ok(Self {
            relation: relation.to_owned(),
            session: None,
            updates,
            ready: VecDeque::new(),
            outage: None,
            target,
        })
    }

    /// The next change. Waits as long as it takes, and connects again where it has to.
    ///
    /// # Cancel safety
    /// If the future is dropped, nothing is lost: the next call goes on.
    pub async fn next(&mut self) -> RowChange {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return change;
            }
            if let Err(lost) = self.fetch().await {
                if matches!(&lost, Lost::Failed(error) if error.as_db_error().is_some()) {
                    // What it was asked for it does not have any more: from the beginning then.
                    self.updates.begin_anew();
                }
                self.session = None;
                Outage::note(&mut self.outage, &self.relation, &lost).pause().await;
            }
        }
    }

    /// Publishes every change, with the row as its [key](crate::Publishing::key). While the hub's engine does not work,
    /// nothing more is read. Of a change whose publishing failed, the outcome is unknown: it is tried again, with a
    /// [`dedupe`](crate::Publishing::dedupe) key.
    ///
    /// # Errors
    /// If the event cannot be written, or the engine knows no such keys.
    pub async fn publish_to(mut self, topic: &Topic<RowChange>) -> Result<(), PublishError> {
        // The same time comes again when all begins anew, which is another event then.
        let (run, mut count) = (fastrand::u64(..), 0_u64);
        loop {
            let change = self.next().await;
            count += 1;
            let (key, dedupe) = (change.subject(), format!("materialize/{run:x}/{count}"));
            let mut outage = None;
            while let Err(error) = topic.publish(&change).key(key.as_str()).dedupe(dedupe.as_str()).await {
                if !matches!(error, PublishError::Engine { .. }) {
                    return Err(error);
                }
                Outage::note(&mut outage, &self.relation, &error).pause().await;
            }
            Outage::over(&mut outage, &self.relation);
        }
    }

    async fn fetch(&mut self) -> Result<(), Lost> {
        if self.session.is_none() {
            let session = self.target.open().await?;
            let resumed = self.updates.done();
            session.simple(&subscribe(&self.relation, resumed)).await?;
            if resumed.is_none() {
                self.ready.push_back(RowChange::new(Operation::Truncate, self.relation.as_str(), ""));
            }
            self.updates.reconnected(resumed.is_none());
            self.session = Some(session);
            Outage::over(&mut self.outage, &self.relation);
        }
        let Some(session) = &self.session else { return Ok(()) };
        for message in session.simple("FETCH 1000 c WITH (timeout = '1s')").await? {
            let SimpleQueryMessage::Row(row) = message else { continue };
            let update = Update {
                time: row.get("mz_timestamp").and_then(|time| time.parse().ok()).unwrap_or_default(),
                is_progress: row.get("mz_progressed").is_some_and(|word| word.starts_with('t')),
                diff: row.get("mz_diff").and_then(|diff| diff.parse().ok()).unwrap_or_default(),
            };
            let value = |name: &str| row.get(name);
            self.updates.take(&update, value, &mut self.ready);
        }
        Ok(())
    }
}

/// Begins with what there is, or after a time.
fn subscribe(relation: &str, after: Option<u64>) -> String {
    let (snapshot, as_of) = match after {
        Some(time) => ("false", format!(" AS OF {time}")),
        None => ("true", String::new()),
    };
    format!(
        "BEGIN; DECLARE c CURSOR FOR SUBSCRIBE (SELECT * FROM {relation}) WITH (SNAPSHOT = {snapshot}, PROGRESS){as_of}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_subscribes_from_the_beginning_or_after_a_time() {
        assert_eq!(
            subscribe("v", None),
            "BEGIN; DECLARE c CURSOR FOR SUBSCRIBE (SELECT * FROM v) WITH (SNAPSHOT = true, PROGRESS)"
        );
        assert!(subscribe("v", Some(41)).ends_with("WITH (SNAPSHOT = false, PROGRESS) AS OF 41"));
    }
}
