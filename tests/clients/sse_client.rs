//! `sse-client`, the client for browsers, in Node.js: its parser beside ours, its types, and what it makes of every
//! answer that a server can give. In a browser: `tests/browser/sse_client.rs`.

mod script;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use script::{Script, cut_off, ended, refused};
use serde_json::{Value, json};
use sse_runtime::testing::{Item, Parser};
use sse_runtime::{Event, Replies, Result, Sse, StatusCode, listen, routes, serve, sse_route};
use sse_tests::node;
use tokio::io::AsyncWriteExt;

/// What our own parser makes of a stream.
fn read(stream: &[u8]) -> Value {
    let mut parser = Parser::new();
    let mut events = Vec::new();
    for byte in stream {
        parser.feed(&[*byte]);
        while let Some(item) = parser.next_item() {
            if let Item::Event(event) = item {
                events.push(json!({ "name": event.name, "data": event.data, "id": parser.last_event_id() }));
            }
        }
    }
    let retry = parser.retry().map(|retry| u64::try_from(retry.as_millis()).expect("a short time"));
    json!({ "events": events, "lastEventId": parser.last_event_id(), "retry": retry })
}

/// Every rule of the standard, and what breaks readers that are written from memory.
const NASTY: [&[u8]; 28] = [
    b"data: YHOO\ndata: +2\ndata: 10\n\n",
    b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
    b"data\n\ndata\ndata\n\ndata:",
    b"data:test\n\ndata: test\n\n",
    b"data: a\rdata: b\r\r",
    b"data: a\r\ndata: b\r\n\r\n",
    b"data: a\r\n\rdata: b\n\r\ndata: c\r\r\n",
    b"\r\n\r\n\n\r\rdata: a\n\n",
    b"\xef\xbb\xbfdata: a\n\ndata: \xef\xbb\xbfb\n\n\xef\xbb\xbfdata: c\n\n",
    b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n",
    b"\xef\xbb\xbf",
    b"\xef\xbbdata: a\n\n",
    "data: größe ✓ 😀\n\n".as_bytes(),
    b"data: a\xffb\xc3\ndata: \xf0\x9f\x98\n\n",
    b"event: tick\nid: 9\nretry: 20\n\ndata: x\n\n",
    b"id: 9\nretry: 20\ndata: x\n",
    b"id: 1\nid: 2\0\nretry: 5\nretry: 1s\nretry: -1\nretry:\nretry: 6 \ndata: x\n\n",
    b"retry: 07\ndata: x\n\nretry: \xd9\xa3\ndata: y\n\n",
    b"id: 5\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: 6\n\n",
    b"event: a\nevent: b\ndata: x\n\nevent: c\n\ndata: y\n\n",
    b"event:\ndata: x\n\nevent: \ndata: y\n\n",
    b":\n: hello\n:x\n\ndata: x\n:\n\n",
    b"Data: no\nfoo: bar\ndata : no\n data: no\ndata:: x\ndata: a: b\n\n",
    b"data: \n\ndata:  \n\ndata: \xc2\xa0\n\n",
    b"data: \0\nevent: \0\n\n",
    "data: a\u{2028}b\u{85}c\u{b}d\n\n".as_bytes(),
    b"data: x\n\ndata: incomplete\nid: 7\n",
    b"",
];

