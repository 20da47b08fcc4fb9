//! Requests that never become whole: half heads, half bodies, a byte now and then.

use std::time::{Duration, Instant};

use axum::Router;
use sse_runtime::{Hub, serve};
use sse_tests::{is_alone, open_files, resident, within_limit};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::peer::{closed, connect, get, read_until, reset, send, status, until};
use crate::target::{App, Ledger, Target, app};
use crate::witness::Witness;

const HALF_HEADS: usize = 500;
/// What a head is waited for here.
const HEAD_LIMIT: Duration = Duration::from_secs(3);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(3);
/// A task, and hyper's connection with its buffer: 8 KiB over HTTP/1.1, several times that over HTTP/2.
const MEMORY_EACH: usize = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn half_a_head_holds_a_connection_for_its_limit_only_however_it_is_drawn_out() {
    if !is_alone("unfinished::half_a_head_holds_a_connection_for_its_limit_only_however_it_is_drawn_out") {
        return;
    }
    let target = Target::set(|serve| serve.header_read_timeout(HEAD_LIMIT)).await;
    let (files, memory) = (open_files(), resident());
    let witness = Witness::start(target.address);
    let opened = Instant::now();
    let mut waiting = Vec::new();
    for number in 0..HALF_HEADS {
        let address = target.address;
        waiting.push(tokio::spawn(async move {
            let mut socket = connect(address).await;
            match number % 5 {
                0 => {}
                1 => drop(socket.write_all(b"GET /idle HTTP/1.1\r\nhost: x\r\nlast-ev").await),
                2 => drop(socket.write_all(b"\r\n\r\n\r\n").await),
                3 => drop(socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await),
                // A byte now and then, of a head without end.
                _ => {
                    let (mut reader, mut writer) = socket.split();
                    let drip = async {
                        let mut tick = tokio::time::interval(Duration::from_millis(250));
                        for byte in b"GET /idle HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'x')) {
                            tick.tick().await;
                            if writer.write_all(&[*byte]).await.is_err() {
                                break;
                            }
                        }
                    };
                    let mut sink = Vec::new();
                    let end = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut sink);
                    tokio::select! {
                        () = drip => {}
                        _ = end => {}
                    }
                    return opened.elapsed();
                }
            }
            closed(&mut socket).await;
            opened.elapsed()
        }));
    }
    until("all to be accepted", || open_files() >= files + 2 * HALF_HEADS).await;
    let mut grown = 0;
    let mut last = Duration::ZERO;
    for waits in waiting {
        grown = grown.max(resident().saturating_sub(memory));
        last = last.max(waits.await.expect("no panic"));
    }
    println!(
        "half heads: {HALF_HEADS} open, gone after {last:.1?}, +{} KiB; {}",
        grown >> 10,
        witness.served()
    );
    assert!(last < HEAD_LIMIT + SLACK, "{last:?}");
    assert!(grown < HALF_HEADS * MEMORY_EACH, "+{} KiB", grown >> 10);
    until("all files to be closed", || open_files() <= files).await;
    assert_eq!(target.settled().await, 0, "no handler has run");
}

/// In this module's tests of bodies the time is tokio's, which passes when nobody has anything to do.
async fn on_the_paused_clock() -> (std::net::SocketAddr, Ledger) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let ledger = Ledger::default();
    let app: Router = app().with_state(App { ledger: ledger.clone(), hub: Hub::default() });
    tokio::spawn(serve(listener, app).into_future());
    (address, ledger)
}

/// What a route waits for its request's body.
const BODY_LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn half_a_body_is_answered_408_however_it_is_drawn_out_and_no_handler_runs() {
    let (address, ledger) = on_the_paused_clock().await;
    let length = "POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
    let chunked = "POST /upload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let expects = "POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    for (head, every_second) in [
        (length.to_owned(), ""),
        (format!("{length}half"), ""),
        (length.to_owned(), "x"),
        (chunked.to_owned(), ""),
        (format!("{chunked}5\r\nhal"), ""),
        (chunked.to_owned(), "1\r\nx\r\n"),
        (expects.to_owned(), ""),
    ] {
        let begun = tokio::time::Instant::now();
        let mut socket = send(address, &head).await;
        let (mut reader, mut writer) = socket.split();
        let mut answer = Vec::new();
        let drip = async {
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            while !every_second.is_empty() {
                tick.tick().await;
                if writer.write_all(every_second.as_bytes()).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let read = async {
            let end = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answer);
            let _ = tokio::time::timeout(2 * BODY_LIMIT, end).await.expect("the server closes");
        };
        tokio::select! {
            () = drip => {}
            () = read => {}
        }
        let took = begun.elapsed();
        let answer = String::from_utf8_lossy(&answer);
        let answer = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&answer);
        assert_eq!(status(answer), 408, "{head:?}: {answer:?}");
        assert!(took >= BODY_LIMIT && took < BODY_LIMIT + HEAD_LIMIT + SLACK, "{head:?}: {took:?}");
        println!("half a body, {every_second:?} every second: 408 and closed after {took:.1?}");
    }
    assert_eq!(ledger.begun(), 0);
}

