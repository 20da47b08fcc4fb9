//! The one task of a node that delivers, in the order of the numbers.
//!
//! It listens first and then reads: what is appended while it reads is announced. From then on it knows a number up to
//! which all has been delivered, and goes on from there:
//!
//! | what happens | what it does |
//! |---|---|
//! | this node has appended a group, right above that number | delivers it: it is there already |
//! | the same, and other nodes were in between | reads |
//! | another node says that it has appended | reads |
//! | a second has passed | reads: what was announced may be lost, and a server that hangs is to be seen |
//! | the connection is lost | connects, listens, reads |
//!
//! Opening a topic needs no question: between two reads it is put on the list of those that are read, and all above the
//! number of that moment is delivered. So only what is of open topics is fetched, as long as they are few enough to be
//! listed.
//!
//! The number of a row that is gone before it was read, or of a log that was set back, is said as a loss.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_postgres::{Row, Statement};

use super::Shared;
use super::connection::{Pauses, Session, Trouble};
use super::error::{PostgresError, Way, way};
use super::health::Part;
use super::reader::{BYTES, RECORDS, stored};
use super::table::{Entry, hash, number};
use crate::engine::{Log, Record};

/// How many groups of this node may wait to be delivered. Then they are read from the log.
const GROUPS: usize = 8;
/// How long nothing is heard before it looks.
const LOOK: Duration = Duration::from_secs(1);
/// More topics than these are not listed: everything is fetched.
const LISTED: usize = 256;

/// What this node has appended: records with the numbers that follow `before`.
pub(super) struct Parcel {
    pub(super) before: u64,
    pub(super) entries: Vec<Entry>,
}

pub(super) enum Change {
    Open(String, oneshot::Sender<u64>),
    Close(String),
}

/// How the writer reaches this task.
pub(super) struct ToDelivery {
    parcels: mpsc::Sender<Parcel>,
    signs: Arc<Signs>,
}

impl ToDelivery {
    /// Never waits: what there is no room for is read.
    pub(super) fn hand_over(&self, parcel: Parcel) {
        if self.parcels.try_send(parcel).is_err() {
            self.look();
        }
    }

    pub(super) fn look(&self) {
        self.signs.announce(u64::MAX);
    }
}

/// That there is something to read.
#[derive(Default)]
struct Signs {
    look: Notify,
    /// The highest number that was announced, and not looked at.
    announced: AtomicU64,
}

impl Signs {
    fn announce(&self, top: u64) {
        self.announced.fetch_max(top, Ordering::Relaxed);
        self.look.notify_one();
    }

    /// Whether something above this number was announced.
    fn are_above(&self, position: u64) -> bool {
        self.announced.swap(0, Ordering::Relaxed) > position
    }
}

pub(super) struct Delivery {
    shared: Arc<Shared>,
    signs: Arc<Signs>,
    parcels: mpsc::Receiver<Parcel>,
    changes: mpsc::UnboundedReceiver<Change>,
    open: HashMap<String, i64>,
    /// All up to this number, of the open topics, has been delivered.
    position: u64,
}

struct Listening {
    session: Session,
    fetch: Statement,
}

impl Delivery {
    /// Begins to listen. Nothing is delivered before [`run`](Self::run).
    pub(super) async fn begin(
        shared: Arc<Shared>,
        changes: mpsc::UnboundedReceiver<Change>,
    ) -> Result<(Begun, ToDelivery), PostgresError> {
        let signs = Arc::<Signs>::default();
        let (sender, parcels) = mpsc::channel(GROUPS);
        let (session, log) = listen(&shared, &signs).await?;
        let to = ToDelivery { parcels: sender, signs: Arc::clone(&signs) };
        let delivery = Self { shared, signs, parcels, changes, open: HashMap::new(), position: log.top };
        Ok((Begun { delivery, session, log }, to))
    }

    async fn run(mut self, first: Session) {
        let mut first = Some(first);
        loop {
            let connected = match first.take() {
                Some(session) => prepared(&self.shared, session).await,
                None => self.connect().await,
            };
            let error = match connected {
                Ok(listening) => self.deliver(&listening).await,
                Err(error) => error,
            };
            self.shared.outages.say(Part::Listening, Err(&error));
            if self.changes.is_closed() {
                return;
            }
        }
    }

