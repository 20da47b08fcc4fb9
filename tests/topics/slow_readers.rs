//! A topic with a thousand clients, fifty of which stop reading: they are gone when their time is up, nobody else notices,
//! and nothing of them stays.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sse_runtime::{Disconnect, DisconnectReason, Hub, Result, Shutdown, Sse, routes, serve, sse_route};
use sse_tests::{is_alone, resident, within_limit};
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
/// How large an event is. What the kernel and hyper take for one that does not read are some 20 of them.
const EVENT: usize = 16 * 1024;
/// Enough to fill all that lies between.
const FILL: u64 = 48;
/// Enough for a 99th percentile.
const ROUND: u64 = 40;
/// What noise may add to a percentile.
const NOISE: Duration = Duration::from_millis(5);
/// How much larger the process may be in the end. Those that stall hold up to 16 MiB.
const BOUND: usize = 4 << 20;

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

async fn fifty_of_a_thousand() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("the limit may be raised");
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
        latencies: Mutex::new(Vec::with_capacity(READERS * 400)),
    });
    let readers = gather(address, &hub, &crowd).await;
    let topics = Topics::new(&hub, 1);
    let mut publisher =
        Publisher { topics, crowd: Arc::clone(&crowd), padding: "x".repeat(EVENT), number: 0 };
    // The memory that a crowd takes at first.
    publisher.publish_round().await;

    let start = resident();
    let before = publisher.publish_round().await;
    let stalled = stall(address, &hub).await;
    let (asked, first) = (Instant::now(), publisher.number);
    let (mut full, mut most) = (None, start);
    while gone.lock().expect("nobody panics").len() < STALLED {
        publisher.publish().await;
        most = most.max(resident());
        if publisher.number - first >= FILL {
            let full = *full.get_or_insert_with(Instant::now);
            assert!(
                full.elapsed() < SEND_TIMEOUT + ROUNDING,
                "{} left",
                gone.lock().expect("nobody panics").len()
            );
        }
    }
    let full = full.expect("nobody left before the buffers were full");
    let beside = crowd.p99();
    let after = publisher.publish_round().await;
    let end = resident();

    let gone = std::mem::take(&mut *gone.lock().expect("nobody panics"));
    assert!(gone.iter().all(|(_, gone)| gone.reason == DisconnectReason::SendTimeout), "{gone:?}");
    let (earliest, latest) = (gone[0].0, gone[STALLED - 1].0);
    assert!(earliest - asked >= SEND_TIMEOUT, "{:?}", earliest - asked);
    for mut socket in stalled {
        let mut rest = Vec::new();
        // With a reset: it did not get all that was sent.
        drop(within_limit("the end of the connection", socket.read_to_end(&mut rest)).await);
        assert!(rest.len() < usize::try_from(FILL).expect("small") * EVENT, "cut in the middle");
    }
    assert_eq!(hub.stats().subscribers, READERS);
    assert!(readers.iter().all(|reader| !reader.is_finished()), "nobody else has noticed");

    println!(
        "{STALLED} of {} stalled: gone {:.2?} to {:.2?} after the buffers were full, with a limit of {SEND_TIMEOUT:?}",
        READERS + STALLED,
        earliest.saturating_duration_since(full),
        latest.saturating_duration_since(full),
    );
    println!(
        "99th percentile of {READERS} others, {} events: {before:.1?} before, {beside:.1?} beside them, {after:.1?} after",
        publisher.number,
    );
    println!("memory: {} KiB before, {} KiB at most, {} KiB after", start >> 10, most >> 10, end >> 10);
    assert!(beside <= 2 * before.min(after) + NOISE, "{beside:?} beside those that stall");
    assert!(end < start + BOUND, "{} KiB more than before", (end - start) >> 10);
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
