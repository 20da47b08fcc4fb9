//! The engine on a Redis server: one log for many machines.
//!
//! ```text
//! error      what can go wrong, and what an error means for the connection
//! start      connecting: which log it is, where it stands
//! link       the connections on which commands go, and how to use them
//! keys       what is stored how
//! script     what the server does in one step: join, publish, mark, read (*.lua)
//! queue      publishers wait here
//! writer     publishing
//! delivery   to the hub; opening and closing topics; the connections
//! catch_up   what was missed while there was none
//! reader     history
//! retention  what is kept
//! ```
//!
//! Everything that a publish does is one script: it takes the numbers from one counter, appends to a stream for each
//! topic, and publishes the record itself on the topic's channel. Scripts run one after the other, so channels show the
//! records in the order of their numbers, and a stream's history is one read.

mod catch_up;
mod delivery;
mod error;
mod keys;
mod link;
mod queue;
mod reader;
mod retention;
mod script;
mod start;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::cmd;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use error::RedisFailure;

use self::delivery::{Delivery, Request};
use self::keys::Keys;
use self::link::Shared;
use self::queue::Queue;
use self::retention::Limits;
use self::writer::Writer;
use super::started::Started;
use super::{Answer, Engine, EngineError, Feed, Log, Page, Record};

/// A log on a Redis server (6.2 or later), which many processes share.
///
/// Each of them gets what any of them publishes, and any of them resumes any client: no sticky sessions.
///
/// ```no_run
/// use std::time::Duration;
/// use sse_runtime::{Hub, Topic, engine::Redis};
///
/// # async fn example() -> sse_runtime::Result<()> {
/// let engine = Redis::connect("redis://events.internal:6379/0").prefix("shop").age(Duration::from_secs(3600));
/// let hub = Hub::on(engine).start().await?;
/// let news: Topic = hub.topic("news");
/// news.publish("to everybody, wherever they are connected").await?;
/// # Ok(())
/// # }
/// ```
///
/// # What is kept
///
/// | limit | default |
/// |---|---|
/// | [`topic_events`](Self::topic_events), of each topic | 1000 |
/// | [`age`](Self::age) | one day |
/// | [`topics`](Self::topics) | 65,536 |
///
/// Set them alike in all processes of one log: each evicts by its own. Of the topics that are known it is known exactly what
/// they have lost; of others, a client whose id is old may be told to begin anew though it has missed nothing. There is no
/// limit of bytes but the server's `maxmemory`; its policy has to be `noeviction`, or the server throws parts of the log
/// away by itself. An event takes some 150 bytes there beside its own.
///
/// # Speed
///
/// What waits is published together, by one script. So one event after the other is as fast as the way to the server and
/// back, and many tasks that publish at once are faster by far; so is one that has many futures of `publish` under way.
/// Each process subscribes once to each topic that somebody follows there.
///
/// # When something fails
///
/// Starting fails with a [`RedisFailure`], see [`EngineError::downcast_ref`]: if nobody answers, or the login is refused,
/// for instance. Later, connections are made again, first at once, then about once a second. Meanwhile streams stay open,
/// `publish` waits, for [`publish_timeout`](Self::publish_timeout) at most, and is done exactly once when the server is
/// back; what others have published is read then, and delivered in its order. A server that hangs is noticed after three
/// or four seconds.
///
/// What the server keeps over a crash is the server's to decide:
///
/// | its settings | what a crash of it loses |
/// |---|---|
/// | `appendonly yes`, `appendfsync always` | nothing that `publish` has answered for |
/// | `appendonly yes` | the last second or two |
/// | snapshots (`save`) | all since the last one |
/// | neither | everything |
/// | a replica takes over | what it had not been sent yet, as replicas are behind by a moment |
///
/// Where events are lost of which any process knows, that is noticed: the log goes on above all numbers that were given out,
/// and clients to whom something may be missing get `sse-reset` with the reason `evicted`. Events that were being published at
/// that moment may be there twice.
///
/// # The server
///
/// All keys and channels begin with `{sse}:`, or another [`prefix`](Self::prefix). A login of its own needs
/// `~{sse}:* &{sse}:* +@all -@admin -@dangerous +info`. It is always the one server that the URL names: behind Sentinel,
/// give a name that leads to the master. In a Cluster, the braces keep a log in one slot, and the server has to be the one
/// that has it. [`Valkey`](https://valkey.io) is Redis to this engine.
///
/// `rediss:` needs a program that has the crate `redis` with one of its TLS features, as `tokio-rustls-comp`, beside this one.
/// Needs Rust 1.88.
#[must_use = "nothing is connected before a hub starts on it: `Hub::on(..).start().await`"]
pub struct Redis {
    options: Options,
    running: Started<Running>,
}

