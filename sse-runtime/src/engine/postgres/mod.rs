//! The engine on PostgreSQL: one log for many processes, in tables of one schema.
//!
//! Other engines have the same files: what users see is here, the rest is
//!
//! ```text
//! error       what can go wrong
//! connection  how a connection is made, and how it ends
//! start       the tables: found or created; which log it is, where it stands
//! table       what is stored how (table.sql)
//! queue       publishers wait here
//! writer      publishing
//! delivery    to the hub
//! reader      history
//! retention   what is kept
//! health      whether it works
//! ```
//!
//! A node has three connections, and no more than one question is under way on the first two. Nothing is waited for
//! without a limit.

mod connection;
mod delivery;
mod error;
mod health;
mod queue;
mod reader;
mod retention;
mod start;
mod table;
mod writer;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_util::task::AbortOnDropHandle;

pub use error::PostgresError;

use self::connection::{Connector, Dial};
use self::delivery::{Change, Delivery};
use self::health::Outages;
use self::queue::Queue;
use self::reader::Reader;
use self::retention::Limits;
use self::table::{Entry, Names, number};
use self::writer::Writer;
use super::started::Started;
use super::{Answer, Engine, EngineError, Feed, Log, Page, Record};

/// A log in a PostgreSQL database, version 13 or later: shared by many processes on many machines.
///
/// Whatever node an event is published at, all nodes deliver it, in one order; a client that comes back with an id is
/// served by any of them. The tables are in a schema of their own, and are created when the first hub starts.
///
/// ```no_run
/// use std::time::Duration;
/// use sse_runtime::{Hub, Topic, engine::Postgres};
///
/// # async fn example() -> sse_runtime::Result<()> {
/// let engine = Postgres::connect("postgres://app@db.internal/app").age(Duration::from_secs(7 * 24 * 3600));
/// let hub = Hub::on(engine).start().await?;
/// let news: Topic = hub.topic("news");
/// news.publish("for all who follow it, at any node").await?;
/// # Ok(())
/// # }
/// ```
///
/// # What is kept
///
/// | limit | default |
/// |---|---|
/// | [`age`](Self::age) | one day |
/// | [`bytes`](Self::bytes) | 1 GiB |
/// | [`events`](Self::events) | none |
/// | [`dedupe_window`](Self::dedupe_window) | two minutes |
///
/// Of all topics together, the oldest events go first, but none before it is two seconds old, unless by its age. Give
/// all nodes of a log the same limits: each evicts by its own. The hub's own limits say what it holds in memory, no
/// more. Of 65,536 topics it is known exactly what they have lost; of the others, a client whose id is old may be told
/// to begin anew though it has missed nothing.
///
/// Rows are deleted about once a second, and autovacuum, which has to be on, makes room for new ones of it: the tables
/// grow to somewhat more than the limit and stay there. Do not delete events by hand but from the oldest on; such that
/// are missing in the middle are not noticed.
///
/// # Speed
///
/// One connection of each node writes, and everything that waits for it is one transaction with one wait for the disk.
/// So publishing one event after the other takes a round trip and a wait for the server's disk each, and many tasks
/// that publish at once do not; nor does one that has many futures of `publish` under way. What `publish` has answered
/// for is as safe as a `COMMIT` there: with `synchronous_commit` off, which `?options=-c%20synchronous_commit%3Doff` in
/// the address says, a crash of the server may lose the newest events.
///
/// One `NOTIFY` for each group tells the other nodes; every second they look by themselves. A node fetches what is
/// published on the topics that are open there (on all, if it has more than 256), and not what it published itself.
///
/// # When something fails
///
/// Starting fails with a [`PostgresError`], see [`EngineError::downcast_ref`]. After that, connections that are lost
/// are made again, at once and then at least every second. Meanwhile streams stay open, and
/// [`Hub::health`](crate::Hub::health) says what is wrong; delivery goes on where it stopped. An event that was under
/// way is sent again and is there once: the log knows what it has of each node. `publish` is an error when that takes
/// longer than [`publish_timeout`](Self::publish_timeout); the outcome is then unknown, so publish it again with a
/// [`dedupe`](crate::Publishing::dedupe) key.
///
/// If the log loses events that nodes have seen (a standby without the newest ones takes over, an older backup is
/// restored, the tables are dropped or emptied), it goes on far above their numbers as soon as one of these nodes
/// looks; clients whose ids are older get `sse-reset` with `evicted`. Is it restored while no node runs, nobody can
/// know: then let it begin with another epoch, by `UPDATE sse.log SET epoch = epoch + 1`, before the first one starts.
///
/// An address may name several hosts, `postgres://app@one,two/app?target_session_attrs=read-write`: the first that can
/// be written to is taken.
///
/// # The server
///
/// Each node has three connections, whose sessions have to be their own: through PgBouncer only with
/// `pool_mode = session`. The user needs the right to create a schema once (`GRANT CREATE ON DATABASE app TO app`), or
/// none but to use it: then have somebody else run [`setup_sql`](Self::setup_sql).
#[must_use = "nothing is connected before a hub starts on it: `Hub::on(..).start().await`"]
pub struct Postgres {
    options: Options,
    running: Started<Running>,
}

