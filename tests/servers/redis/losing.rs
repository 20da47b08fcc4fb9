//! A server that forgets: all of it, the last of it, the scripts, the connections.

use sse_runtime::engine::Redis;

use super::node::{Node, Said};
use super::raw;
use crate::server::{self, Server, fresh_name};

async fn run(server: &server::Redis, command: &str) {
    let mut words = command.split(' ');
    let mut call = redis::cmd(words.next().expect("a word"));
    for word in words {
        call.arg(word);
    }
    call.exec_async(&mut raw(server).await).await.unwrap_or_else(|error| panic!("{command}: {error}"));
}

/// After the server has lost all that it had, or some of the newest: what both nodes know, and go on with.
async fn goes_on(first: &Node, second: &Node, before: &[u64]) {
    let top = before[before.len() - 1];
    for node in [first, second] {
        node.until("a loss", |said| matches!(said, Said::Lost(_))).await;
        let lost = node.losses();
        assert!(lost.len() == 1 && lost[0] >= top, "{lost:?}");
    }
    let mut after = Vec::new();
    for n in 0..20 {
        let node = if n % 2 == 0 { first } else { second };
        after.push(node.publish("t", &format!("after {n}")).await);
    }
    assert!(after.is_sorted() && after[0] > top, "{after:?} after {top}");
    let last = after[after.len() - 1];
    for node in [first, second] {
        node.until_record(last).await;
        assert_eq!(node.numbers(), [before, &after].concat());
        assert_eq!(node.read("t", before[0]).await, None, "some are gone");
        assert_eq!(node.read("t", after[0]).await.as_deref(), Some(&after[1..]));
        assert_eq!(sse_runtime::engine::Engine::top(&*node.engine).await.expect("it answers"), last);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_emptied_has_the_same_log_above_its_numbers() {
    let server = server::Redis::start().await;
    let engine = || Redis::connect(server.url());
    let (first, second) = (Node::start(engine()).await, Node::start(engine()).await);
    first.open("t").await;
    second.open("t").await;
    let mut before = Vec::new();
    for n in 0..20 {
        before.push(first.publish("t", &format!("before {n}")).await);
    }
    second.until_record(before[19]).await;
    run(&server, "FLUSHALL").await;
    goes_on(&first, &second, &before).await;
    let third = Node::start(engine()).await;
    assert_eq!(third.log.epoch, first.log.epoch);
    assert_eq!(third.read("t", before[19]).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_keeps_nothing_may_be_restarted() {
    let mut server = server::Redis::with(&["--appendonly", "no"]).await;
    let url = server.url();
    let engine = || Redis::connect(url.as_str());
    let (first, second) = (Node::start(engine()).await, Node::start(engine()).await);
    first.open("t").await;
    second.open("t").await;
    let mut before = Vec::new();
    for n in 0..20 {
        before.push(first.publish("t", &format!("before {n}")).await);
    }
    second.until_record(before[19]).await;
    server.kill().await;
    server.start_again().await;
    goes_on(&first, &second, &before).await;
    assert_eq!(Node::start(engine()).await.log.epoch, first.log.epoch);
}

/// As a replica does that takes over, and has not got the last events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_back_some_events_is_not_taken_at_its_word() {
    let mut server = server::Redis::with(&["--appendonly", "no"]).await;
    let url = server.url();
    let engine = || Redis::connect(url.as_str());
    let (first, second) = (Node::start(engine()).await, Node::start(engine()).await);
    first.open("t").await;
    second.open("t").await;
    let mut before = Vec::new();
    for n in 0..20 {
        before.push(first.publish("t", &format!("before {n}")).await);
        if n == 9 {
            run(&server, "SAVE").await;
        }
    }
    second.until_record(before[19]).await;
    server.kill().await;
    server.start_again().await;
    goes_on(&first, &second, &before).await;
    // Who has seen the last of them has missed nothing that is there.
    let read = first.read("t", before[19]).await.expect("nothing is missing above it");
    assert_eq!(read.len(), 20);
    assert_eq!(first.read("t", before[18]).await, None);
    let third = Node::start(engine()).await;
    assert_eq!((third.log.epoch, third.read("t", before[9]).await), (first.log.epoch, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_that_loses_nothing_shows_nothing() {
    let mut server = server::Redis::start().await;
    let url = server.url();
    let node = Node::start(Redis::connect(url.as_str())).await;
    node.open("t").await;
    let mut published = Vec::new();
    for n in 0..10 {
        published.push(node.publish("t", &n.to_string()).await);
    }
    for _ in 0..3 {
        server.kill().await;
        let next = node.publish("t", "while it is down");
        let again = async {
            node.until("an outage", |said| *said == Said::Down).await;
            server.start_again().await;
        };
        published.push(tokio::join!(next, again).0);
        node.until_record(published[published.len() - 1]).await;
    }
    assert!(published.is_sorted(), "{published:?}");
    assert_eq!(node.numbers(), published);
    assert!(node.losses().is_empty());
    assert_eq!(node.read("t", 0).await.as_ref(), Some(&published));
    let top = node.log.top;
    drop(node);
    let node = Node::start(Redis::connect(url)).await;
    assert_eq!((top, node.log.top), (0, published[published.len() - 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_scripts_that_are_gone_lose_and_double_nothing() {
    const TASKS: usize = 8;
    let server = server::Redis::start().await;
    let engine = || Redis::connect(server.url());
    let (publisher, listener) = (Node::start(engine()).await, Node::start(engine()).await);
    let publisher = std::sync::Arc::new(publisher);
    for topic in ["a", "b", "c"] {
        listener.open(topic).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let publisher = std::sync::Arc::clone(&publisher);
        tasks.spawn(async move {
            let mut numbers = Vec::new();
            for n in 0..250 {
                numbers
                    .push(publisher.publish(["a", "b", "c"][(task + n) % 3], &format!("{task} {n}")).await);
            }
            assert!(numbers.is_sorted(), "{numbers:?}");
            numbers
        });
    }
    let mut seen = 0;
    for command in [
        "CLIENT KILL TYPE normal SKIPME yes",
        "SCRIPT FLUSH",
        "CLIENT KILL TYPE pubsub",
        "CLIENT KILL TYPE normal SKIPME yes",
        "SCRIPT FLUSH",
        "CLIENT KILL TYPE pubsub",
    ] {
        // Each in the middle of it.
        seen += 250;
        listener.until_count(seen).await;
        run(&server, command).await;
    }
    let mut published: Vec<u64> = tasks.join_all().await.concat();
    published.sort_unstable();
    listener.until_record(published[published.len() - 1]).await;
    assert!(listener.losses().is_empty());
    assert!(listener.said().contains(&Said::Down), "it was cut off");
    assert_eq!(listener.numbers(), published);
    let mut texts: Vec<_> = listener
        .said()
        .into_iter()
        .filter_map(|said| if let Said::Record(_, _, text) = said { Some(text) } else { None })
        .collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), TASKS * 250);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_another_process_began_meanwhile_is_used() {
    let server = server::Redis::start().await;
    let prefix = fresh_name();
    let engine = || Redis::connect(server.url()).prefix(prefix.as_str());
    let node = Node::start(engine()).await;
    node.open("t").await;
    let before = node.publish("t", "before").await;
    node.until_record(before).await;
    // In one step, so that the node cannot be the first.
    let other = fresh_name();
    let fresh = Node::start(Redis::connect(server.url()).prefix(other.as_str())).await;
    drop(fresh);
    run(&server, &format!("RENAME {{{other}}}:log {{{prefix}}}:log")).await;
    node.until("a loss", |said| matches!(said, Said::Lost(_))).await;
    let next = node.publish("t", "after").await;
    node.until_record(next).await;
    assert!(next > before);
    assert_eq!(node.read("t", before).await, None);
}
