//! History: reads of one topic, each a statement of its own, which sees the log as it was at one moment.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::Shared;
use super::connection::{Pauses, Session, Trouble};
use super::error::{PostgresError, Way, way};
use super::table::{hash, number};
use crate::engine::{Page, Stored};

/// How much one page has at most.
pub(super) const RECORDS: usize = 512;
pub(super) const BYTES: usize = 1 << 20;

/// The connection for it, which is made when it is needed.
#[derive(Default)]
pub(super) struct Reader(Mutex<Option<Arc<Reading>>>);

pub(super) struct Reading {
    session: Session,
    read: Statement,
    top: Statement,
    pub(super) evict: Statement,
}

impl Reader {
    pub(super) async fn read(
        &self,
        shared: &Shared,
        topic: &str,
        after: u64,
        until: u64,
    ) -> Result<Page, PostgresError> {
        if after >= until || number(after) == i64::MAX {
            return Ok(Page::Records(Vec::new()));
        }
        let (hash, topic) = (hash(&[topic.as_bytes()]), topic.as_bytes());
        let given: [&(dyn ToSql + Sync); 5] =
            [&shared.epoch(), &hash, &topic, &number(after), &number(until)];
        let rows = self.ask(shared, |reading| &reading.read, &given).await?;
        // Of a log that has begun anew there is nothing.
        let gone = rows.first().map_or(i64::MAX, |row| row.get(0));
        if gone > number(after) {
            return Ok(Page::Evicted { until: u64::try_from(gone).unwrap_or(u64::MAX) });
        }
        Ok(Page::Records(rows.iter().filter_map(|row| stored(row, 1)).map(|(_, stored)| stored).collect()))
    }

    pub(super) async fn top(&self, shared: &Shared) -> Result<u64, PostgresError> {
        let rows = self.ask(shared, |reading| &reading.top, &[&shared.epoch()]).await?;
        let top = rows.first().map_or(0, |row| u64::try_from(row.get::<_, i64>(0)).unwrap_or_default());
        // Of a log that was set back it is found out soon.
        shared.note(top);
        Ok(shared.known())
    }

    /// Asks until there is an answer, or it has taken too long.
    pub(super) async fn ask(
        &self,
        shared: &Shared,
        statement: impl Fn(&Reading) -> &Statement,
        given: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PostgresError> {
        let limit = shared.options.read_timeout;
        let mut last = None;
        let asking = async {
            let mut pauses = Pauses::new();
            loop {
                pauses.pause().await;
                let reading = match self.connected(shared).await {
                    Ok(reading) => reading,
                    Err(error @ PostgresError::Unreachable { .. }) => {
                        last = Some(error.to_string());
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                match reading.session.query(statement(&reading), given, limit).await {
                    Ok(rows) => return Ok(rows),
                    Err(Trouble::Failed(failure)) if way(&failure) == Way::Again => {}
                    Err(trouble) => {
                        let gives_up =
                            matches!(&trouble, Trouble::Failed(failure) if way(failure) == Way::GiveUp);
                        let error = trouble.error(&shared.connector);
                        if gives_up {
                            return Err(error);
                        }
                        last = Some(error.to_string());
                        self.forget(&reading).await;
                    }
                }
            }
        };
        match timeout(limit, asking).await {
            Ok(answer) => answer,
            Err(_) => {
                // The next one is not to wait behind what has no answer.
                self.forget_if_silent().await;
                Err(PostgresError::Timeout { limit, reason: last.or_else(|| shared.outages.reason()) })
            }
        }
    }

    async fn connected(&self, shared: &Shared) -> Result<Arc<Reading>, PostgresError> {
        let mut current = self.0.lock().await;
        if let Some(reading) = current.as_ref().filter(|reading| !reading.session.client.is_closed()) {
            return Ok(Arc::clone(reading));
        }
        *current = None;
        let reading = Arc::new(Reading::connect(shared).await?);
        *current = Some(Arc::clone(&reading));
        Ok(reading)
    }

    async fn forget(&self, reading: &Arc<Reading>) {
        let mut current = self.0.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, reading)) {
            *current = None;
        }
    }

    async fn forget_if_silent(&self) {
        // Somebody connects at the moment.
        if let Ok(mut current) = self.0.try_lock() {
            *current = None;
        }
    }
}

impl Reading {
    async fn connect(shared: &Shared) -> Result<Self, PostgresError> {
        let session = shared.connector.connect(|_| {}).await?;
        shared.settle(&session).await?;
        // The first column: up to where events of this topic may be gone. `OFFSET 0`: looked up once, not for each row.
        let read = format!(
            "SELECT l.gone, e.seq, e.topic, e.key, e.trace, e.block FROM ( \
                SELECT greatest( \
                    coalesce((SELECT v.seq FROM {{schema}}.evicted v WHERE v.hash = $2 AND v.topic = $3), forgotten), \
                    nullif({{schema}}.gone(top, gone), gone) \
                ) AS gone FROM {{schema}}.log WHERE epoch = $1 OFFSET 0 \
            ) l LEFT JOIN ( \
                SELECT * FROM ( \
                    SELECT seq, topic, key, trace, block, \
                        sum(octet_length(block)) OVER (ORDER BY seq) - octet_length(block) AS before \
                    FROM ( \
                        SELECT * FROM {{schema}}.events WHERE hash = $2 AND topic = $3 AND seq > $4 AND seq <= $5 \
                        ORDER BY seq LIMIT {RECORDS} \
                    ) page \
                ) summed WHERE before < {BYTES} \
            ) e ON true ORDER BY e.seq"
        );
        let (top, evict) = (
            "SELECT top FROM {schema}.log WHERE epoch = $1",
            "SELECT {schema}.evict($1, $2, $3, $4, $5, $6, $7, $8)",
        );
        let prepare = async |sql: &str| {
            let prepared = session.prepare(&shared.names.sql(sql), shared.options.read_timeout).await;
            prepared.map_err(|trouble| trouble.error(&shared.connector))
        };
        let (read, top, evict) = (prepare(&read).await?, prepare(top).await?, prepare(evict).await?);
        Ok(Self { session, read, top, evict })
    }
}

/// The event of a row that has number, topic, key, trace and block from this column on, if it has one.
pub(super) fn stored(row: &Row, from: usize) -> Option<(String, Stored)> {
    let seq = u64::try_from(row.get::<_, Option<i64>>(from)?).ok()?;
    let text = |column| String::from_utf8_lossy(row.get::<_, &[u8]>(column)).into_owned();
    let trace = row.get::<_, Option<&str>>(from + 3).and_then(|trace| trace.parse().ok());
    let block = Bytes::copy_from_slice(row.get(from + 4));
    Some((text(from + 1), Stored { seq, block, key: text(from + 2), trace }))
}
