//! What clients see of a server that is asked to end, and how long it takes to.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use sse_tests::{Example, allow_many_files, get, get_with};

#[tokio::test]
async fn a_stream_gets_a_last_event_and_a_clean_end() {
    let mut example = Example::start("messages").await;
    let mut stream = get(example.address(), "/stream").await;
    assert_eq!(stream.event().await.map(|event| event.name).as_deref(), Some("new_message"));

    let ended = example.terminate().await;
    let mut last = stream.event().await.expect("a last event");
    while last.name == "new_message" {
        last = stream.event().await.expect("a last event");
    }
    assert_eq!((last.name.as_str(), last.id.as_deref()), ("sse-bye", None));
    assert!(last.retry.is_some(), "{last:?}");
    assert_eq!(stream.event().await, None);
    assert!(ended.success(), "{ended}");
    example.wait_for_line(|line| line.contains("reason=ServerShutdown")).await;
}

#[tokio::test]
async fn ctrl_c_ends_it_as_well() {
    let mut example = Example::start("messages").await;
    let mut stream = get(example.address(), "/stream").await;
    assert!(stream.event().await.is_some());
    assert!(example.interrupt().await.success());
    assert!(stream.rest().await.contains("event: sse-bye\n"));
}

#[tokio::test]
async fn a_thousand_streams_and_their_process_end_within_a_second() {
    // Each stream is an open file, here and there; the common limit is 1024.
    allow_many_files();

    let mut example = Example::start("messages").await;
    let mut streams = Vec::new();
    for _ in 0..1000 {
        let mut stream = get(example.address(), "/stream").await;
        assert!(stream.event().await.is_some());
        streams.push(stream);
    }

    let asked = Instant::now();
    assert!(example.terminate().await.success());
    assert!(asked.elapsed() < Duration::from_secs(1), "after {:?}", asked.elapsed());

    let mut retries = Vec::new();
    for stream in streams {
        let rest = stream.rest().await;
        let (_, bye) = rest.split_once("event: sse-bye\nretry: ").expect("a last event");
        retries.push(bye.split_once('\n').expect("more lines").0.to_owned());
    }
    retries.sort();
    retries.dedup();
    assert!(retries.len() > 100, "they would all come back together: {retries:?}");
    let left = example.printed().iter().filter(|line| line.contains("reason=ServerShutdown")).count();
    assert_eq!(left, 1000);
}

#[cfg(unix)]
#[tokio::test]
async fn a_restart_on_an_inherited_socket_refuses_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut first = Example::start_inheriting("messages", &listener).await;
    assert_eq!(first.address(), address);
    let mut stream = get(address, "/stream").await;
    let seen = stream.event().await.and_then(|event| event.id).expect("an id");

    // `get` fails the test if its connection is refused: these come before, between and after the two programs.
    let clients = tokio::spawn(async move {
        for _ in 0..20 {
            for _ in 0..10 {
                let mut stream = get_with(address, "/stream", &[("last-event-id", &seen)]).await;
                assert!(stream.event().await.is_some());
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(first.terminate().await.success());
    let _second = Example::start_inheriting("messages", &listener).await;
    clients.await.expect("nobody is refused");
}
