//! The engine on NATS JetStream: one log for many machines.
//!
//! The files are those of the other engines, as far as there is a use for them:
//!
//! ```text
//! error      what can go wrong
//! connect    one connection, which lives once
//! api        what JetStream is asked for
//! stream     the stream that holds the log: which log it is, its limits
//! session    what a connection and its tasks know together
//! subject    how a topic's name becomes part of a subject
//! message    what is stored how
//! queue      publishers wait here
//! writer     publishing
//! mend       the task that has a connection, or makes one
//! opened     whether there is anything to deliver
//! delivery   to the hub
//! reader     history
//! ```
//!
//! A node receives every event of the log, also of topics that nobody has open there, or none as long as it has no topic
//! open: one consumer of the whole stream is the only way by which the server itself keeps the order over all topics, and
//! says what is missing.

mod api;
mod connect;
mod delivery;
mod error;
mod mend;
mod message;
mod opened;
mod queue;
mod reader;
mod session;
mod stream;
mod subject;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

pub use error::NatsError;

use self::connect::Servers;
use self::queue::Queue;
use self::session::{Session, Shared};
use super::started::Started;
use super::{Answer, Engine, EngineError, Feed, Log, Page, Record};

/// How long `open` waits for a server that is away.
const OPEN: Duration = Duration::from_secs(10);

/// A log in a stream of NATS JetStream, shared by any number of processes.
///
/// ```no_run
/// use std::time::Duration;
/// use sse_runtime::{Hub, Topic, engine::Nats};
///
/// # async fn example() -> sse_runtime::Result<()> {
/// let engine = Nats::connect("nats://127.0.0.1:4222").age(Duration::from_secs(7 * 24 * 3600));
/// let hub = Hub::on(engine).start().await?;
/// let news: Topic = hub.topic("news");
/// news.publish("to every browser, on whatever machine").await?;
/// # Ok(())
/// # }
/// ```
///
/// What `publish` has answered for is in the stream. Every process on the stream delivers it, and each can resume any client:
/// nobody needs sticky sessions. Servers from 2.9 on are supported.
///
/// # What is kept
///
/// | limit | default, for a stream that is made |
/// |---|---|
/// | [`age`](Self::age) | one day |
/// | [`bytes`](Self::bytes) | 1 GiB, which the server sets aside: one that has not so much refuses |
/// | [`events`](Self::events) | none |
///
/// A program that starts brings the stream to the limits that it names, and leaves the others as they are, so that operators
/// can set them. Of all topics together, the oldest events go first. What a topic has lost is not known for each: a client
/// whose id is older than the oldest event of all topics is told to begin anew, though it may have missed nothing.
///
/// # Durable
///
/// The server answers when it has written the event, and writes to the disk later: every two minutes by default
/// (`sync_interval`). A server that is killed loses nothing of what it has acknowledged; a machine without power may lose
/// the newest events, if [`replicas`](Self::replicas) is 1. Then, or if the stream is deleted, numbers go on above all that
/// any process knows to have been given out (one without subscribers: up to a second before), and clients are told
/// (`sse-reset` with `evicted`), not fed other events under known ids.
///
/// With three replicas, an event is on two servers of a cluster before `publish` answers, and one of them may go. When the
/// stream's leader does, there is a pause of some seconds until another one is chosen; what was under way is sent again. A
/// process that starts just then may fail.
///
/// # Speed
///
/// Many events are under way at once, so publishing one after the other is as slow as a round trip, and many tasks that
/// publish at once are not. A process that has had subscribers receives every event of the log, also of topics that nobody
/// follows there: two logs that have nothing to do with each other are better two [streams](Self::stream). One that only
/// publishes receives none.
///
/// To read history makes a consumer on the server for each page of up to 2048 events. Servers before 2.10 count what is left
/// at each record of one subject, so from them the events of all topics are read, up to 8192 for a page, and those of others
/// are passed over here: there, topics that are read far back are better not in one stream with a hundred times as many events
/// of others.
///
/// # Once
///
/// The server knows every event by an id for [two minutes](Self::dedupe_window): by its
/// [`dedupe`](crate::Publishing::dedupe) key, or by one of the engine's own, so that what is sent again after a lost
/// connection is there once. It holds these ids in memory, about 150 bytes for each.
///
/// # When something fails
///
/// Opening fails with a [`NatsError`], see [`EngineError::downcast_ref`]: if nobody answers there, the login is refused,
/// there is no JetStream, or the stream is somebody else's.
///
/// While there is no connection, `publish` waits, for [`publish_timeout`](Self::publish_timeout) at most, and is then an
/// error: the outcome is unknown. Streams stay open. It connects again by itself, at most a second after the server is
/// back, sends what has had no answer, in its order, and delivers from where it stopped. A process in which no topic has been
/// followed yet cannot follow one meanwhile: that waits for 10 s, and is then an error. A server that is silent, because
/// it hangs or the network does, is noticed after 2.5 s, or a second later by one that has no subscribers.
///
/// # Logins and TLS
///
/// The user needs to publish to `$JS.API.>`, `$JS.FC.>` and `<stream>.>`, and to subscribe to `_INBOX.>`.
///
/// `tls://`, and servers that ask for TLS, need the feature `nats-tls`, which brings ring; for another provider, add
/// `async-nats` of the same version to your own dependencies with its feature `aws-lc-rs`, for credentials files and keys with
/// `nkeys`. Hand over [`options`](Self::options) for them. Needs Rust 1.89.
#[must_use = "nothing is connected before a hub starts on it: `Hub::on(..).start().await`"]
pub struct Nats {
    servers: Result<Servers, &'static str>,
    options: Options,
    running: Started<Running>,
}