#[derive(Clone)]
struct Options {
    url: String,
    prefix: String,
    limits: Limits,
    record_bytes: usize,
    queue: usize,
    connect_timeout: Duration,
    publish_timeout: Duration,
    read_timeout: Duration,
}

/// A node that has joined the log.
struct Running {
    shared: Arc<Shared>,
    queue: Queue,
    requests: mpsc::UnboundedSender<Request>,
    /// Ends the task that delivers.
    _end: DropGuard,
}

impl Redis {
    /// A log on this server, which is begun if it is not there. It is connected when the hub starts.
    ///
    /// `redis://user:password@host:6379/0`, where all but the host may be left out and the last part is the database's
    /// number; `unix:///run/redis.sock?db=0&user=..&pass=..` for a socket.
    pub fn connect(url: impl Into<String>) -> Self {
        let options = Options {
            url: url.into(),
            prefix: "sse".to_owned(),
            limits: Limits::default(),
            record_bytes: 8 << 20,
            queue: 16 << 20,
            connect_timeout: Duration::from_secs(5),
            publish_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(10),
        };
        Self { options, running: Started::not_yet() }
    }

    /// Which log of the server: all its keys and channels begin with this in braces, `{sse}:` by default. It may not be
    /// empty, nor have braces itself.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// How many events of each topic are kept. 1000 by default; from there on, up to a hundred more may stay for a while,
    /// which is faster.
    pub fn topic_events(mut self, events: u64) -> Self {
        self.options.limits.events = events;
        self
    }

    /// How many topics are known, at most. If there are more, those go with all they have that have been silent for the
    /// longest time. 65,536 by default.
    pub fn topics(mut self, topics: u64) -> Self {
        self.options.limits.topics = topics;
        self
    }

    /// How long an event is kept for sure, by the server's clock. It goes some seconds later, if the topic is silent, or
    /// when something is published there. One day by default.
    pub fn age(mut self, age: Duration) -> Self {
        self.options.limits.age = age;
        self
    }

    /// How long a key of [`dedupe`](crate::Topic::publish) is known. Two minutes by default.
    pub fn dedupe_window(mut self, window: Duration) -> Self {
        self.options.limits.dedupe = window;
        self
    }

    /// How many bytes one event may take in the log: on the wire, with its key, and 60 more. What is larger is an error,
    /// [`RedisFailure::TooLarge`]. 8 MiB by default; Redis itself takes 512 MiB.
    pub fn record_bytes(mut self, bytes: usize) -> Self {
        self.options.record_bytes = bytes;
        self
    }

    /// How many bytes of events may wait to be published, in memory; then `publish` waits before it hands them over. 16
    /// MiB by default.
    pub fn queue(mut self, bytes: usize) -> Self {
        self.options.queue = bytes;
        self
    }

    /// How long an attempt to connect may take, and opening a topic. 5 seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long `publish` waits, over lost connections as well, before it is an error, and nobody knows the outcome. 10
    /// seconds by default.
    pub fn publish_timeout(mut self, timeout: Duration) -> Self {
        self.options.publish_timeout = timeout;
        self
    }

