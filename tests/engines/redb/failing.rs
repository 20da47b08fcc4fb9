//! A disk that is full, in a process whose files must not grow for a while.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sse_runtime::engine::{EngineError, RedbError};
use sse_runtime::testing::TestStream;
use sse_runtime::{EventId, PublishError, Topic};

use super::process::{Process, file_given, say};
use crate::{client, opened};

/// Lets files have so many bytes.
fn limit(bytes: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).expect("below the maximum");
}

async fn fill(file: &std::path::Path) {
    let hub = super::open(file).await;
    let topic: Topic = hub.topic("a");
    let mut witness = client(&hub).get("/a").stream().await;
    opened(&mut witness, false).await;
    let start = super::top(&hub);
    let text = |n: usize| format!("{n} {}", "x".repeat(20_000));
    let mut published = Vec::new();
    limit(Some(1 << 20));
    let mut failed = 0;
    let mut unknown = Vec::new();
    let mut next = 0;
    while failed < 3 {
        // Several at once: their order is that of the calls.
        let group = futures_util::future::join_all(
            (next..next + 4).map(|n| topic.publish(text(n)).dedupe(n.to_string())),
        )
        .await;
        for (outcome, n) in group.into_iter().zip(next..) {
            match outcome {
                Ok(id) => published.push((id, n)),
                Err(PublishError::Engine { source, .. }) => {
                    failed += 1;
                    unknown.push(n);
                    check(&source);
                }
                Err(other) => panic!("{other}"),
            }
        }
        next += 4;
    }
    assert!(published.len() > 10, "{}", published.len());
    assert!(hub.stats().outages > 0);
    limit(None);
    // By itself, and without a publisher.
    let up = async {
        while !hub.health().is_up() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    sse_tests::within_limit("the hub says that its engine is up", up).await;
    // Those whose outcome is unknown, once more, and one that is new.
    for n in unknown.into_iter().chain([next]) {
        published.push((topic.publish(text(n)).dedupe(n.to_string()).await.expect("published"), n));
    }
    published.sort_by_key(|(id, _)| super::killed::number(id.as_str()));

    // All of them, in order and once.
    let last = &published[published.len() - 1].0;
    let seen = up_to(&mut witness, last).await;
    let known: Vec<_> = published.iter().map(|(id, n)| (id.as_str().to_owned(), text(*n))).collect();
    assert!(seen == known, "{} were delivered, {} are known", seen.len(), known.len());
    // And who comes back gets the same.
    let mut late = client(&hub).get("/a").last_event_id(start.as_str()).stream().await;
    opened(&mut late, true).await;
    assert!(up_to(&mut late, last).await == seen, "what the log has is what was delivered");
    say(published[published.len() - 1].0.as_str());
}

/// Ids and texts.
async fn up_to(events: &mut TestStream, last: &EventId) -> Vec<(String, String)> {
    let mut received = Vec::new();
    loop {
        let event = events.next().await;
        assert_eq!(event.name, "message", "{event:?}");
        let id = event.id.expect("an id");
        let is_last = id == last.as_str();
        received.push((id, event.data));
        if is_last {
            return received;
        }
    }
}

fn check(error: &EngineError) {
    assert!(matches!(error.downcast_ref(), Some(RedbError::Io { .. })), "{error:?}");
    assert!(error.to_string().contains("events.redb"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_an_error_and_then_it_goes_on() {
    if let Some(file) = file_given() {
        return fill(&file).await;
    }
    let (_folder, file) = super::file();
    let mut process = Process::start("failing::a_full_disk_is_an_error_and_then_it_goes_on", &file);
    let last = process.next().await.expect("it gets to its end");
    assert!(process.end().await.success());
    let hub = super::open(&file).await;
    assert_eq!(super::top(&hub).as_str(), last);
}