#[derive(Clone)]
struct Options {
    url: String,
    schema: String,
    dial: Dial,
    has_tls: bool,
    limits: Limits,
    dedupe_window: Duration,
    queue: usize,
    largest: usize,
    connect_timeout: Duration,
    publish_timeout: Duration,
    read_timeout: Duration,
}

impl Postgres {
    /// A log on the server that an address names, in one of the two ways in which PostgreSQL's own programs take it:
    /// `postgres://user:password@host:5432/database` or `host=.. user=..`. It is connected to when the hub starts,
    /// which is also when a wrong address is an error.
    pub fn connect(url: impl Into<String>) -> Self {
        let options = Options {
            url: url.into(),
            schema: "sse".to_owned(),
            dial: connection::without_tls(),
            has_tls: false,
            limits: Limits::default(),
            dedupe_window: Duration::from_secs(120),
            queue: 16 << 20,
            largest: 8 << 20,
            connect_timeout: Duration::from_secs(2),
            publish_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(5),
        };
        Self { options, running: Started::not_yet() }
    }

    /// The schema of the tables: a log for each. "sse" by default.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.options.schema = schema.into();
        self
    }

    /// What makes connections of TLS, from `tokio-postgres-rustls` or `postgres-native-tls` for instance. Whether it is
    /// used is for the address to say: `sslmode=disable`, `prefer` (the default) or `require`.
    pub fn tls<T>(mut self, connector: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        self.options.dial = connection::dial(connector);
        self.options.has_tls = true;
        self
    }

    /// How long an event is kept, by the server's clock.
    pub fn age(mut self, age: Duration) -> Self {
        self.options.limits.age = Some(age);
        self
    }

    /// How many bytes are kept: what the events have on the wire, their topics' names, their keys, and 120 for each,
    /// 175 with a trace.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.options.limits.bytes = bytes;
        self
    }

    /// How many events are kept.
    pub fn events(mut self, events: u64) -> Self {
        self.options.limits.events = events;
        self
    }

    /// How long the key of an event that was published with [`dedupe`](crate::Publishing::dedupe) is known.
    pub fn dedupe_window(mut self, window: Duration) -> Self {
        self.options.dedupe_window = window;
        self
    }

    /// How many bytes of events may wait to be written, in memory; then `publish` waits before it hands them over. 16
    /// MiB by default.
    pub fn queue(mut self, bytes: usize) -> Self {
        self.options.queue = bytes;
        self
    }

    /// How many bytes an event may have, with its topic and keys. Above, `publish` is a
    /// [`PostgresError::TooLarge`]. 8 MiB by default.
    pub fn largest(mut self, bytes: usize) -> Self {
        self.options.largest = bytes;
        self
    }

    /// How long one attempt to connect may take, and how long the network may leave what was sent unconfirmed. Two
    /// seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long `publish` waits, over lost connections and all. Then it is an error, and the outcome is unknown. Ten
    /// seconds by default.
    pub fn publish_timeout(mut self, timeout: Duration) -> Self {
        self.options.publish_timeout = timeout;
        self
    }

    /// How long is waited for what is read. Five seconds by default; it is also how long a server that hangs is not
    /// taken for one that is down.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.options.read_timeout = timeout;
        self
    }

    /// The SQL that creates the log, for who may do that: schema, tables, functions. A hub's user then needs what the
    /// comment at its head grants. A hub that finds it creates nothing.
    ///
    /// ```
    /// use sse_runtime::engine::Postgres;
    ///
    /// let sql = Postgres::connect("postgres://app@localhost/app").schema("events").setup_sql()?;
    /// assert!(sql.contains(r#"CREATE SCHEMA "events";"#));
    /// # Ok::<(), sse_runtime::engine::PostgresError>(())
    /// ```
    ///
    /// # Errors
    /// If there can be no schema of this name.
    pub fn setup_sql(&self) -> Result<String, PostgresError> {
        let names = self.names()?;
        let head = "-- Then, for the user of the hubs:\n\
            --   GRANT USAGE ON SCHEMA {schema} TO app;\n\
            --   GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO app;\n\
            BEGIN;\nCREATE SCHEMA {schema};\n";
        Ok(format!("{}{}COMMIT;\n", names.sql(head), names.tables()))
    }

    fn names(&self) -> Result<Names, PostgresError> {
        let schema = &self.options.schema;
        Names::new(schema).ok_or_else(|| PostgresError::Schema { schema: schema.clone() })
    }

    /// Whether the address can be understood.
    pub(super) fn is_address(url: &str) -> bool {
        url.parse::<tokio_postgres::Config>().is_ok()
    }

    fn running(&self) -> Result<&Running, EngineError> {
        self.running.get().ok_or_else(|| EngineError::new(PostgresError::Closed))
    }

    async fn run(&self, feed: Feed) -> Result<(Running, Log), PostgresError> {
        let options = &self.options;
        let shared = Arc::new(Shared {
            names: self.names()?,
            connector: Connector::new(options)?,
            options: options.clone(),
            epoch: OnceLock::new(),
            known: AtomicU64::new(0),
            node: number(fastrand::u64(1..1 << 63)),
            outages: Outages::new(feed.clone()),
            feed,
            reader: Reader::default(),
        });
        let (changes, changed) = mpsc::unbounded_channel();
        let (begun, to_delivery) = Delivery::begin(Arc::clone(&shared), changed).await?;
        let log = begun.log;
        // Nobody else sets it.
        let _ = shared.epoch.set(number(log.epoch));
        shared.note(log.top);
        let (queue, jobs) = Queue::new(options.queue);
        let writer = Writer::new(Arc::clone(&shared), jobs, to_delivery);
        let tasks = [
            tokio::spawn(begun.run()),
            tokio::spawn(writer.run()),
            tokio::spawn(retention::run(Arc::clone(&shared))),
        ];
        Ok((Running { shared, queue, changes, _tasks: tasks.map(AbortOnDropHandle::new) }, log))
    }
}

