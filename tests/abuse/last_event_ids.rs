//! `Last-Event-ID` is whatever a stranger writes there: it is read, or it is as if it were not there.

use axum::Router;
use axum::routing::get;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sse_runtime::testing::{Item, Parser};
use sse_runtime::wire::last_event_id;
use sse_runtime::{Event, Hub, Result, Sse, Topic, routes, sse_route};

use crate::peer::{exchange, read_until, send, status};
use crate::target::{App, Target, app};

/// What the handler is given, as JSON, so that it can be compared.
#[sse_route("/given")]
async fn given(sse: Sse) -> Result<()> {
    sse.send_json(sse.last_event_id().map(str::to_owned)).await?;
    Ok(())
}

async fn start() -> Target {
    let app: Router<App> = routes![given].merge(app()).route("/alive", get(|| async { "alive" }));
    Target::with(app, Hub::default(), |serve| serve).await
}

fn request(path: &str, headers: &[u8]) -> Vec<u8> {
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
    request.extend_from_slice(headers);
    request.extend_from_slice(b"\r\n");
    request
}

fn header(id: &[u8]) -> Vec<u8> {
    [b"last-event-id: ", id, b"\r\n"].concat()
}

/// The one event of an answer, which is the id that the handler was given.
fn id_in(answer: &str) -> Option<String> {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    let data = body.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event");
    serde_json::from_str(data).expect("JSON")
}

#[tokio::test]
async fn a_header_that_no_header_can_be_is_a_400_and_one_too_large_a_431() {
    let target = start().await;
    for (id, expected) in [
        (&b"a\0b"[..], 400),
        (b"a\x01b", 400),
        (b"a\x7fb", 400),
        (b"a\rdata: x", 400),
        // A line of its own, without a colon.
        (b"a\ndata", 400),
        // More than the whole head may have; the refusal itself may be lost, for the rest meets a closed socket.
        (&[b'7'; 1 << 20], 431),
    ] {
        let answer = exchange(target.address, request("/given", &header(id))).await;
        let got = status(&answer);
        assert!(got == expected || (expected == 431 && answer.is_empty()), "{}: {answer}", id.escape_ascii());
    }
    assert!(exchange(target.address, request("/alive", b"")).await.ends_with("alive"));
}

#[tokio::test]
async fn an_id_that_was_never_sent_is_as_none_at_all() {
    let target = start().await;
    let long = [b'7'; 1025];
    // Below what a head may have, far above what an id may.
    let huge = vec![b'7'; 60_000];
    for (id, expected) in [
        (&b""[..], None),
        (b"   ", None),
        (b"7", Some("7")),
        (&long[..1024], Some(std::str::from_utf8(&long[..1024]).expect("text"))),
        (&long, None),
        (&huge, None),
        (b"\xff\xfe", None),
        (b"a\xc3", None),
        // Overlong, half a surrogate pair.
        (b"\xc0\xaf", None),
        (b"\xed\xa0\x80", None),
        (b"a\tb", None),
        (b"a\xc2\x85b", None),
        (b"18446744073709551615", Some("18446744073709551615")),
        (b"-1", Some("-1")),
        ("\u{661}\u{662}\u{663}".as_bytes(), Some("\u{661}\u{662}\u{663}")),
        (b"%0Adata:%20x", Some("%0Adata:%20x")),
    ] {
        let answer = exchange(target.address, request("/given", &header(id))).await;
        assert_eq!(id_in(&answer).as_deref(), expected, "{}", id[..id.len().min(40)].escape_ascii());
    }
    // Several: the first counts, whatever the others try. In the query: decoded once; the header goes before it.
    for (path, headers, expected) in [
        ("/given", &b"last-event-id: 1\r\nLast-Event-ID: 2\r\n"[..], Some("1")),
        ("/given", b"last-event-id:\r\nlast-event-id: 2\r\n", None),
        ("/given?last_event_id=7", b"", Some("7")),
        ("/given?last_event_id=7&last_event_id=8", b"", Some("7")),
        ("/given?last_event_id=7", b"last-event-id: 9\r\n", Some("9")),
        ("/given?last_event_id=%37", b"", Some("7")),
        ("/given?last_event_id=%2537", b"", Some("%37")),
        ("/given?last_event_id=a%0A%0Adata:%20x", b"", None),
        ("/given?last_event_id=a%0Db", b"", None),
        ("/given?last_event_id=%00", b"", None),
        ("/given?last_event_id=%ff%fe", b"", Some("\u{fffd}\u{fffd}")),
        ("/given?last_event_id", b"", None),
        ("/given?last_event_id=%", b"", Some("%")),
        ("/given?LAST_EVENT_ID=7", b"", None),
        ("/given?last_event_id[]=7", b"", None),
    ] {
        let answer = exchange(target.address, request(path, headers)).await;
        assert_eq!(id_in(&answer).as_deref(), expected, "{path} {}", headers.escape_ascii());
    }
    // The mark of an end may come from anyone: it only ends the stream of who sends it.
    for (path, headers) in
        [("/given?last_event_id=sse-end", &b""[..]), ("/given", b"last-event-id: sse-end\r\n")]
    {
        assert_eq!(status(&exchange(target.address, request(path, headers)).await), 204);
    }
}

