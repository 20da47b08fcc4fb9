//! What is kept, and the eviction of the rest: by whichever node comes first, a bounded part at a time.
//!
//! Rows are deleted from the low end of the table, whose room autovacuum gives back to new ones: after the first time round
//! the table does not grow. Partitions would give it back to the system, and cost more than they bring here: someone has to
//! make them in time, and to drop one locks readers out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Shared;
use super::table::number;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) age: Option<Duration>,
    pub(super) bytes: u64,
    pub(super) events: u64,
    /// Of how many topics it is known exactly what they have lost.
    pub(super) topics: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { age: Some(Duration::from_secs(24 * 3600)), bytes: 1 << 30, events: u64::MAX, topics: 1 << 16 }
    }
}

/// How often is looked.
const EVERY: Duration = Duration::from_secs(1);
/// What is younger is kept whatever the other limits: nodes are to have the time to deliver it.
const YOUNG: f64 = 2.0;
/// How many events a transaction evicts: reads wait behind it.
const AT_ONCE: i64 = 1000;

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let more = evict(&shared).await;
        // Nodes take turns by chance.
        let rest = if more { EVERY / 100 } else { EVERY.mul_f64(0.75 + fastrand::f64() / 2.0) };
        sleep(rest).await;
    }
}

/// Whether there is more of it.
async fn evict(shared: &Shared) -> bool {
    let limits = &shared.options.limits;
    // Three thousand years: dates of the server reach back a little more.
    let age = limits.age.map_or(1e11, |age| age.as_secs_f64().min(1e11));
    let window = shared.options.dedupe_window.as_secs_f64();
    let (events, bytes, topics) = (number(limits.events), number(limits.bytes), number(limits.topics));
    let given: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
        [&shared.epoch(), &age, &events, &bytes, &topics, &YOUNG, &window, &AT_ONCE];
    match shared.reader.ask(shared, |reading| &reading.evict, &given).await {
        Ok(rows) => rows.first().is_some_and(|row| row.get(0)),
        Err(error) => {
            tracing::debug!(%error, "nothing could be evicted");
            false
        }
    }
}