/// What all tasks of a node have.
struct Shared {
    options: Options,
    names: Names,
    connector: Connector,
    epoch: OnceLock<i64>,
    /// The highest number that this node has given out.
    known: AtomicU64,
    /// What the log calls this node.
    node: i64,
    feed: Feed,
    outages: Outages,
    reader: Reader,
}

impl Shared {
    fn epoch(&self) -> i64 {
        self.epoch.get().copied().unwrap_or_default()
    }

    fn known(&self) -> u64 {
        self.known.load(Ordering::Acquire)
    }

    fn note(&self, seq: u64) {
        self.known.fetch_max(seq, Ordering::AcqRel);
    }

    fn unreachable(&self, reason: &str) -> PostgresError {
        PostgresError::Unreachable { address: self.connector.address.clone(), reason: reason.to_owned() }
    }
}

struct Running {
    shared: Arc<Shared>,
    queue: Queue,
    changes: mpsc::UnboundedSender<Change>,
    /// They end with it, at their next wait: it may be one of them that drops it.
    _tasks: [AbortOnDropHandle<()>; 3],
}

impl Engine for Postgres {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        Answer::later(self.running.start(self.run(feed)))
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        Answer::later(async move {
            let closed = || EngineError::new(PostgresError::Closed);
            let (answer, answered) = oneshot::channel();
            let change = Change::Open(topic.to_owned(), answer);
            self.running()?.changes.send(change).map_err(|_| closed())?;
            answered.await.map_err(|_| closed())
        })
    }

    fn close(&self, topic: &str) {
        if let Some(running) = self.running.get() {
            // Whose delivery has ended, has none open.
            let _ = running.changes.send(Change::Close(topic.to_owned()));
        }
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        let entry = Entry::new(topic, record);
        Answer::later(async move {
            let Running { shared, queue, .. } = self.running()?;
            let (bytes, most) = (entry.bytes(), shared.options.largest);
            if bytes > most {
                return Err(PostgresError::TooLarge { bytes, most }.of_publish());
            }
            let limit = shared.options.publish_timeout;
            match timeout(limit, queue.publish(entry)).await {
                Ok(answer) => answer.unwrap_or_else(|| Err(EngineError::new(PostgresError::Closed))),
                Err(_) => {
                    let reason = shared.outages.reason();
                    Err(EngineError::new(PostgresError::Timeout { limit, reason }))
                }
            }
        })
    }

    fn deduplicates(&self) -> bool {
        true
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::later(async move {
            let shared = &self.running()?.shared;
            shared.reader.top(shared).await.map_err(EngineError::new)
        })
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        Answer::later(async move {
            let shared = &self.running()?.shared;
            shared.reader.read(shared, topic, after, until).await.map_err(EngineError::new)
        })
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.get();
        f.debug_struct("Postgres")
            .field("address", &running.map(|running| &running.shared.connector.address))
            .field("schema", &self.options.schema)
            .field("top", &running.map(|running| running.shared.known()))
            .finish_non_exhaustive()
    }
}
