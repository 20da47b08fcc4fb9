//! Clients that are broken or hostile, against a real server: each gets its answer, and nobody else notices.

use std::time::Duration;

use sse_tests::{Example, get, get_with, within_limit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// Sends these bytes and returns all that comes back until the server closes the connection.
async fn exchange(example: &Example, request: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(example.address()).await.expect("the example listens");
    let (mut reader, mut writer) = socket.split();
    let mut answer = Vec::new();
    // A server that has seen enough answers and closes while we are still writing: both errors are its right.
    let write = async {
        let _ = writer.write_all(request).await;
    };
    let read = async {
        let _ = reader.read_to_end(&mut answer).await;
    };
    within_limit("waiting for the server to close", async { tokio::join!(write, read) }).await;
    answer
}

/// The data of the first event on `/stream` of the `messages` example.
async fn first_message(example: &Example, last_event_id: &str) -> String {
    let mut stream = get_with(example.address(), "/stream", &[("last-event-id", last_event_id)]).await;
    stream.event().await.expect("a message").data
}

#[tokio::test]
async fn a_last_event_id_that_is_not_ours_begins_from_the_start() {
    let example = Example::start("messages").await;
    let too_large = format!("{}0", u64::MAX);
    let long = "7".repeat(8_000);
    for garbage in ["", "-1", "7.5", "7 7", "\u{1f600}", "\t", "__proto__", &too_large, &long] {
        assert_eq!(first_message(&example, garbage).await, "message 1", "{garbage:?}");
    }
    assert_eq!(first_message(&example, "7").await, "message 8");
}

#[tokio::test]
async fn a_last_event_id_of_a_megabyte_is_refused() {
    let example = Example::start("messages").await;
    let request =
        format!("GET /stream HTTP/1.1\r\nhost: a\r\nlast-event-id: {}\r\n\r\n", "7".repeat(1 << 20));
    let answer = exchange(&example, request.as_bytes()).await;
    // Where the refusal itself is lost (the rest of the header meets a closed socket), no stream came either.
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", answer.escape_ascii());
    assert_eq!(first_message(&example, "7").await, "message 8");
}

#[tokio::test]
async fn a_query_that_does_not_parse_is_a_plain_bad_request() {
    let example = Example::start("status").await;
    for query in ["", "?", "?param2=a", "?param1=a&param1=b"] {
        let refused = get(example.address(), &format!("/status/stream{query}")).await;
        assert_eq!(refused.status(), 400, "{query:?}");
        assert_ne!(refused.header("content-type"), Some("text/event-stream"), "{query:?}");
    }
}

#[tokio::test]
async fn half_a_request_is_given_up_on_while_others_are_served() {
    let example = Example::start("messages").await;
    let half = exchange(&example, b"GET /stream HTTP/1.1\r\nhost: a\r\nlast-ev");
    let (_, served) = tokio::join!(half, first_message(&example, "7"));
    assert_eq!(served, "message 8");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_aborted_connections_leave_nothing_open() {
    let example = Example::start("messages").await;
    let before = example.open_files();
    for n in 0..10_000_u32 {
        let mut socket = TcpStream::connect(example.address()).await.expect("the example listens");
        socket.write_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("the example reads");
        if n % 2 == 0 {
            // Half of them as soon as the stream has begun, the others at any moment before.
            let begun = timeout(Duration::from_secs(5), socket.read_u8()).await.expect("an answer");
            assert_eq!(begun.expect("an answer"), b'H');
        }
        socket.set_zero_linger().expect("a socket can be made to end with a reset");
    }
    within_limit("waiting for the connections to be gone", async {
        while example.open_files() > before {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(first_message(&example, "7").await, "message 8");
}
