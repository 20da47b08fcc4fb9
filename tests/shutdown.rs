//! What clients see of a server that is asked to end, and how long it takes to.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sse_tests::{Example, get};

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
async fn a_thousand_streams_and_their_process_end_within_a_second() {
    // Each stream is an open file, here and there; the common limit is 1024.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the maximum is allowed");

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