    /// How long a read of the history may take, over lost connections as well. 10 seconds by default.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.options.read_timeout = timeout;
        self
    }

    fn running(&self) -> Result<&Running, EngineError> {
        self.running.get().ok_or_else(|| EngineError::new(self.closed()))
    }

    /// Without the password.
    fn address(&self) -> String {
        match self.running.get() {
            Some(running) => running.shared.address.clone(),
            None => start::client(&self.options.url)
                .map_or_else(|_| "?".to_owned(), |client| client.get_connection_info().addr().to_string()),
        }
    }

    fn closed(&self) -> RedisFailure {
        RedisFailure::Closed { address: self.address() }
    }

    async fn begin(&self, feed: Feed) -> Result<(Running, Log), RedisFailure> {
        let options = self.options.clone();
        if !start::is_prefix(&options.prefix) {
            return Err(RedisFailure::Prefix { prefix: options.prefix });
        }
        let client = start::client(&options.url)?;
        let address = client.get_connection_info().addr().to_string();
        let node = format!("{:016x}", fastrand::u64(..));
        let keys = Keys::new(&options.prefix, &node);
        let (queue, jobs) = Queue::new(options.queue);
        let (requests, asked) = mpsc::unbounded_channel();
        let (trouble, troubles) = mpsc::unbounded_channel();
        let nothing = RedisFailure::Closed { address: address.clone() };
        let (state, known) = (watch::Sender::new(Err(nothing)), AtomicU64::new(0));
        let shared = Arc::new(Shared { options, client, address, keys, known, state, trouble });
        let joined = start::join(&shared, None, 1).await?;
        let log = Log { epoch: joined.epoch, top: joined.top };
        shared.note(log.top);
        drop(shared.state.send_replace(Ok(Arc::clone(&joined.link))));
        let delivery = Delivery::new(Arc::clone(&shared), feed, asked, troubles, &joined);
        let end = CancellationToken::new();
        let ended = end.clone();
        tokio::spawn(async move { ended.run_until_cancelled(delivery.run(joined)).await });
        tokio::spawn(Writer::new(Arc::clone(&shared), jobs).run());
        Ok((Running { shared, queue, requests, _end: end.drop_guard() }, log))
    }
}

impl Running {
    async fn publish(&self, topic: &str, value: Vec<u8>, once: Option<String>) -> Result<u64, RedisFailure> {
        let shared = &self.shared;
        let limit = shared.options.publish_timeout;
        let most = shared.options.record_bytes;
        if value.len() > most {
            return Err(RedisFailure::TooLarge { bytes: value.len(), limit: most });
        }
        let publishing = self.queue.publish(shared.keys.stream(topic), once, value, Instant::now() + limit);
        match timeout(limit, publishing).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(RedisFailure::Closed { address: shared.address.clone() }),
            Err(_) => Err(shared.late(limit)),
        }
    }

    async fn open(&self, topic: &str) -> Result<u64, RedisFailure> {
        let shared = &self.shared;
        let limit = shared.options.connect_timeout;
        let (opened, answered) = oneshot::channel();
        let closed = || RedisFailure::Closed { address: shared.address.clone() };
        self.requests.send(Request::Open(shared.keys.stream(topic), opened)).map_err(|_| closed())?;
        match timeout(limit, answered).await {
            Ok(answer) => answer.map_err(|_| closed()),
            Err(_) => Err(shared.late(limit)),
        }
    }

    async fn top(&self) -> Result<u64, RedisFailure> {
        let shared = &self.shared;
        let mut call = cmd("HGET");
        call.arg(&shared.keys.about).arg("top");
        let answer = shared.ask(&call, shared.options.read_timeout).await?;
        let top: Option<u64> = ::redis::from_redis_value(answer).map_err(|_| RedisFailure::Foreign {
            address: shared.address.clone(),
            key: shared.keys.about.clone(),
        })?;
        // If the server has lost the log, it goes on above what is known here.
        Ok(top.unwrap_or_default().max(shared.known.load(Ordering::Acquire)))
    }
}

impl Engine for Redis {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        Answer::later(self.running.start(self.begin(feed)))
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        Answer::later(async move { self.running()?.open(topic).await.map_err(EngineError::new) })
    }

    fn close(&self, topic: &str) {
        if let Ok(running) = self.running() {
            // If that task is gone, nothing is delivered either.
            drop(running.requests.send(Request::Close(running.shared.keys.stream(topic))));
        }
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        let value = keys::encode(record);
        let dedupe = record.dedupe.map(str::to_owned);
        Answer::later(async move {
            let value = value.ok_or_else(|| EngineError::new("a key of more than 4 GiB"))?;
            let running = self.running()?;
            let once = dedupe.map(|dedupe| running.shared.keys.once(topic, &dedupe));
            running.publish(topic, value, once).await.map_err(RedisFailure::of_publish)
        })
    }

    fn deduplicates(&self) -> bool {
        true
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::later(async move { self.running()?.top().await.map_err(EngineError::new) })
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        Answer::later(async move {
            reader::read(&self.running()?.shared, topic, after, until).await.map_err(EngineError::new)
        })
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.running.get().map(|running| running.shared.known.load(Ordering::Relaxed));
        f.debug_struct("Redis")
            .field("address", &format_args!("{}", self.address()))
            .field("prefix", &self.options.prefix)
            .field("known", &known)
            .finish_non_exhaustive()
    }
}