#[tokio::test]
async fn a_body_without_end_is_answered_413_at_the_extractors_limit() {
    let target = Target::start().await;
    // What axum's extractors take by default.
    const MOST: usize = 2 << 20;
    for head in ["content-length: 1000000000", "transfer-encoding: chunked"] {
        let request = format!("POST /upload HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n");
        let mut socket = send(target.address, request).await;
        let (mut reader, mut writer) = socket.split();
        let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let mut taken = 0;
        let write = async {
            while writer.write_all(piece.as_bytes()).await.is_ok() {
                taken += piece.len();
            }
        };
        let mut answer = vec![0; 1024];
        let read = async { tokio::io::AsyncReadExt::read(&mut reader, &mut answer).await.unwrap_or(0) };
        let write = async { tokio::join!(write, std::future::pending::<()>()).0 };
        let read = within_limit("the refusal", async {
            tokio::select! {
                read = read => read,
                () = write => 0,
            }
        })
        .await;
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert_eq!(status(&answer), 413, "{head}: {answer:?}");
        // The kernel's buffers hold some of it.
        assert!(taken < MOST + (16 << 20), "{head}: {taken}");
        println!("a body without end ({head}): 413 after {} KiB", taken >> 10);
    }
    assert_eq!(target.ledger.begun(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bodies_that_are_broken_off_leave_nothing_behind() {
    if !is_alone("unfinished::bodies_that_are_broken_off_leave_nothing_behind") {
        return;
    }
    const BROKEN_OFF: usize = 1000;
    let target = Target::start().await;
    let files = open_files();
    let begun = Instant::now();
    for number in 0..BROKEN_OFF {
        let half = "POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nhalf";
        let socket = send(target.address, half).await;
        if number % 2 == 0 {
            reset(socket);
        }
    }
    until("all files to be closed", || open_files() <= files).await;
    println!("bodies broken off: {BROKEN_OFF}, all files closed after {:.1?}", begun.elapsed());
    assert_eq!(target.settled().await, 0, "no handler has run");
}

/// The route sends a comment after 200 ms of silence. The first write after the client left is answered by a reset, the
/// second fails.
const NOTICED_IN: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_body_that_no_handler_reads_is_not_taken_and_its_client_is_noticed_by_the_next_write() {
    let target = Target::start().await;
    let request = "POST /pinged HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n";
    for by_reset in [false, true] {
        let mut socket = send(target.address, request).await;
        read_until(&mut socket, "data: x\n\n").await;
        let (piece, mut taken) = ("x".repeat(1 << 16), 0);
        while let Ok(Ok(more)) =
            tokio::time::timeout(Duration::from_millis(300), socket.write(piece.as_bytes())).await
        {
            taken += more;
            assert!(taken < 32 << 20, "what the kernel's buffers hold, and no more");
        }
        assert_eq!(target.shutdown.open_streams(), 1);
        let left = Instant::now();
        if by_reset {
            reset(socket);
        } else {
            drop(socket);
        }
        target.settled().await;
        println!("an unread body: {} KiB taken, client noticed after {:.1?}", taken >> 10, left.elapsed());
        assert!(left.elapsed() < NOTICED_IN, "{:?}", left.elapsed());
    }
}

#[tokio::test]
async fn a_kept_connection_that_asks_no_more_is_closed_like_one_that_never_asked() {
    let limit = Duration::from_millis(500);
    let target = Target::set(|serve| serve.header_read_timeout(limit)).await;
    let mut socket = get(target.address, "/plain").await;
    read_until(&mut socket, &"x".repeat(10_000)).await;
    let answered = Instant::now();
    closed(&mut socket).await;
    println!("a kept connection: closed {:.1?} after its answer", answered.elapsed());
    assert!(answered.elapsed() < limit + SLACK, "{:?}", answered.elapsed());
}
