//! The one task of a node that appends: everything that waits is one group, one transaction, one round trip.
//!
//! ```text
//!              +------ jobs ------+        an answer: publishers are answered, delivery gets the group
//!              v                  |
//!   connected: append (turn n) ---+
//!              |  lost, or no answer: nobody knows
//!              v
//!   connect, settle, append (turn n) again: the log knows whether it has that turn
//! ```
//!
//! A group is tried for as long as one of its publishers waits. All that happens while the log's row is locked is one
//! function over there, and its parameters have arrived before it begins, so a node that freezes holds no lock.
//!
//! The `NOTIFY` is one for each group, in its transaction. It takes a lock of the whole server until the commit is
//! done, which makes many notifiers wait for each other; but groups wait for each other already, for the log's row.
//! Measured with four nodes and groups of 64, it makes no difference, and one that follows the commit could be lost
//! with its connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::{Row, Statement};

use super::Shared;
use super::connection::{Pauses, Session, Trouble};
use super::delivery::{Parcel, ToDelivery};
use super::error::{PostgresError, Way, way};
use super::health::Part;
use super::queue::Job;
use super::table::{Entry, number};
use crate::engine::{EngineError, TraceParent};

/// The most records of one transaction, and bytes: it should not take longer than a publisher likes to wait.
const GROUP: usize = 1024;
const BYTES: usize = 4 << 20;
/// Before the same is asked again.
const REST: Duration = Duration::from_millis(50);

pub(super) struct Writer {
    shared: Arc<Shared>,
    jobs: UnboundedReceiver<Job>,
    delivery: ToDelivery,
    turn: i64,
    connection: Option<Writing>,
}

struct Writing {
    session: Session,
    append: Statement,
}

/// What became of a group.
pub(super) struct Placed {
    /// The number before it.
    pub(super) before: u64,
    /// The number of each; none if they follow one another. Those that were known by their keys have the number of
    /// then.
    pub(super) numbers: Option<Vec<i64>>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, jobs: UnboundedReceiver<Job>, delivery: ToDelivery) -> Self {
        Self { shared, jobs, delivery, turn: 0, connection: None }
    }

    pub(super) async fn run(mut self) {
        let mut waiting = None;
        loop {
            let Some(connection) = &self.connection else {
                self.connect(&mut Pauses::new()).await;
                continue;
            };
            let first = match waiting.take() {
                Some(job) => Some(job),
                None => tokio::select! {
                    job = self.jobs.recv() => job,
                    () = connection.session.ended() => {
                        self.lost(&self.shared.unreachable("the connection was closed"));
                        continue;
                    }
                },
            };
            let Some(first) = first else { return };
            let group = self.gather(first, &mut waiting).await;
            self.publish(group).await;
        }
    }

    /// A burst wakes this task with its first record: as long as more come in, it lets them, up to a group.
    async fn gather(&mut self, first: Job, next: &mut Option<Job>) -> Vec<Job> {
        let mut bytes = first.entry.bytes();
        let mut group = vec![first];
        loop {
            tokio::task::yield_now().await;
            let before = group.len();
            while let Ok(job) = self.jobs.try_recv() {
                bytes += job.entry.bytes();
                if bytes > BYTES {
                    *next = Some(job);
                    return group;
                }
                group.push(job);
                if group.len() == GROUP {
                    return group;
                }
            }
            if group.len() == before {
                return group;
            }
        }
    }

    async fn publish(&mut self, mut group: Vec<Job>) {
        // Nothing was sent of these, so nobody is surprised.
        group.retain(|job| !job.answer.is_closed());
        if group.is_empty() {
            return;
        }
        self.turn += 1;
        let mut pauses = Pauses::new();
        let trouble = loop {
            if group.iter().all(|job| job.answer.is_closed()) {
                return self.delivery.look();
            }
            let Some(connection) = &self.connection else {
                self.connect(&mut pauses).await;
                continue;
            };
            let shared = &self.shared;
            match connection.append(shared, self.turn, &group).await {
                Ok(Some(placed)) => return self.answer(group, &placed),
                Ok(None) => match shared.settle(&connection.session).await {
                    Ok(()) => self.delivery.look(),
                    Err(error) => self.lost(&error),
                },
                Err(Trouble::Failed(failure)) => match way(&failure) {
                    Way::GiveUp => break shared.connector.error(&failure),
                    Way::Again => tokio::time::sleep(REST).await,
                    // What was prepared may be of tables that are gone.
                    Way::Settle | Way::Connect => self.lost(&shared.connector.error(&failure)),
                },
                Err(trouble) => self.lost(&trouble.error(&shared.connector)),
            }
        };
        let error = EngineError::new(trouble);
        for job in group {
            drop(job.answer.send(Err(error.clone())));
        }
    }

    fn answer(&self, group: Vec<Job>, placed: &Placed) {
        let mut entries = Vec::with_capacity(group.len());
        let mut top = placed.before;
        for (n, job) in group.into_iter().enumerate() {
            let seq = match &placed.numbers {
                Some(numbers) => numbers.get(n).map_or(0, |&seq| u64::try_from(seq).unwrap_or_default()),
                None => placed.before + 1 + n as u64,
            };
            // Published before, under its key.
            let is_new = seq > top;
            if is_new {
                top = seq;
                self.shared.note(seq);
            }
            drop(job.answer.send(Ok(seq)));
            if is_new {
                entries.push(job.entry);
            }
        }
        self.delivery.hand_over(Parcel { before: placed.before, entries });
    }

    fn lost(&mut self, error: &PostgresError) {
        self.connection = None;
        self.shared.outages.say(Part::Writing, Err(error));
    }

    /// One attempt.
    async fn connect(&mut self, pauses: &mut Pauses) {
        pauses.pause().await;
        match Writing::connect(&self.shared).await {
            Ok(connection) => {
                self.connection = Some(connection);
                self.shared.outages.say(Part::Writing, Ok(()));
            }
            Err(error) => self.shared.outages.say(Part::Writing, Err(&error)),
        }
    }
}

