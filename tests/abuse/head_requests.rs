//! HEAD is cheap to send, and has to be cheap to answer: no handler runs.

use std::time::{Duration, Instant};

use crate::peer::exchange;
use crate::target::Target;
use crate::witness::Witness;

const CONNECTIONS: usize = 50;
const HEADS: usize = 100;

/// Who comes in the middle of it waits for what was asked before, by fifty.
const IN_THE_FLOOD: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn floods_of_head_are_answered_and_run_no_handler() {
    let target = Target::start().await;
    let witness = Witness::start(target.address);
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..CONNECTIONS {
        let address = target.address;
        let path = ["/idle", "/flood", "/pinged", "/rooms/lobby"][number % 4];
        tasks.push(tokio::spawn(async move {
            let head = format!("HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(HEADS - 1);
            let last = format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            exchange(address, head + &last).await
        }));
    }
    for task in tasks {
        let answers = task.await.expect("no panic");
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), HEADS);
        assert_eq!(answers.matches("content-type: text/event-stream\r\n").count(), HEADS);
        assert!(!answers.contains("data:"), "{answers}");
    }
    println!(
        "{} times HEAD in {:.1?}: {}",
        CONNECTIONS * HEADS,
        begun.elapsed(),
        witness.served_within(IN_THE_FLOOD)
    );
    assert_eq!(target.settled().await, 0, "no handler has run");
    assert_eq!(target.hub.stats().subscribers, 0);
}
