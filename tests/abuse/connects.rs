//! Floods of connections that say nothing, and storms of connections that are reset.

use std::time::{Duration, Instant};

use sse_tests::{is_alone, open_files, resident};

use crate::peer::{closed, connect, get, read_until, reset, until};
use crate::target::Target;
use crate::witness::Witness;

const SILENT: usize = 4000;
/// What they are allowed here.
const HEAD_LIMIT: Duration = Duration::from_secs(3);
/// For each: the task of a connection that has not been asked anything.
const MEMORY_EACH: usize = 16 << 10;
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn thousands_of_connections_that_say_nothing_cost_little_and_are_gone_in_time() {
    if !is_alone("connects::thousands_of_connections_that_say_nothing_cost_little_and_are_gone_in_time") {
        return;
    }
    let target = Target::set(|serve| serve.header_read_timeout(HEAD_LIMIT)).await;
    let witness = Witness::start(target.address);
    let mut waiting = Vec::with_capacity(SILENT);
    let (files, memory) = (open_files(), resident());
    let begun = Instant::now();
    // Those that were first may be gone again when the last are accepted: the most there ever was is asked for.
    let mut most = 0;
    for number in 0..SILENT {
        waiting.push(connect(target.address).await);
        if number % 100 == 0 {
            most = most.max(resident());
        }
    }
    let connected = begun.elapsed();
    while begun.elapsed() < HEAD_LIMIT * 2 / 3 {
        most = most.max(resident());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let grown = most.saturating_sub(memory);
    for socket in &mut waiting {
        closed(socket).await;
    }
    let gone = begun.elapsed();
    drop(waiting);
    println!(
        "silent: {SILENT} connected in {connected:.1?}, gone after {gone:.1?}, +{:.1} KiB each; {}",
        grown as f64 / 1024.0 / SILENT as f64,
        witness.served()
    );
    assert!(grown < SILENT * MEMORY_EACH, "+{} KiB", grown >> 10);
    assert!(gone < connected + HEAD_LIMIT + SLACK, "{gone:?}");
    until("all files to be closed", || open_files() <= files).await;
}

/// When the client resets its connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Connected,
    /// A request is on its way, or in the server's hands.
    Asked,
    /// A stream is open.
    Streaming,
}

const TASKS: usize = 10;
const RESETS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn storms_of_resets_leave_no_file_no_stream_and_no_hook_behind() {
    if !is_alone("connects::storms_of_resets_leave_no_file_no_stream_and_no_hook_behind") {
        return;
    }
    let target = Target::start().await;
    let files = open_files();
    let mut memory = Vec::new();
    for when in [When::Connected, When::Asked, When::Streaming, When::Streaming] {
        let witness = Witness::start(target.address);
        let begun = Instant::now();
        let mut tasks = Vec::new();
        let before = target.ledger.begun();
        for _ in 0..TASKS {
            let address = target.address;
            tasks.push(tokio::spawn(async move {
                for _ in 0..RESETS {
                    let socket = match when {
                        When::Connected => connect(address).await,
                        When::Asked => get(address, "/idle").await,
                        When::Streaming => {
                            let mut socket = get(address, "/idle").await;
                            read_until(&mut socket, "data: x\n\n").await;
                            socket
                        }
                    };
                    reset(socket);
                }
            }));
        }
        for task in tasks {
            task.await.expect("every connection is accepted");
        }
        let served = witness.served();
        let streams = target.settled().await - before;
        until("all files to be closed", || open_files() <= files).await;
        println!(
            "{} resets ({when:?}) in {:.1?}: {streams} streams, {served}",
            TASKS * RESETS,
            begun.elapsed()
        );
        match when {
            When::Connected => assert_eq!(streams, 0),
            // Whether a request is read before the reset is the kernel's affair.
            When::Asked => {}
            When::Streaming => {
                assert_eq!(streams, TASKS * RESETS);
                memory.push(resident());
            }
        }
    }
    println!("after each storm of streams: {} and {} KiB in memory", memory[0] >> 10, memory[1] >> 10);
    assert!(memory[1] < memory[0] + (4 << 20), "it grows with every storm: {memory:?}");
}
