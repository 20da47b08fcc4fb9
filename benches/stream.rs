//! What a stream costs the server over a real socket, with axum's own way (a channel and a task) beside it in the same
//! run.
//!
//! ```text
//! cargo bench -p sse-benches --bench stream
//! cargo bench -p sse-benches --bench stream --features allocations
//! ```
//!
//! Each server is a process of its own on tokio's default runtime, and this process is its client. Counted is the CPU
//! time of the server's threads, user and kernel, per event or stream: on a noisy machine it repeats far better than time
//! on the wall. The two take turns, and the medians are compared. With `allocations` every call of the server's allocator is
//! counted, which makes the times worthless.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, sse};
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::stream;
use sse_runtime::{Result, Sse, routes, sse_route};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

#[cfg(feature = "allocations")]
#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);

/// 100 bytes.
const TEXT: &str =
    "The quick brown fox jumps over the lazy dog, and the lazy dog could not care less about it at all...";
const _: () = assert!(TEXT.len() == 100);

/// The handlers count in batches: an atomic operation per event would be a good part of what is measured.
const BATCH: u64 = 1000;

/// Events that the handlers of this process have sent.
static EVENTS: AtomicU64 = AtomicU64::new(0);

fn main() -> std::io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("ours" | "axum" | "axum-nodelay") => server(&std::env::args().nth(1).unwrap_or_default()),
        // `cargo bench` passes `--bench`.
        _ => client(),
    }
}

// ---- the servers -----------------------------------------------------------------------------------------------------

#[sse_route("/endless")]
async fn ours_endless(sse: Sse) -> Result<()> {
    loop {
        for _ in 0..BATCH {
            sse.send(TEXT).await?;
        }
        EVENTS.fetch_add(BATCH, Ordering::Relaxed);
    }
}

#[sse_route("/short/{count}")]
async fn ours_short(sse: Sse, count: u64) -> Result<()> {
    for _ in 0..count {
        sse.send(TEXT).await?;
    }
    EVENTS.fetch_add(count, Ordering::Relaxed);
    Ok(())
}

/// The usual way with axum: a task that sends into a channel, whose receiver is the response.
fn axum_stream(count: u64) -> impl IntoResponse {
    let (sender, receiver) = mpsc::channel::<Result<sse::Event, Infallible>>(16);
    tokio::spawn(async move {
        let mut left = count;
        while left > 0 {
            let batch = left.min(BATCH);
            for _ in 0..batch {
                if sender.send(Ok(sse::Event::default().data(TEXT))).await.is_err() {
                    return;
                }
            }
            EVENTS.fetch_add(batch, Ordering::Relaxed);
            left -= batch;
        }
    });
    let events = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    sse::Sse::new(events).keep_alive(sse::KeepAlive::default())
}

#[tokio::main]
async fn server(kind: &str) -> std::io::Result<()> {
    #[cfg(feature = "allocations")]
    let _profiler = dhat::Profiler::builder().testing().build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let axum_app = Router::new()
        .route("/endless", get(|| async { axum_stream(u64::MAX) }))
        .route("/short/{count}", get(|Path(count): Path<u64>| async move { axum_stream(count) }));
    match kind {
        "ours" => tokio::spawn(sse_runtime::serve(listener, routes![ours_endless, ours_short]).into_future()),
        "axum" => tokio::spawn(axum::serve(listener, axum_app).into_future()),
        _ => {
            let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
            tokio::spawn(axum::serve(listener, axum_app).into_future())
        }
    };
    // The client asks for the figures by a line, and ends the server by closing the pipe.
    let (asked, mut asks) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines() {
            let _ = asked.send(());
        }
    });
    while asks.recv().await.is_some() {
        #[cfg(feature = "allocations")]
        let allocations = dhat::HeapStats::get().total_blocks;
        #[cfg(not(feature = "allocations"))]
        let allocations = 0_u64;
        println!("{} {} {allocations}", EVENTS.load(Ordering::Relaxed), cpu_nanos()?);
    }
    Ok(())
}

/// CPU time of all threads of this process, from Linux's scheduler statistics.
fn cpu_nanos() -> std::io::Result<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let statistics = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanos: Option<u64> = statistics.split(' ').next().and_then(|nanos| nanos.parse().ok());
        sum += nanos.ok_or_else(|| std::io::Error::other("no scheduler statistics"))?;
    }
    Ok(sum)
}

