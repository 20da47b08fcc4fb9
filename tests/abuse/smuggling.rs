//! Requests whose length two servers could read differently: a proxy before us must not take for a body what we take
//! for a request. Each is refused, or read in the one way that the standard allows, and then its connection is closed.

use crate::peer::{exchange, status};
use crate::target::Target;

/// What is to run under no circumstances.
const SMUGGLED: &str = "GET /idle HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_body_of_uncertain_length_is_refused_and_what_follows_it_is_no_request() {
    let target = Target::start().await;
    for (headers, body) in [
        ("content-length: 5\r\ncontent-length: 6", "hello"),
        ("content-length: 5, 6", "hello"),
        ("content-length: 5, 5", "hello"),
        ("content-length: +5", "hello"),
        ("content-length: -5", "hello"),
        ("content-length: 0x5", "hello"),
        ("content-length: 5 5", "hello"),
        ("content-length:", "hello"),
        ("content-length: 18446744073709551616", "hello"),
        ("content-length : 5", "hello"),
        ("content-length\t: 5", "hello"),
        (" content-length: 5", "hello"),
        ("x: y\r\n content-length: 5", "hello"),
        ("transfer-encoding: identity", "hello"),
        ("transfer-encoding: xchunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked, identity", "5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity", "5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: \"chunked\"", "5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding:\u{b}chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding : chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding\0: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "-5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5g\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5\nhello\n0\n\n"),
        ("transfer-encoding: chunked", "5\r\nhelloX\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ] {
        let request = format!("POST /upload HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n{body}{SMUGGLED}");
        let answers = exchange(target.address, request).await;
        assert_eq!(status(&answers), 400, "{headers:?} {body:?}: {answers:?}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{headers:?} {body:?}: {answers:?}");
    }
    assert_eq!(target.ledger.begun(), 0, "neither the one nor the other has run");
}

#[tokio::test]
async fn where_the_standard_has_one_reading_it_is_that_and_then_the_connection_is_closed() {
    let target = Target::start().await;
    for headers in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "content-length: 40\r\ntransfer-encoding: chunked\r\ncontent-length: 5",
    ] {
        let request =
            format!("POST /upload HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n5\r\nhello\r\n0\r\n\r\n{SMUGGLED}");
        let answers = exchange(target.address, request).await;
        assert_eq!(status(&answers), 200, "{headers:?}: {answers:?}");
        assert!(answers.contains("data: 5 bytes\n\n"), "{headers:?}: {answers:?}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{headers:?}: {answers:?}");
    }
    assert_eq!(target.settled().await, 3, "the uploads, and none of the others");
    // A chunked body over HTTP/1.0 has no reading at all.
    let request = format!(
        "POST /upload HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{SMUGGLED}"
    );
    let answers = exchange(target.address, request).await;
    assert_eq!(answers.matches("HTTP/1.").count(), 1, "{answers:?}");
    assert_eq!(target.ledger.begun(), 3);
}

#[tokio::test]
async fn a_get_with_a_body_does_not_make_its_body_a_request() {
    let target = Target::start().await;
    let length = SMUGGLED.len();
    let request = format!(
        "GET /one HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{SMUGGLED}"
    );
    let answers = exchange(target.address, request).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers:?}");
    // On a kept connection, too: nobody has read that body when the answer is out.
    let last = "GET /one HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let request = format!("GET /one HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{SMUGGLED}{last}");
    let answers = exchange(target.address, request).await;
    assert!((1..=2).contains(&answers.matches("HTTP/1.1 200").count()), "{answers:?}");
    assert_eq!(target.ledger.begun(), 0, "what was smuggled has not run");
}

/// Extensions of chunks that mean nothing: one of them may be long, and all of them may not be without end.
#[tokio::test]
async fn chunks_that_are_mostly_extension_are_not_read_for_ever() {
    let target = Target::start().await;
    let extension = "x".repeat(1000);
    let body = format!("1;{extension}\r\nx\r\n").repeat(1000) + "0\r\n\r\n";
    let request = format!(
        "POST /upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{body}"
    );
    let answer = exchange(target.address, request).await;
    println!("1000 chunks of a byte with extensions of 1 KB: {:?}", answer.lines().next());
    assert!(answer.is_empty() || status(&answer) == 400, "{answer}");
    assert_eq!(target.ledger.begun(), 0);
}