impl Writing {
    async fn connect(shared: &Shared) -> Result<Self, PostgresError> {
        let session = shared.connector.connect(|_| {}).await?;
        shared.settle(&session).await?;
        let sql = "SELECT {schema}.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let append = session.prepare(&shared.names.sql(sql), shared.options.publish_timeout).await;
        let append = append.map_err(|trouble| trouble.error(&shared.connector))?;
        Ok(Self { session, append })
    }

    /// None if the log is not as this node knows it.
    async fn append(&self, shared: &Shared, turn: i64, group: &[Job]) -> Result<Option<Placed>, Trouble> {
        let entries = || group.iter().map(|job| &job.entry);
        let column = |part: fn(&Entry) -> &[u8]| entries().map(part).collect::<Vec<_>>();
        let hashes: Vec<i64> = entries().map(|entry| entry.hash).collect();
        let traces: Vec<Option<&str>> =
            entries().map(|entry| entry.trace.as_ref().map(TraceParent::as_str)).collect();
        let mut weight = 0_i64;
        let before = |entry: &Entry| {
            let before = weight;
            weight += entry.weight();
            before
        };
        let sums: Vec<i64> = entries().map(before).collect();
        let has_keys = entries().any(|entry| entry.dedupe.is_some());
        let marks: Option<Vec<Option<i64>>> = has_keys.then(|| entries().map(Entry::mark).collect());
        let dedupes = has_keys.then(|| {
            entries().map(|entry| entry.dedupe.as_ref().map(|key| key.as_bytes())).collect::<Vec<_>>()
        });
        let rows = self
            .session
            .query(
                &self.append,
                &[
                    &shared.epoch(),
                    &number(shared.known()),
                    &shared.node,
                    &turn,
                    &hashes,
                    &column(|entry| entry.topic.as_bytes()),
                    &column(|entry| entry.key.as_bytes()),
                    &traces,
                    &column(|entry| &entry.block),
                    &sums,
                    &weight,
                    &marks,
                    &dedupes,
                    &shared.options.dedupe_window.as_secs_f64(),
                ],
                shared.options.publish_timeout,
            )
            .await?;
        Ok(rows.first().and_then(placed))
    }
}

fn placed(row: &Row) -> Option<Placed> {
    let mut said: Vec<i64> = row.get::<_, Option<_>>(0)?;
    let numbers = said.split_off(1.min(said.len()));
    let before = u64::try_from(*said.first()?).unwrap_or_default();
    Some(Placed { before, numbers: (!numbers.is_empty()).then_some(numbers) })
}
