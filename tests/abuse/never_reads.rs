//! Clients that ask and never read what they asked for.

use std::time::{Duration, Instant};

use sse_runtime::DisconnectReason;
use sse_tests::{is_alone, open_files, resident, within_limit};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::http2_frames::{PING, frame, open};
use crate::peer::{connect, get, until};
use crate::target::Target;
use crate::witness::Witness;

const CLIENTS: usize = 200;
/// For each of them: what its stream has queued (32 KiB and one event), and the frames on their way to its socket, of which
/// hyper queues 64 KiB (`max_head_size`) and one more; the rest is the allocator's.
const MEMORY_EACH: usize = 320 << 10;
/// The route's send timeout is 1 s, and it begins when the socket takes nothing any more; the ticker that looks is coarse. Without
/// it, the kernel would close the sockets after 30 s.
const GONE_IN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_that_never_read_cost_bounded_memory_and_are_gone_in_the_send_timeout() {
    if !is_alone("never_reads::many_that_never_read_cost_bounded_memory_and_are_gone_in_the_send_timeout") {
        return;
    }
    let target = Target::start().await;
    let (files, memory) = (open_files(), resident());
    let witness = Witness::start(target.address);
    let mut highest = Vec::new();
    for round in 1..=2 {
        let mut sockets = Vec::new();
        for _ in 0..CLIENTS {
            sockets.push(get(target.address, "/flood").await);
        }
        let asked = Instant::now();
        let mut most = 0;
        until("all streams to begin", || target.ledger.begun() == round * CLIENTS).await;
        while target.ledger.ended() < round * CLIENTS {
            most = most.max(resident());
            assert!(asked.elapsed() < GONE_IN, "{} are left", target.shutdown.open_streams());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Those of the witness come and go.
        until("the server's sockets to be closed", || open_files() <= files + CLIENTS + 4).await;
        let took = asked.elapsed();
        assert!(took < GONE_IN, "the streams are gone, and their sockets only after {took:?}");
        let grown = most.saturating_sub(memory);
        println!("never read: {CLIENTS} gone after {took:.1?}, +{} KiB each", (grown >> 10) / CLIENTS);
        assert!(grown < CLIENTS * MEMORY_EACH, "+{} KiB", grown >> 10);
        highest.push(grown);
    }
    assert!(
        highest[1] < highest[0] * 5 / 4 + (4 << 20),
        "the second round finds the memory of the first: {highest:?}"
    );
    assert_eq!(target.settled().await, 2 * CLIENTS);
    assert_eq!(target.ledger.ended_by(DisconnectReason::SendTimeout), 2 * CLIENTS);
    println!("never read: {}", witness.served());
    until("all files to be closed", || open_files() <= files).await;
}

/// `peer_timeout` is 1 s here, which while a client does not read becomes 5 s: streams have their own deadline before that.
/// The kernel looks when it probes the closed window, less and less often.
const UNFETCHED_GONE_IN: Duration = Duration::from_secs(12);
/// What the kernel's buffers hold of the questions, and some more.
const TAKEN: usize = 32 << 20;
/// For two connections.
const UNFETCHED_MEMORY: usize = 4 << 20;

/// Asks on and on, and never looks at an answer. Returns how much was taken, and after how long the connection was gone.
async fn ask_on(mut socket: impl AsyncWrite + Unpin, question: &[u8]) -> (usize, Duration) {
    let begun = Instant::now();
    let questions = question.repeat(1000);
    let mut taken = 0;
    let ask = async {
        while let Ok(more) = socket.write(&questions).await {
            taken += more;
            assert!(taken < TAKEN, "it takes questions without end, although nobody reads the answers");
        }
    };
    within_limit("the end of the connection", ask).await;
    (taken, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answers_that_nobody_fetches_are_not_kept_for_ever() {
    if !is_alone("never_reads::answers_that_nobody_fetches_are_not_kept_for_ever") {
        return;
    }
    let target = Target::set(|serve| serve.peer_timeout(Some(Duration::from_secs(1)))).await;
    let (files, memory) = (open_files(), resident());
    let http1 = connect(target.address).await;
    let (pongs, http2) = open(target.address, &[]).await;
    let ping = frame(PING, 0, 0, b"are you?");
    let (requests, pings) =
        tokio::join!(ask_on(http1, b"GET /plain HTTP/1.1\r\nhost: x\r\n\r\n"), ask_on(http2, &ping));
    let grown = resident().saturating_sub(memory);
    for (what, (taken, gone)) in [("requests over HTTP/1.1", requests), ("pings over HTTP/2", pings)] {
        println!("unfetched answers: {} KiB of {what} taken, gone after {gone:.1?}", taken >> 10);
        assert!(gone < UNFETCHED_GONE_IN, "{what}: {gone:?}");
    }
    assert!(grown < UNFETCHED_MEMORY, "+{} KiB", grown >> 10);
    drop(pongs);
    until("all files to be closed", || open_files() <= files).await;
}