    /// Connects, however often it takes; this node's own groups are delivered meanwhile, if nothing is before them.
    async fn connect(&mut self) -> Result<Listening, PostgresError> {
        let (shared, signs) = (Arc::clone(&self.shared), Arc::clone(&self.signs));
        let connecting = async {
            let mut pauses = Pauses::new();
            loop {
                pauses.pause().await;
                let listening = async { prepared(&shared, listen(&shared, &signs).await?.0).await };
                match listening.await {
                    Ok(listening) => return listening,
                    Err(error) => shared.outages.say(Part::Listening, Err(&error)),
                }
            }
        };
        tokio::pin!(connecting);
        loop {
            tokio::select! {
                listening = &mut connecting => return Ok(listening),
                Some(parcel) = self.parcels.recv() => {
                    // What is left is read later.
                    let _ = self.take(&parcel);
                }
                change = self.changes.recv() => match change {
                    Some(change) => self.change(change),
                    None => return Err(PostgresError::Closed),
                },
            }
        }
    }

    /// Delivers until something goes wrong.
    async fn deliver(&mut self, listening: &Listening) -> PostgresError {
        if let Err(error) = self.catch_up(listening).await {
            return error;
        }
        self.shared.outages.say(Part::Listening, Ok(()));
        let mut looked = Instant::now();
        loop {
            let signs = Arc::clone(&self.signs);
            let look = tokio::select! {
                biased;
                change = self.changes.recv() => match change {
                    Some(change) => {
                        self.change(change);
                        false
                    }
                    None => return PostgresError::Closed,
                },
                Some(parcel) = self.parcels.recv() => !self.take(&parcel),
                () = signs.look.notified() => signs.are_above(self.position),
                () = listening.session.ended() => {
                    return self.shared.unreachable("the connection was closed");
                }
                () = sleep_until(looked + LOOK) => true,
            };
            if !look {
                continue;
            }
            if let Err(error) = self.catch_up(listening).await {
                return error;
            }
            looked = Instant::now();
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Open(topic, answer) => {
                // Nobody may wait for it any more. It is then open all the same, until it is closed.
                let _ = answer.send(self.position);
                let hash = hash(&[topic.as_bytes()]);
                self.open.insert(topic, hash);
            }
            Change::Close(topic) => drop(self.open.remove(&topic)),
        }
    }

    /// Delivers what this node has appended, and whether it could: nothing may be missing in between.
    fn take(&mut self, parcel: &Parcel) -> bool {
        let end = parcel.before + parcel.entries.len() as u64;
        if parcel.before > self.position {
            return false;
        }
        if parcel.before == self.position {
            for (entry, seq) in parcel.entries.iter().zip(parcel.before + 1..) {
                self.hand_out(&entry.topic, seq, entry.record());
            }
            self.position = end;
        }
        // If it is below, all of it was read. No group is read in part.
        end <= self.position
    }

    /// Reads until there is no more.
    async fn catch_up(&mut self, listening: &Listening) -> Result<(), PostgresError> {
        let shared = Arc::clone(&self.shared);
        let mut settled = false;
        loop {
            let listed: Option<Vec<i64>> =
                (self.open.len() <= LISTED).then(|| self.open.values().copied().collect());
            let limit = shared.options.read_timeout;
            // From before: what is appended meanwhile is not in the answer.
            let known = shared.known().max(self.position);
            let given: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                [&shared.epoch(), &number(self.position), &listed];
            let rows = match listening.session.query(&listening.fetch, &given, limit).await {
                Err(Trouble::Failed(failure)) if way(&failure) == Way::Again => continue,
                rows => rows.map_err(|trouble| trouble.error(&shared.connector))?,
            };
            match rows.first().map(|row| [0, 1].map(|column| seq(row, column))) {
                Some([top, gone]) if top >= known => {
                    if self.page(&rows, top, gone) {
                        return Ok(());
                    }
                    // A hub that holds much of the runtime's time otherwise.
                    tokio::task::yield_now().await;
                }
                // What was known is not there: said as a loss with the next page.
                _ if !settled => {
                    shared.settle(&listening.session).await?;
                    settled = true;
                }
                _ => return Err(shared.unreachable("the log does not stay as it is")),
            }
        }
    }

