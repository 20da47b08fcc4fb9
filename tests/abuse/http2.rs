//! HTTP/2 where it is most abused: streams that are opened and reset, more streams than allowed, windows that stay
//! closed, header blocks without end, questions whose answers nobody reads.

use std::time::{Duration, Instant};

use sse_runtime::DisconnectReason;
use sse_tests::{is_alone, open_files, resident, within_limit};
use tokio::io::AsyncWriteExt;

use crate::http2_frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, PING,
    RST_STREAM, frame, get, header, open, request, reset,
};
use crate::peer::until;
use crate::target::Target;
use crate::witness::Witness;

const ENHANCE_YOUR_CALM: u32 = 11;
const REFUSED_STREAM: u32 = 7;

/// How many a client may try that opens and resets in one breath. It is told to calm down after some twenty; what is
/// under way by then is all that runs.
const RESETS: u32 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rapid_resets_end_the_connection_and_leave_nothing_behind() {
    if !is_alone("http2::rapid_resets_end_the_connection_and_leave_nothing_behind") {
        return;
    }
    let target = Target::start().await;
    let files = open_files();
    let witness = Witness::start(target.address);
    let begun = Instant::now();
    const CONNECTIONS: usize = 10;
    let mut calmed = 0;
    for _ in 0..CONNECTIONS {
        let (mut frames, mut writer) = open(target.address, &[]).await;
        let storm = async {
            for streams in 0..RESETS / 100 {
                let mut burst = Vec::new();
                for stream in streams * 100..streams * 100 + 100 {
                    burst.extend(get(2 * stream + 1, "/idle"));
                    burst.extend(reset(2 * stream + 1));
                }
                if writer.write_all(&burst).await.is_err() {
                    break;
                }
            }
        };
        let answer = frames.find(|frame| frame.kind == GOAWAY);
        let (_, answer) = within_limit("the end", async { tokio::join!(storm, answer) }).await;
        // The word itself may be lost, when what else was written meets a closed socket.
        if let Some(goaway) = answer {
            assert_eq!(goaway.code(), ENHANCE_YOUR_CALM, "{goaway:?}");
            calmed += 1;
        }
    }
    let streams = target.settled().await;
    println!(
        "rapid reset: {CONNECTIONS} connections, {streams} handlers ran, {calmed} told to calm down, {:.1?}; {}",
        begun.elapsed(),
        witness.served()
    );
    assert!(streams < CONNECTIONS * 100, "they are stopped early: {streams}");
    assert!(calmed > 0, "and told why");
    until("all files to be closed", || open_files() <= files).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn streams_that_are_reset_when_they_have_begun_are_each_concluded() {
    if !is_alone("http2::streams_that_are_reset_when_they_have_begun_are_each_concluded") {
        return;
    }
    const STREAMS: u32 = 3000;
    /// What the second half may add to memory.
    const MEMORY: usize = 4 << 20;
    let target = Target::start().await;
    let witness = Witness::start(target.address);
    let begun = Instant::now();
    let (mut frames, mut writer) = open(target.address, &[]).await;
    let mut half = 0;
    for stream in 0..STREAMS {
        let stream = 2 * stream + 1;
        writer.write_all(&get(stream, "/idle")).await.expect("the server reads");
        let data = frames.find(|frame| frame.stream == stream && frame.kind == DATA).await;
        assert!(data.is_some_and(|data| data.payload == b"data: x\n\n"), "the stream has begun");
        writer.write_all(&reset(stream)).await.expect("the server reads");
        if stream == STREAMS + 1 {
            half = resident();
        }
    }
    let took = begun.elapsed();
    assert_eq!(target.settled().await, STREAMS as usize);
    assert_eq!(target.ledger.ended_by(DisconnectReason::ClientClosed), STREAMS as usize);
    let grown = resident().saturating_sub(half);
    println!(
        "{STREAMS} streams begun and reset in {took:.1?}, the second half +{} KiB; {}",
        grown >> 10,
        witness.served()
    );
    assert!(grown < MEMORY, "+{} KiB", grown >> 10);
}

/// `serve`'s limit, which is hyper's, too.
const STREAMS_AT_ONCE: usize = 200;

#[tokio::test]
async fn of_thousands_of_streams_on_a_connection_two_hundred_run() {
    const MORE: u32 = 3000;
    let target = Target::start().await;
    let (mut frames, mut writer) = open(target.address, &[]).await;
    let mut stream = 1;
    for _ in 0..STREAMS_AT_ONCE {
        writer.write_all(&get(stream, "/idle")).await.expect("the server reads");
        stream += 2;
    }
    until("those that may run", || target.ledger.begun() == STREAMS_AT_ONCE).await;
    // One more is refused by itself, and may be tried again when there is room.
    writer.write_all(&get(stream, "/idle")).await.expect("the server reads");
    let refused = frames.find(|frame| frame.kind == RST_STREAM).await.expect("an answer");
    assert_eq!((refused.stream, refused.code()), (stream, REFUSED_STREAM));
    writer.write_all(&reset(1)).await.expect("the server reads");
    until("room for one", || target.ledger.ended() == 1).await;
    writer.write_all(&get(stream + 2, "/idle")).await.expect("the server reads");
    until("the one", || target.ledger.begun() == STREAMS_AT_ONCE + 1).await;

    // Who goes on and on is told to calm down, and loses the connection.
    let (mut refused, mut ended) = (0, None);
    let ask = async {
        for _ in 0..MORE {
            stream += 2;
            if writer.write_all(&get(stream + 2, "/idle")).await.is_err() {
                break;
            }
        }
    };
    let count = async {
        while let Some(frame) = frames.next().await {
            refused += u32::from(frame.kind == RST_STREAM && frame.code() == REFUSED_STREAM);
            ended = ended.or((frame.kind == GOAWAY).then(|| frame.code()));
        }
    };
    within_limit("the end of the connection", async { tokio::join!(ask, count) }).await;
    println!("{MORE} streams too many: {refused} refused, then ended by {ended:?}");
    assert!(refused < MORE && ended.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{refused} {ended:?}");
    assert_eq!(target.settled().await, STREAMS_AT_ONCE + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn streams_whose_window_stays_closed_end_by_the_send_timeout_and_cost_bounded_memory() {
    if !is_alone("http2::streams_whose_window_stays_closed_end_by_the_send_timeout_and_cost_bounded_memory") {
        return;
    }
    const STREAMS: u32 = 150;
    /// What a stream has queued, some 40 KiB, and what h2 holds for it, 64 KiB.
    const MEMORY_EACH: usize = 200 << 10;
    /// The route's send timeout is 1 s.
    const GONE_IN: Duration = Duration::from_secs(5);
    let target = Target::start().await;
    let memory = resident();
    let begun = Instant::now();
    let (mut frames, mut writer) = open(target.address, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    for stream in 0..STREAMS {
        writer.write_all(&get(2 * stream + 1, "/flood")).await.expect("the server reads");
    }
    until("all streams to begin", || target.ledger.begun() == STREAMS as usize).await;
    let mut most = 0;
    until("all streams to end", || {
        most = most.max(resident());
        target.ledger.ended() == STREAMS as usize
    })
    .await;
    let took = begun.elapsed();
    assert_eq!(target.settled().await, STREAMS as usize);
    assert_eq!(target.ledger.ended_by(DisconnectReason::SendTimeout), STREAMS as usize);
    let grown = most.saturating_sub(memory);
    println!(
        "closed windows: {STREAMS} streams gone after {took:.1?}, +{} KiB each",
        (grown >> 10) / STREAMS as usize
    );
    assert!(took < GONE_IN, "{took:?}");
    assert!(grown < STREAMS as usize * MEMORY_EACH, "+{} KiB", grown >> 10);
    // The connection is for others, too: it is still there.
    writer.write_all(&frame(PING, 0, 0, b"are you?")).await.expect("the server reads");
    let is_pong = |frame: &Frame| frame.kind == PING && frame.flags & ACK != 0;
    assert!(frames.find(is_pong).await.is_some_and(|pong| pong.payload == b"are you?"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn header_blocks_without_end_are_broken_off() {
    if !is_alone("http2::header_blocks_without_end_are_broken_off") {
        return;
    }
    /// hyper's connection and what h2 keeps of a block, of which 64 KiB are allowed.
    const MEMORY: usize = 4 << 20;
    /// How many bytes a server may take of such a block before it has had enough; the kernel's buffers hold most of it.
    const TAKEN: usize = 16 << 20;
    let target = Target::start().await;
    let memory = resident();
    let field = header("x", &"x".repeat(1000));
    for (what, continued) in [("fields", field.as_slice()), ("nothing", &[]), ("half a field", &field[..20])]
    {
        let (mut frames, mut writer) = open(target.address, &[]).await;
        writer.write_all(&frame(HEADERS, END_STREAM, 1, &request("/idle"))).await.expect("the server reads");
        let burst = frame(CONTINUATION, 0, 1, continued).repeat(100);
        let mut taken = 0;
        let flood = async {
            while taken < TAKEN && writer.write_all(&burst).await.is_ok() {
                taken += burst.len();
            }
        };
        let answer = async {
            let mut code = None;
            while let Some(frame) = frames.next().await {
                code = code.or((frame.kind == GOAWAY).then(|| frame.code()));
            }
            code
        };
        let ((), code) =
            within_limit("the end of the connection", async { tokio::join!(flood, answer) }).await;
        println!("a header block continued with {what}: broken off by {code:?} after {} KiB", taken >> 10);
        assert!(taken < TAKEN, "{what}: it is read for ever");
    }
    let grown = resident().saturating_sub(memory);
    assert!(grown < MEMORY, "+{} KiB", grown >> 10);
    assert_eq!(target.ledger.begun(), 0);
}

#[tokio::test]
async fn a_header_list_above_the_limit_is_answered_431_and_the_connection_goes_on() {
    let target = Target::start().await;
    let (mut frames, mut writer) = open(target.address, &[]).await;
    let block = [request("/idle"), header("x", &"x".repeat(10_000)).repeat(7)].concat();
    let mut parts = block.chunks(16_000).peekable();
    let (mut kind, mut flags) = (HEADERS, END_STREAM);
    while let Some(part) = parts.next() {
        flags |= if parts.peek().is_none() { END_HEADERS } else { 0 };
        writer.write_all(&frame(kind, flags, 1, part)).await.expect("the server reads");
        (kind, flags) = (CONTINUATION, 0);
    }
    let answer = frames.find(|frame| frame.stream == 1).await.expect("an answer");
    // `:status` by its number in the static table, and three digits in Huffman's code (RFC 7541, appendix B).
    assert_eq!(
        (answer.kind, answer.payload.get(..5)),
        (HEADERS, Some(&b"\x48\x83\x69\x90\xff"[..])),
        "{answer:?}"
    );
    writer.write_all(&get(3, "/one")).await.expect("the server reads");
    let data =
        frames.find(|frame| frame.stream == 3 && frame.kind == DATA).await.expect("the connection goes on");
    assert_eq!(data.payload, b"data: x\n\n");
    assert_eq!(target.ledger.begun(), 0);
}
