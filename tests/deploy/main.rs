//! A deploy as its clients see it: ten thousand streams move from one process to the next, on one listening socket and one
//! log, while events go on.

mod client;
mod log;
mod node;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sse_tests::{Example, allow_many_files};
use tokio::sync::{Barrier, Semaphore, watch};
use tokio::task::JoinSet;

use client::Moved;
use log::Writer;

const STREAMS: usize = 10_000;
/// Over how long the old process says its goodbyes.
const DRAIN: Duration = Duration::from_secs(10);
/// The width of a bar in the histogram of reconnections.
const BAR: Duration = Duration::from_secs(1);
/// How many clients open their connections at a time.
const AT_A_TIME: usize = 128;

/// Starts this very program again, as a server on the socket.
async fn start_node(log: &Path, listener: &TcpListener) -> Example {
    let this = std::env::current_exe().expect("the test's own file");
    let arguments = ["--exact", "the_streams_of_a_deploy_move_over_evenly_and_miss_nothing", "--nocapture"];
    let log = log.to_str().expect("a path that is text");
    Example::start_program_inheriting(&this, &arguments, &[(node::LOG, log)], listener).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_streams_of_a_deploy_move_over_evenly_and_miss_nothing() {
    if let Some(log) = std::env::var_os(node::LOG) {
        return node::run(Path::new(&log)).await;
    }
    // Each stream is an open file, here and there; the common limit is 1024.
    allow_many_files();

    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut writer = Writer::new(&log);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut old = start_node(&log, &listener).await;

    let open = Arc::new(Barrier::new(STREAMS + 1));
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let (last, wanted) = watch::channel(None);
    let mut clients = JoinSet::new();
    for _ in 0..STREAMS {
        clients.spawn(client::run(address, Arc::clone(&turns), Arc::clone(&open), wanted.clone()));
    }
    open.wait().await;

    // Two events while the old process is alone, one a second from then on.
    writer.append();
    writer.append();
    let new = start_node(&log, &listener).await;
    let asked = Instant::now();
    let (ended, _) = tokio::join!(old.terminate(), async {
        // Until the old one has said its last goodbye, and its clients have had the time to come back.
        for _ in 0..DRAIN.as_secs() + 4 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            writer.append();
        }
    });
    assert!(ended.success(), "{ended}");
    last.send_replace(Some(writer.append()));

    let mut moved = Vec::new();
    while let Some(client) = clients.join_next().await {
        moved.extend(client.expect("what a client was promised"));
    }
    assert_eq!(moved.len(), STREAMS, "each moves once");
    drop(new);
    show(&moved, asked);
}

/// Prints how many came back when, and holds that to what was promised.
fn show(moved: &[Moved], asked: Instant) {
    let bar = |moment: Instant| (moment.duration_since(asked).as_millis() / BAR.as_millis()) as usize;
    let last = moved.iter().map(|moved| bar(moved.came_back)).max().expect("some");
    let mut bars = vec![0_usize; last + 1];
    for moved in moved {
        bars[bar(moved.came_back)] += 1;
    }
    let highest = bars.iter().copied().max().expect("some");
    println!("{STREAMS} streams, goodbyes over {DRAIN:?}: when their clients came back");
    for (number, count) in bars.iter().enumerate() {
        let begins = (BAR * u32::try_from(number).expect("few")).as_secs_f64();
        println!("{begins:>5.1} s {count:>5} {}", "#".repeat(60 * count / highest));
    }
    let spread = DRAIN.as_millis() / BAR.as_millis();
    let even = STREAMS / usize::try_from(spread).expect("few");
    println!("highest bar {highest}, if it were perfectly even {even}");
    assert!(highest < 2 * even, "{highest} at once, where {even} would be even");
    let longest = moved.iter().map(|moved| moved.away).max().expect("some");
    println!("longest time without a stream: {longest:?}");
}