// ---- the client ------------------------------------------------------------------------------------------------------

struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

#[derive(Clone, Copy)]
struct Figures {
    events: u64,
    cpu: u64,
    allocations: u64,
}

impl Server {
    fn start(kind: &str) -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.trim().parse().map_err(std::io::Error::other)?;
        Ok(Self { child, output, address })
    }

    fn figures(&mut self) -> std::io::Result<Figures> {
        if let Some(input) = &mut self.child.stdin {
            input.write_all(b"\n")?;
        }
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        Ok(Figures { events: next(), cpu: next(), allocations: next() })
    }

    /// What `client` costs the server, for one round.
    fn measure(
        &mut self,
        client: impl Fn(SocketAddr) -> std::io::Result<u64>,
    ) -> std::io::Result<(Figures, u64)> {
        let before = self.figures()?;
        let requests = client(self.address)?;
        let after = self.figures()?;
        let figures = Figures {
            events: after.events - before.events,
            cpu: after.cpu - before.cpu,
            allocations: after.allocations - before.allocations,
        };
        Ok((figures, requests))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads one endless stream as fast as it comes.
fn one_stream(address: SocketAddr) -> std::io::Result<u64> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(b"GET /endless HTTP/1.1\r\nhost: bench\r\n\r\n")?;
    let mut buffer = vec![0; 1 << 20];
    let begun = Instant::now();
    while begun.elapsed() < ROUND {
        if socket.read(&mut buffer)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(1)
}

/// Asks for streams of `count` events one after the other, on one connection.
fn short_streams(address: SocketAddr, count: usize) -> std::io::Result<u64> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let request = format!("GET /short/{count} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let mut requests = 0;
    let begun = Instant::now();
    while begun.elapsed() < ROUND {
        socket.write_all(request.as_bytes())?;
        answer.clear();
        while !is_complete(&answer, count) {
            let read = socket.read(&mut buffer)?;
            answer.extend_from_slice(&buffer[..read]);
        }
        requests += 1;
    }
    Ok(requests)
}

/// All events, and the end as the response's framing shows it.
fn is_complete(answer: &[u8], count: usize) -> bool {
    let text = std::str::from_utf8(answer).unwrap_or_default();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.contains("transfer-encoding: chunked") {
        body.ends_with("0\r\n\r\n")
    } else {
        body.matches(TEXT).count() == count
    }
}

fn client() -> std::io::Result<()> {
    let [mut ours, mut axum, mut nodelay] =
        [Server::start("ours")?, Server::start("axum")?, Server::start("axum-nodelay")?];

    println!("one stream of 100 B events, read as fast as it comes: server CPU per event");
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        here.push(ours.measure(one_stream)?.0);
        there.push(axum.measure(one_stream)?.0);
    }
    let per_event = |all: &[Figures]| median(all.iter().map(|f| f.cpu as f64 / f.events as f64));
    let allocations = |all: &[Figures]| median(all.iter().map(|f| f.allocations as f64 / f.events as f64));
    report("ns CPU/event", per_event(&here), per_event(&there));
    if cfg!(feature = "allocations") {
        report("allocations/event", allocations(&here), allocations(&there));
    }

    for count in [1, 3, 10, 30] {
        println!(
            "streams of {count} events, one after the other on one connection: server CPU and time per stream"
        );
        let (mut here, mut there, mut default) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            here.push(ours.measure(|address| short_streams(address, count))?);
            there.push(nodelay.measure(|address| short_streams(address, count))?);
            default.push(axum.measure(|address| short_streams(address, count))?);
        }
        let cpu =
            |all: &[(Figures, u64)]| median(all.iter().map(|(f, streams)| f.cpu as f64 / *streams as f64));
        let wall = |all: &[(Figures, u64)]| {
            median(all.iter().map(|(_, streams)| ROUND.as_secs_f64() * 1e6 / *streams as f64))
        };
        report("ns CPU/stream (axum with TCP_NODELAY)", cpu(&here), cpu(&there));
        report("us on the wall/stream (axum with TCP_NODELAY)", wall(&here), wall(&there));
        report("us on the wall/stream (axum's default)", wall(&here), wall(&default));
    }
    Ok(())
}

fn report(what: &str, ours: f64, axum: f64) {
    println!("  {what:48} ours {ours:10.3}   axum {axum:10.3}   ratio {:6.2}", axum / ours);
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