/// Streams of pieces that are worth a mistake.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "data",
        "event",
        "id",
        "retry",
        ":",
        ": ",
        " ",
        "\n",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "x",
        "12",
        "\0",
        "\u{feff}",
        "é",
        "😀",
        "data: y\n",
        "id: 3\n",
    ];
    let piece = proptest::sample::select(pieces.map(|piece| piece.as_bytes().to_vec()).to_vec());
    let piece = prop_oneof![9 => piece, 1 => prop::collection::vec(any::<u8>(), 1)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[tokio::test]
async fn its_parser_reads_as_ours_does_wherever_the_stream_is_cut() {
    let mut runner = TestRunner::deterministic();
    let random = streams();
    let mut all: Vec<Vec<u8>> = NASTY.map(<[u8]>::to_vec).into();
    all.extend((0..400).map(|_| random.new_tree(&mut runner).expect("a stream").current()));

    let file = tempfile::NamedTempFile::new().expect("a file");
    let hex = |stream: &Vec<u8>| stream.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let list = json!(all.iter().map(hex).collect::<Vec<_>>());
    std::fs::write(file.path(), list.to_string()).expect("a file");

    let printed = node("sse_client_parser.mjs", &[file.path().to_str().expect("a path")]).await;
    assert_eq!(printed.len(), all.len());
    for (stream, line) in all.iter().zip(printed) {
        let theirs: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(theirs, read(stream), "{}", stream.escape_ascii());
    }
    let events =
        |stream: &Vec<u8>| read(stream)["events"].as_array().is_some_and(|events| !events.is_empty());
    assert!(all.iter().filter(|stream| events(stream)).count() > 100, "too few of them say anything");
}

/// The project holds a page's source, with what has to be an error in it, and our scripts.
#[tokio::test]
async fn its_types_narrow_the_union_refuse_what_is_not_in_it_and_fit_the_scripts() {
    node("node_modules/typescript/bin/tsc", &["--project", "sse_client.tsconfig.json"]).await;
}

/// What a stream tells, with these options, of a server that answers so.
async fn told(answers: &[String], options: Value) -> (Vec<String>, Vec<String>) {
    let script = Script::start(answers).await;
    let told = node("sse_client.mjs", &[&script.url(), &options.to_string()]).await;
    (told, script.asked())
}

/// Without the states.
fn words(told: &[String]) -> Vec<&str> {
    told.iter().map(String::as_str).filter(|line| !line.starts_with("state ")).collect()
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = request.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

const END: &str = "event: end\nid: sse-end\ndata: {}\n\n";

#[tokio::test]
async fn a_stream_that_was_cut_goes_on_after_the_last_id() {
    let first = cut_off("id: a-1\ndata: 1\n\nid: größe\ndata: 2\n\ndata: half");
    let (told, asked) = told(&[first, ended(&format!("data: 3\n\n{END}"))], json!({})).await;
    assert_eq!(
        told,
        [
            "state open",
            "event message 1 a-1",
            "event message 2 größe",
            "state waiting",
            "error 0 soon terminated",
            "state connecting",
            "state open",
            "event message 3 größe",
            "state closed",
            "end",
        ]
    );
    assert_eq!(header(&asked[0], "last-event-id"), None);
    assert_eq!(header(&asked[0], "accept"), Some("text/event-stream"));
    assert_eq!(header(&asked[1], "last-event-id"), Some("größe"), "in UTF-8, as a browser sends it");
}

#[tokio::test]
async fn a_stream_that_ends_is_asked_for_again_until_its_terminal_event() {
    let answers =
        [ended("retry: 2\nid: 1\ndata: 1\n\n"), ended("event: done\ndata: {\"ok\":true}\n\ndata: 9\n\n")];
    let (told, asked) = told(&answers, json!({ "terminal": ["done"], "lastEventId": "0" })).await;
    assert_eq!(words(&told), ["event message 1 1", "event done {\"ok\":true} 1", "end"]);
    assert_eq!(header(&asked[0], "last-event-id"), Some("0"));
    assert_eq!(header(&asked[1], "last-event-id"), Some("1"));
}

#[tokio::test]
async fn a_terminal_event_with_a_payload_is_an_event_and_the_end() {
    let stream = "event: done\nid: sse-end\ndata: {\"type\":\"done\"}\n\ndata: 9\n\n";
    let (told, _) = told(&[ended(stream)], json!({})).await;
    assert_eq!(words(&told), ["event done {\"type\":\"done\"} sse-end", "end"]);
}

#[tokio::test]
async fn what_the_runtime_says_by_itself_is_told_apart_from_events() {
    let open = r#"{"position":"a-1","resumed":false,"heartbeat":null}"#;
    let reset = r#"{"reason":"evicted","asked":"a-0","oldest":"a-1","now":"a-1"}"#;
    let stream = format!(
        "event: sse-reset\ndata: {reset}\n\nevent: sse-open\nid: a-1\ndata: {open}\n\n\
         event: failure\ndata: {{\"reason\":\"HandlerError\"}}\n\nevent: sse-bye\nretry: 1\ndata: {{\"reason\":\"MaxAge\"}}\n\n"
    );
    let (told, _) = told(&[ended(&stream), ended(END)], json!({})).await;
    let open = format!("open {open}");
    assert_eq!(words(&told), ["reset evicted", &open, "failure HandlerError", "bye MaxAge", "end"]);
}

#[tokio::test]
async fn a_run_that_is_lost_is_no_proper_end() {
    let stream = "id: x.a-1\ndata: 1\n\nevent: run-lost\nid: sse-end\ndata: {\"run\":\"x\"}\n\n";
    let (first, asked) = told(&[ended(stream)], json!({})).await;
    assert_eq!(words(&first), ["event message 1 x.a-1", r#"error 0 final {"run":"x"}"#]);
    assert_eq!(asked.len(), 1);
    let (looped, _) = told(&[ended(stream)], json!({ "loop": true })).await;
    assert!(looped.iter().any(|line| line.starts_with("thrown StreamError")), "{looped:?}");
}

#[tokio::test]
async fn data_is_json_but_of_events_that_are_listed_as_text() {
    let stream = format!("event: log\ndata: 5 of {{\n\ndata: oops\n\ndata: [5]\n\n{END}");
    let (told, _) = told(&[ended(&stream)], json!({ "text": ["log"] })).await;
    assert_eq!(words(&told), ["event log 5 of { ", "error 200 soon oops", "event message [5] ", "end"]);
}

#[tokio::test]
async fn a_204_is_the_end_and_most_refusals_are_too_with_their_body() {
    assert_eq!(words(&told(&[refused("204 No Content", "", "")], json!({})).await.0), ["end"]);
    let answers = [refused("404 Not Found", "", "no such job")];
    assert_eq!(words(&told(&answers, json!({})).await.0), ["error 404 final no such job"]);
    let json = refused("200 OK", "content-type: application/json\r\n", "{\"a\":1}");
    assert_eq!(words(&told(&[json], json!({})).await.0), ["error 200 final {\"a\":1}"]);
}

#[tokio::test]
async fn what_may_pass_is_waited_for_as_long_as_the_server_asks() {
    let answers = [
        refused("500 Internal Server Error", "", "oh"),
        refused("429 Too Many Requests", "", "slow"),
        refused("503 Service Unavailable", "retry-after: 1\r\n", "full"),
        ended(END),
    ];
    let begun = std::time::Instant::now();
    let (told, asked) = told(&answers, json!({})).await;
    assert_eq!(words(&told), ["error 500 soon oh", "error 429 soon slow", "error 503 later full", "end"]);
    assert!(begun.elapsed().as_secs() >= 1);
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn a_post_is_sent_again_only_if_that_does_nothing_twice() {
    let post = || json!({ "method": "post", "body": "{\"a\":1}", "token": "secret", "loop": true });
    let (first, asked) = told(&[ended("data: 1\n\ndata: 2\n\n")], post()).await;
    assert_eq!(words(&first), ["event message 1 ", "event message 2 ", "end", "left the loop closed"]);
    assert!(asked[0].starts_with("POST / ") && asked[0].ends_with("\r\n\r\n{\"a\":1}"), "{}", asked[0]);

    // It has not even begun; then it breaks, but says where to go on.
    let answers = [
        refused("503 Service Unavailable", "", "full"),
        cut_off("id: 1\ndata: 1\n\n"),
        ended("id: 2\ndata: 2\n\n"),
    ];
    let (resumed, asked) = told(&answers, post()).await;
    let expected = [
        "error 503 soon full",
        "event message 1 1",
        "error 0 soon terminated",
        "event message 2 2",
        "end",
        "left the loop closed",
    ];
    assert_eq!(words(&resumed), expected);
    let tokens: Vec<_> = asked.iter().map(|request| header(request, "authorization")).collect();
    assert_eq!(tokens, [Some("Bearer secret-1"), Some("Bearer secret-2"), Some("Bearer secret-3")]);
    assert_eq!(header(&asked[2], "last-event-id"), Some("1"));
    assert!(asked[2].ends_with("{\"a\":1}"));

    for (answer, error) in [
        (refused("500 Internal Server Error", "", "oh"), "error 500 final oh"),
        (cut_off(""), "error 0 final terminated"),
        (
            ended("event: sse-bye\ndata: {\"reason\":\"MaxAge\"}\n\n"),
            "error 0 final ended by the server with the event sse-bye",
        ),
    ] {
        let (told, _) = told(&[answer], post()).await;
        let said: Vec<_> = words(&told).into_iter().filter(|line| !line.starts_with("bye")).collect();
        assert_eq!(said[0], error);
        assert!(said[1].starts_with("thrown StreamError"), "{said:?}");
    }
}

#[sse_route("/talk", end = "end")]
async fn talk(sse: Sse, mut replies: Replies<String>) -> Result<()> {
    sse.open().await?;
    while let Some(reply) = replies.next().await {
        sse.send(Event::new("heard").json(&*reply)).await?;
        match reply.as_str() {
            "quiet" => {}
            "no" => reply.refuse(StatusCode::FORBIDDEN, "not that"),
            "bye" => {
                reply.respond("bye")?;
                break;
            }
            _ => {
                let text = reply.to_uppercase();
                reply.respond(json!({ "loud": text }))?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn it_answers_into_its_stream_each_time_once() {
    let listener = listen("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/talk", listener.local_addr().expect("an address"));
    let app: axum::Router = routes![talk];
    let serving = serve(listener, app).with_graceful_shutdown(std::future::pending());
    let serving = tokio::spawn(async move { serving.await.expect("it serves") });
    let told = node("sse_client_sending.mjs", &[&url]).await;
    serving.abort();
    let is_heard = |line: &&str| line.starts_with("\"heard\"");
    let (heard, answers): (Vec<_>, Vec<_>) = told.iter().map(String::as_str).partition(is_heard);
    let texts: Vec<_> = heard.iter().filter_map(|line| line.split('"').nth(3)).collect();
    assert_eq!(texts, ["hello", "quiet", "no", "once", "patient", "bye"]);
    assert_eq!(
        answers,
        [
            r#""answer" {"loud":"HELLO"}"#,
            r#""answer" undefined"#,
            r#""StreamError" 403 "not that""#,
            r#""StreamError" 422 "invalid type: map, expected a string at line 1 column 0""#,
            r#""answer" {"loud":"ONCE"}"#,
            "2 1",
            r#""answer" {"loud":"PATIENT"}"#,
            "true",
            r#""answer" "bye""#,
            "\"StreamError\" 0 \"\"",
        ]
    );
}

#[tokio::test]
async fn who_leaves_the_loop_or_aborts_has_closed_the_stream() {
    for options in [json!({ "loop": true, "closeAfter": 2 }), json!({ "closeAfter": 2 })] {
        let (told, asked) = told(&[ended("data: 1\n\ndata: 2\n\ndata: 3\n\n")], options).await;
        assert_eq!(words(&told)[..2], ["event message 1 ", "event message 2 "]);
        assert!(
            !told.iter().any(|line| line.contains("message 3")) && told.contains(&"state closed".to_owned())
        );
        assert_eq!(asked.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_stream_and_does_not_end_is_left_when_it_is_long() {
    // The announced rest never comes, and the socket stays open.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a client");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n";
        socket.write_all(head.as_bytes()).await.expect("it reads");
        let mut written = 0;
        while socket.write_all(&[b'a'; 1000]).await.is_ok() && written < 100 {
            written += 1;
        }
        socket
    });
    let told = node("sse_client.mjs", &[&url, "{}"]).await;
    drop(server.await.expect("no panic"));
    let error = format!("error 200 final {}", "a".repeat(64 * 1024));
    assert_eq!(words(&told), [error]);
}

#[tokio::test]
async fn a_handler_that_fails_each_time_is_asked_less_and_less() {
    let failing = "event: sse-open\ndata: {\"position\":\"a-1\",\"resumed\":true,\"heartbeat\":null}\n\n\
                   event: failure\ndata: {\"reason\":\"HandlerError\"}\n\n";
    let answers = [ended(failing), ended(failing), ended(failing), ended(END)];
    let script = Script::start(&answers).await;
    node("sse_client.mjs", &[&script.url(), &json!({ "retry": 200 }).to_string()]).await;
    let waits = script.waits();
    for (wait, least) in waits.iter().zip([200, 400, 800]) {
        assert!(wait.as_millis() >= least, "{waits:?}");
    }
    assert_eq!(waits.len(), 3);
}

#[tokio::test]
async fn closed_from_within_a_callback_it_leaves_no_event_source_and_no_timer() {
    let printed = node("sse_client_closing.mjs", &[]).await;
    assert_eq!(
        printed,
        ["state open: 0", "event tick: 0", "state waiting: 0", "error: 0", "state connecting: 0"]
    );
}