/// Whatever comes: what follows the head is `sse-open`, or `sse-reset` and it; the id is at most a string in that.
#[tokio::test]
async fn a_topic_answers_odd_ids_with_a_reset_and_goes_on() {
    let target = start().await;
    let topic: Topic = target.hub.topic("lobby");
    for n in 0..3 {
        topic.publish(Event::new("n").data(n.to_string())).await.expect("in memory");
    }
    let position = topic.position().to_string();
    let epoch = position.split('-').next().expect("an epoch");
    let ids = [
        ("0", "malformed"),
        ("-", "malformed"),
        ("-1", "malformed"),
        ("0-0", "epoch"),
        ("ffffffffffffffff-18446744073709551615", "epoch"),
        ("10000000000000000-1", "malformed"),
        (&format!("{epoch}-18446744073709551615"), "ahead"),
        (&format!("{epoch}-18446744073709551616"), "malformed"),
        (&format!("{epoch}--1"), "malformed"),
        (&format!("{epoch}-+1"), "malformed"),
        (&format!("{epoch}-01"), "malformed"),
        (&format!("{epoch}-1e3"), "malformed"),
        (&format!("{epoch}-\u{661}"), "malformed"),
        (&format!("{epoch}-1\u{200b}"), "malformed"),
        (&format!("{}-1", epoch.to_uppercase() + "F"), "malformed"),
        ("\",\"reason\":\"none", "malformed"),
    ];
    for (id, reason) in ids {
        let mut socket = send(target.address, request("/rooms/lobby", &header(id.as_bytes()))).await;
        let answer = read_until(&mut socket, "event: sse-open").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 "), "{id}: {head}");
        let data = body.split_once("event: sse-reset\n").expect(id).1;
        let data = data.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
        let told: serde_json::Value = serde_json::from_str(data).expect("JSON");
        let matches = told["reason"].as_str().is_some_and(|told| told.contains(reason));
        assert!(matches, "{id}: {told}");
        assert!(told["asked"].is_null() || told["asked"] == id, "{id}: {told}");
    }
    target.settled().await;
}

#[tokio::test]
async fn any_bytes_at_all_are_an_id_or_none_or_a_400() {
    let target = start().await;
    // Not `proptest!`: its body is no future.
    let runtime = tokio::runtime::Handle::current();
    let address = target.address;
    let any = prop::collection::vec(
        prop_oneof![4 => 0x20..=0x7e_u8, 2 => 0x80..=0xff_u8, 1 => any::<u8>().prop_filter("a line end", |b| *b != b'\n')],
        0..60,
    );
    tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 300,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let checked = runner.run(&any, |id| {
            let answer = runtime.block_on(exchange(address, request("/given", &header(&id))));
            // Spaces and tabs around a value do not belong to it.
            let trimmed = id.trim_ascii();
            match status(&answer) {
                200 => {
                    let given = id_in(&answer);
                    prop_assert!(given.as_ref().is_none_or(|id| id.as_bytes() == trimmed));
                    prop_assert!(given.as_ref().is_none_or(|id| !id.contains(char::is_control)));
                    prop_assert_eq!(given, last_event_id(trimmed));
                }
                refused => {
                    prop_assert_eq!(refused, 400);
                    prop_assert!(id.iter().any(u8::is_ascii_control), "{}", id.escape_ascii());
                }
            }
            let mut parser = Parser::new();
            parser.feed(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).as_bytes());
            let events =
                std::iter::from_fn(|| parser.next_item()).filter(|item| matches!(item, Item::Event(_)));
            prop_assert!(events.count() <= 1);
            Ok(())
        });
        checked.expect("holds");
    })
    .await
    .expect("no panic");
}