/// Where the server keeps the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// In files.
    File,
    /// In memory: gone when the server ends.
    Memory,
}

#[derive(Clone)]
struct Options {
    stream: String,
    limits: Limits,
    storage: Option<Storage>,
    dedupe_window: Option<Duration>,
    publish_timeout: Duration,
    queue: usize,
    connect: Option<async_nats::ConnectOptions>,
}

/// None is what the stream has already, or a default for one that is made.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    age: Option<Duration>,
    bytes: Option<u64>,
    events: Option<u64>,
    replicas: Option<usize>,
}

struct Running {
    shared: Arc<Shared>,
    queue: Queue,
    _task: AbortOnDropHandle<()>,
}

impl Nats {
    /// A log on the server at this address, `nats://host:4222` or `tls://host`, or several of one cluster with commas
    /// between them. A user and password, or a token, may be in it: `nats://user:password@host`. It is connected when the
    /// hub starts.
    pub fn connect(address: impl AsRef<str>) -> Self {
        let options = Options {
            stream: "sse".to_owned(),
            limits: Limits::default(),
            storage: None,
            dedupe_window: None,
            publish_timeout: Duration::from_secs(10),
            queue: 16 << 20,
            connect: None,
        };
        Self { servers: Servers::parse(address.as_ref()), options, running: Started::not_yet() }
    }