    /// Delivers what was read, and whether that was all.
    fn page(&mut self, rows: &[Row], top: u64, gone: u64) -> bool {
        if gone > self.position {
            tracing::warn!(
                from = self.position,
                to = gone,
                "events are gone from the log before they were delivered"
            );
            self.shared.feed.lost(gone);
            self.move_to(gone);
        }
        let (mut count, mut bytes) = (0, 0);
        for row in rows {
            let Some((topic, stored)) = stored(row, 2) else { continue };
            (count, bytes) = (count + 1, bytes + stored.block.len());
            if stored.seq <= self.position {
                continue;
            }
            let record = Record::new(&stored.block, &stored.key).traced(stored.trace.as_ref());
            self.hand_out(&topic, stored.seq, record);
            self.move_to(stored.seq);
        }
        // Fewer than a page may have: there is no other up to the top.
        let is_all = count < RECORDS && bytes < BYTES;
        if is_all {
            self.move_to(top.max(self.position));
        }
        is_all
    }

    fn move_to(&mut self, seq: u64) {
        self.position = seq;
        self.shared.note(seq);
    }

    fn hand_out(&self, topic: &str, seq: u64, record: Record<'_>) {
        let feed = &self.shared.feed;
        // A waker is foreign code. The others are to be woken all the same, and the next event delivered.
        if catch_unwind(AssertUnwindSafe(|| drop(feed.deliver(topic, seq, record)))).is_err() {
            tracing::error!(seq, "a waker panicked when an event was delivered");
        }
    }
}

/// A delivery that knows where it begins.
pub(super) struct Begun {
    delivery: Delivery,
    session: Session,
    pub(super) log: Log,
}

impl Begun {
    pub(super) async fn run(self) {
        self.delivery.run(self.session).await;
    }
}

/// Connects and listens; then looks where the log stands.
async fn listen(shared: &Shared, signs: &Arc<Signs>) -> Result<(Session, Log), PostgresError> {
    let (heard, node) = (Arc::clone(signs), shared.node);
    let session = shared.connector.connect(move |said| {
        let Some((from, top)) = said.split_once(' ') else { return };
        // What this node has appended comes by itself.
        if from.parse() != Ok(node) {
            heard.announce(top.parse().unwrap_or(u64::MAX));
        }
    });
    let session = session.await?;
    let listened = format!("LISTEN \"{}\"", shared.names.channel);
    let listened = session.run(&listened, shared.options.read_timeout).await;
    listened.map_err(|trouble| trouble.error(&shared.connector))?;
    let log = if shared.epoch.get().is_none() {
        shared.begin(&session).await?
    } else {
        shared.settle(&session).await?;
        Log { epoch: 0, top: 0 }
    };
    Ok((session, log))
}

/// One plan for every look, which goes by the number: the server would plan for longer than it reads, otherwise, and go
/// by what it finds in a table that is empty at the moment.
const PLAN: &str =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off";

async fn prepared(shared: &Shared, session: Session) -> Result<Listening, PostgresError> {
    let limit = shared.options.read_timeout;
    session.run(PLAN, limit).await.map_err(|trouble| trouble.error(&shared.connector))?;
    // `octet_length` of a large block reads none of it. `OFFSET 0`: what is gone is looked up once, not for each row.
    let sql = format!(
        "SELECT l.top, l.gone, e.seq, e.topic, e.key, e.trace, e.block FROM ( \
            SELECT top, {{schema}}.gone(top, gone) AS gone FROM {{schema}}.log WHERE epoch = $1 OFFSET 0 \
        ) l LEFT JOIN ( \
            SELECT * FROM ( \
                SELECT seq, topic, key, trace, block, \
                    sum(octet_length(block)) OVER (ORDER BY seq) - octet_length(block) AS before \
                FROM ( \
                    SELECT * FROM {{schema}}.events WHERE seq > $2 AND ($3::bigint[] IS NULL OR hash = ANY ($3)) \
                    ORDER BY seq LIMIT {RECORDS} \
                ) page \
            ) summed WHERE before < {BYTES} \
        ) e ON true ORDER BY e.seq"
    );
    let fetch = session.prepare(&shared.names.sql(&sql), limit).await;
    let fetch = fetch.map_err(|trouble| trouble.error(&shared.connector))?;
    Ok(Listening { session, fetch })
}

fn seq(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or_default()
}
