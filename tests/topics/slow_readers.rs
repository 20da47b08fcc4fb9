//! A topic with a thousand clients, fifty of which stop reading: they are gone when their time is up, nobody else notices,
//! and nothing of them stays.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use sse_runtime::{Disconnect, DisconnectReason, Hub, Result, Shutdown, Sse, routes, serve, sse_route};
use sse_tests::{LIMIT, allow_many_files, is_alone, open_files, resident, within_limit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::published::Topics;

const READERS: usize = 950;
const STALLED: usize = 50;
const SEND_TIMEOUT: Duration = Duration::from_secs(1);
/// Deadlines are rounded up to 50 ms; the rest is for a machine that does other things as well.
const ROUNDING: Duration = Duration::from_millis(500);
const EVENT: usize = 16 * 1024;
/// Enough for a 99th percentile.
const ROUND: u64 = 40;
/// What noise may add to a percentile.
const NOISE: Duration = Duration::from_millis(5);
/// How much larger the process may be in the end: what the allocator keeps of 50 connections. The events they held are one
/// and the same for all.
const BOUND: usize = 2 << 20;

#[derive(Clone)]
struct App {
    hub: Hub,
    gone: Gone,
}

/// Who has left, and when.
type Gone = Arc<Mutex<Vec<(Instant, Disconnect)>>>;

#[sse_route("/follow", send_timeout = "1s")]
async fn follow(sse: Sse, State(app): State<App>) -> Result<()> {
    let gone = app.gone;
    sse.on_disconnect(async move |disconnect| {
        gone.lock().expect("nobody panics").push((Instant::now(), disconnect));
    });
    sse.follow(&app.hub.topic("0")).await?;
    Ok(())
}

/// What the readers have received.
struct Crowd {
    /// When each event was published, in nanoseconds after `begun`.
    published: Vec<AtomicU64>,
    begun: Instant,
    received: AtomicUsize,
    all_have_it: Notify,
    latencies: Mutex<Vec<Duration>>,
}

impl Crowd {
    fn note(&self, number: u64) {
        let published = self.published[usize::try_from(number).expect("small")].load(Ordering::Relaxed);
        let latency = self.begun.elapsed().saturating_sub(Duration::from_nanos(published));
        self.latencies.lock().expect("nobody panics").push(latency);
        if (self.received.fetch_add(1, Ordering::AcqRel) + 1) % READERS == 0 {
            self.all_have_it.notify_one();
        }
    }

    /// The 99th percentile since this was asked last.
    fn p99(&self) -> Duration {
        let mut latencies = self.latencies.lock().expect("nobody panics");
        latencies.sort_unstable();
        let p99 = latencies[latencies.len() * 99 / 100];
        latencies.clear();
        p99
    }
}

/// Publishes, each event when all readers have the one before.
struct Publisher {
    topics: Topics,
    crowd: Arc<Crowd>,
    padding: String,
    number: u64,
}

impl Publisher {
    async fn publish(&mut self) {
        let now = u64::try_from(self.crowd.begun.elapsed().as_nanos()).expect("a short test");
        self.crowd.published[usize::try_from(self.number).expect("small")].store(now, Ordering::Relaxed);
        self.topics.publish(0, self.number, &self.padding);
        self.number += 1;
        within_limit("an event at every reader", self.crowd.all_have_it.notified()).await;
    }

    async fn publish_round(&mut self) -> Duration {
        for _ in 0..ROUND {
            self.publish().await;
        }
        self.crowd.p99()
    }
}

async fn ask(socket: &mut TcpStream) {
    socket.write_all(b"GET /follow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");
}

/// Reads chunk by chunk, without looking at the padding: an unoptimized build has better things to do.
async fn read(mut socket: TcpStream, crowd: Arc<Crowd>) {
    let mut raw = Vec::with_capacity(2 * EVENT);
    let mut next = 0;
    let head = loop {
        if let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        assert_ne!(socket.read_buf(&mut raw).await.expect("a head"), 0);
    };
    raw.drain(..head);
    loop {
        while let Some(line) = raw.iter().take(16).position(|&byte| byte == b'\r') {
            let size = std::str::from_utf8(&raw[..line]).expect("a chunk's size");
            let size = usize::from_str_radix(size, 16).expect("a chunk's size");
            let (start, end) = (line + 2, line + 2 + size);
            if raw.len() < end + 2 {
                break;
            }
            // The first has the beginning of the stream, in a frame of its own; a comment is short.
            if size > EVENT {
                assert!(size < EVENT + 200, "one event: all wait for all");
                let block = String::from_utf8_lossy(&raw[start..start + 100]);
                let number = block.split("data: 0:").nth(1).and_then(|rest| rest.split(' ').next());
                let number: u64 = number.and_then(|number| number.parse().ok()).expect("an event");
                assert_eq!(number, next, "no gap");
                next += 1;
                crowd.note(number);
            }
            raw.drain(..end + 2);
        }
        match socket.read_buf(&mut raw).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

async fn gather(address: SocketAddr, hub: &Hub, crowd: &Arc<Crowd>) -> Vec<JoinHandle<()>> {
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut socket = TcpStream::connect(address).await.expect("it listens");
        ask(&mut socket).await;
        readers.push(tokio::spawn(read(socket, Arc::clone(crowd))));
    }
    subscribed(hub, READERS).await;
    readers
}

/// Those that ask, and never read what they get.
async fn stall(address: SocketAddr, hub: &Hub) -> Vec<TcpStream> {
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small window");
        let mut socket = socket.connect(address).await.expect("it listens");
        ask(&mut socket).await;
        stalled.push(socket);
    }
    subscribed(hub, READERS + STALLED).await;
    stalled
}

async fn subscribed(hub: &Hub, count: usize) {
    let all = async {
        while hub.stats().subscribers < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within_limit("everybody follows", all).await;
}

struct Scene {
    address: SocketAddr,
    hub: Hub,
    gone: Gone,
    crowd: Arc<Crowd>,
    publisher: Publisher,
    readers: Vec<JoinHandle<()>>,
}

impl Scene {
    async fn set() -> Self {
        allow_many_files();
        // A short history, so that what those that stall hold is theirs alone.
        let hub = Hub::in_memory().topic_events(16).build();
        let gone = Gone::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app: Router = routes![follow].with_state(App { hub: hub.clone(), gone: Arc::clone(&gone) });
        tokio::spawn(serve(listener, app).shutdown(Shutdown::new()).into_future());

        let crowd = Arc::new(Crowd {
            published: std::iter::repeat_with(AtomicU64::default).take(2000).collect(),
            begun: Instant::now(),
            received: AtomicUsize::new(0),
            all_have_it: Notify::new(),
            latencies: Mutex::new(Vec::with_capacity(READERS * 100)),
        });
        let readers = gather(address, &hub, &crowd).await;
        let (topics, padding) = (Topics::new(&hub, 1), "x".repeat(EVENT));
        let publisher = Publisher { topics, crowd: Arc::clone(&crowd), padding, number: 0 };
        Self { address, hub, gone, crowd, publisher, readers }
    }

    /// Fifty come, and stop reading. Returns how long the others waited beside them, as a share of what they wait
    /// otherwise.
    async fn stall(&mut self) -> f64 {
        let (memory, open) = (resident(), open_files());
        let before = self.publisher.publish_round().await;
        let stalled = stall(self.address, &self.hub).await;
        let (asked, first) = (Instant::now(), self.publisher.number);
        let mut most = memory;
        while self.gone.lock().expect("nobody panics").len() < STALLED {
            self.publisher.publish().await;
            most = most.max(resident());
            assert!(asked.elapsed() < LIMIT, "{} are gone", self.gone.lock().expect("nobody panics").len());
        }
        let beside = self.crowd.p99();
        let after = self.publisher.publish_round().await;

        let gone = std::mem::take(&mut *self.gone.lock().expect("nobody panics"));
        assert!(gone.iter().all(|(_, gone)| gone.reason == DisconnectReason::SendTimeout), "{gone:?}");
        let waited: Vec<_> = gone.iter().map(|(at, gone)| self.waited(*at, first, gone.events)).collect();
        let most_taken = gone.iter().map(|(_, gone)| gone.events).max().expect("there were some");
        let (shortest, longest) = (waited.iter().min().expect("some"), waited.iter().max().expect("some"));
        assert_eq!(open_files(), open + STALLED, "the server has closed its sockets, these clients have not");
        drop(stalled);
        assert_eq!(self.hub.stats().subscribers, READERS);
        assert!(self.readers.iter().all(|reader| !reader.is_finished()), "nobody else has noticed");

        let end = resident();
        println!(
            "{STALLED} of {} stalled: took at most {most_taken} events, gone {shortest:.2?} to {longest:.2?} after the \
             first that they did not take, with a limit of {SEND_TIMEOUT:?}",
            READERS + STALLED,
        );
        println!(
            "99th percentile of the others, without a gap in {} events: {before:.1?} before, {beside:.1?} beside them, \
             {after:.1?} after",
            self.publisher.number,
        );
        println!("memory: {} KiB before, {} KiB at most, {} KiB after", memory >> 10, most >> 10, end >> 10);
        assert!(end < memory + BOUND, "{} KiB more than before", (end - memory) >> 10);
        beside.saturating_sub(NOISE).div_duration_f64(before.min(after))
    }
}

impl Scene {
    /// How long one that stalls was waited for, from the first event on that it did not take; `first` was the first for it.
    fn waited(&self, gone: Instant, first: u64, events: u64) -> Duration {
        let published = |number: u64| {
            let nanos = self.crowd.published[usize::try_from(number).expect("small")].load(Ordering::Relaxed);
            self.crowd.begun + Duration::from_nanos(nanos)
        };
        assert!(events > 1, "it took something: one that says where the stream begins, and one of the topic");
        let last = first + events - 2;
        assert!(last + 1 < self.publisher.number, "there was more than it took");
        assert!(gone - published(last) >= SEND_TIMEOUT, "too early: {:?}", gone - published(last));
        let waited = gone.saturating_duration_since(published(last + 1));
        assert!(waited <= SEND_TIMEOUT + ROUNDING, "too late: {waited:?}");
        waited
    }
}

async fn fifty_of_a_thousand() {
    let mut scene = Scene::set().await;
    // The memory that a crowd takes at first.
    scene.publisher.publish_round().await;
    let mut shares = Vec::new();
    // Others may build at the same time, and slow down what happens to be measured then.
    while shares.len() < 3 {
        let share = scene.stall().await;
        if share <= 2.0 {
            return;
        }
        shares.push(share);
    }
    panic!("the others waited {shares:.1?} times as long as without them");
}

#[test]
fn fifty_of_a_thousand_that_stall_are_gone_in_time_and_nobody_else_notices() {
    if !is_alone("slow_readers::fifty_of_a_thousand_that_stall_are_gone_in_time_and_nobody_else_notices") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(fifty_of_a_thousand());
    runtime.shutdown_timeout(Duration::from_secs(1));
}