    /// The name of the stream, which is made if there is none: `sse` by default. Hubs on one stream share their topics.
    ///
    /// Its subjects begin with its name, and what else they say is the engine's.
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        self.options.stream = name.into();
        self
    }

    /// How long an event is kept.
    pub fn age(mut self, age: Duration) -> Self {
        self.options.limits.age = Some(age);
        self
    }

    /// How many bytes are kept, as the server counts them.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.options.limits.bytes = Some(bytes.min(i64::MAX.unsigned_abs()));
        self
    }

    /// How many events are kept.
    pub fn events(mut self, events: u64) -> Self {
        self.options.limits.events = Some(events.min(i64::MAX.unsigned_abs()));
        self
    }

    /// On how many servers of a cluster the log is: 1, 3 or 5.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.options.limits.replicas = Some(replicas);
        self
    }

    /// Where the server keeps the log: in files, by default. It cannot be changed later.
    pub fn storage(mut self, storage: Storage) -> Self {
        self.options.storage = Some(storage);
        self
    }

    /// How long the server knows an event again by its [`dedupe`](crate::Publishing::dedupe) key. Two minutes by default, and
    /// never longer than [`age`](Self::age).
    pub fn dedupe_window(mut self, window: Duration) -> Self {
        self.options.dedupe_window = Some(window);
        self
    }

    /// How long `publish` waits for the server, before it says that the outcome is unknown. Ten seconds by default.
    pub fn publish_timeout(mut self, timeout: Duration) -> Self {
        self.options.publish_timeout = timeout;
        self
    }

    /// How many bytes of events may wait to be published, in memory; then `publish` waits before it hands them over. 16 MiB
    /// by default.
    pub fn queue(mut self, bytes: usize) -> Self {
        self.options.queue = bytes;
        self
    }

    /// How to connect: credentials, certificates, names. How to connect again is the engine's own, whatever is set here, and a
    /// login in the address goes before one in here.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use async_nats::ConnectOptions;
    /// use sse_runtime::{Hub, engine::Nats};
    ///
    /// let options = ConnectOptions::new().add_root_certificates("ca.pem".into()).name("shop");
    /// let hub = Hub::on(Nats::connect("tls://nats.internal").options(options)).start().await?;
    /// # let _ = hub;
    /// # Ok(())
    /// # }
    /// ```
    pub fn options(mut self, options: async_nats::ConnectOptions) -> Self {
        self.options.connect = Some(options);
        self
    }

    /// The same, if its address is one.
    pub(super) fn checked(self) -> Result<Self, &'static str> {
        match self.servers {
            Ok(_) => Ok(self),
            Err(reason) => Err(reason),
        }
    }

    fn running(&self) -> Result<&Running, EngineError> {
        self.running.get().ok_or_else(|| EngineError::new(NatsError::Closed))
    }

    async fn begin(&self, feed: Feed) -> Result<(Running, Log), NatsError> {
        let malformed = |reason: &str| NatsError::Configuration { reason: reason.to_owned() };
        let mut servers = self.servers.clone().map_err(malformed)?;
        let options = self.options.clone();
        let is_name = |c: char| c.is_ascii_graphic() && !matches!(c, '.' | '*' | '>' | '/' | '\\');
        if options.stream.is_empty() || !options.stream.chars().all(is_name) {
            let reason =
                format!("{:?} cannot be a stream's name: it is letters, digits, `-` and `_`", options.stream);
            return Err(NatsError::Configuration { reason });
        }
        mend::within(async {
            let (api, found) = mend::open(&options, &mut servers).await?;
            let epoch = found.identity.epoch;
            let session = Session::new(api, &options.stream, &found, epoch);
            let log = Log { epoch, top: session.number(found.last) };
            let (queue, jobs) = Queue::new(options.queue);
            let shared = Arc::new(Shared::new(options.clone(), feed, epoch, log.top));
            let task = mend::run(Arc::clone(&shared), servers, jobs, Arc::new(session));
            let task = AbortOnDropHandle::new(tokio::spawn(task));
            Ok((Running { shared, queue, _task: task }, log))
        })
        .await
    }
}

impl Engine for Nats {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        Answer::later(self.running.start(self.begin(feed)))
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        Answer::later(async move {
            let opened = &self.running()?.shared.opened;
            match timeout(OPEN, opened.open(topic)).await {
                Ok(above) => above.ok_or_else(|| EngineError::new(NatsError::Closed)),
                Err(_) => Err(EngineError::new(NatsError::TimedOut { doing: "deliver", after: OPEN })),
            }
        })
    }

    fn close(&self, topic: &str) {
        if let Some(running) = self.running.get() {
            running.shared.opened.close(topic);
        }
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        let payload = message::encode(topic, record);
        let id = record.dedupe.map(|dedupe| subject::message_id(topic, dedupe));
        Answer::later(async move {
            let payload =
                payload.ok_or_else(|| EngineError::new("a topic's name or a key of more than 4 GiB"))?;
            let queue = &self.running()?.queue;
            let after = self.options.publish_timeout;
            match timeout(after, queue.publish(subject::token(topic), payload, id)).await {
                Ok(outcome) => outcome.unwrap_or_else(|| Err(EngineError::new(NatsError::Closed))),
                Err(_) => Err(EngineError::new(NatsError::TimedOut { doing: "publish", after })),
            }
        })
    }

    fn deduplicates(&self) -> bool {
        true
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::later(async move { reader::top(&self.running()?.shared).await.map_err(EngineError::new) })
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        Answer::later(async move {
            let read = reader::read(&self.running()?.shared, topic, after, until);
            read.await.map_err(EngineError::new)
        })
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.running.get().map(|running| running.shared.known());
        f.debug_struct("Nats")
            .field("stream", &self.options.stream)
            .field("known", &known)
            .finish_non_exhaustive()
    }
}
