//! Two nodes as two processes, a thousand browsers between them, and one of the nodes is killed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sse_runtime::{Topic, listen, serve};
use sse_tests::{Example, allow_many_files};
use tokio::sync::{Barrier, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::OnServer;
use crate::client::{Stream, follow};
use crate::log::{Log, start};
use crate::node::app;
use crate::server::Server as _;
use crate::turns::{Kind, Turn};

const STREAMS: usize = 1000;
const TOPICS: [&str; 4] = ["a", "b", "c", "d"];
/// How many events each browser is to get, one after the other.
const EVENTS: usize = 60;
/// How often something is published, on each topic in turn.
const EVERY: Duration = Duration::from_millis(20);
/// How many open their connections at a time.
const AT_A_TIME: usize = 64;
/// The variable that makes this program a node, and says where the log is.
const LOG: &str = "SSE_TESTS_NODE";

on_each_server!(who_was_at_a_node_that_dies_goes_on_at_the_other);

async fn who_was_at_a_node_that_dies_goes_on_at_the_other<E: OnServer>() {
    if let Ok(log) = std::env::var(LOG) {
        let (url, name) = log.split_once(' ').expect("where, and which");
        return be_a_node(&Log::at::<E>(url.to_owned(), name.to_owned())).await;
    }
    let _turn = Turn::of(Kind::Busy).await;
    allow_many_files();
    let server = E::Server::start().await;
    let log = Log::on::<E>(&server);
    let test = format!("suite::crowd::who_was_at_a_node_that_dies_goes_on_at_the_other::{}", E::Server::NAME);
    let (dies, lives) = (start_node(&test, &log).await, start_node(&test, &log).await);
    let addresses = [dies.address(), lives.address()];

    let open = Arc::new(Barrier::new(STREAMS + 1));
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let mut browsers = JoinSet::new();
    for number in 0..STREAMS {
        let (open, turns) = (Arc::clone(&open), Arc::clone(&turns));
        let path = format!("/{}", TOPICS[number / 2 % TOPICS.len()]);
        let addresses = if number % 2 == 0 { addresses } else { [addresses[1]; 2] };
        browsers.spawn(browse(addresses, path, open, turns));
    }
    open.wait().await;

    let hub = start(log.hub()).await;
    let topics: Vec<Topic> = TOPICS.iter().map(|name| hub.topic(name)).collect();
    let mut dies = Some(dies);
    let mut pace = interval(EVERY);
    let mut killed = Instant::now();
    for number in 0..EVENTS {
        for topic in &topics {
            pace.tick().await;
            topic.publish(number.to_string()).await.expect("the server is there");
        }
        if number == EVENTS / 2 {
            // SIGKILL, which is what dropping does.
            drop(dies.take());
            killed = Instant::now();
        }
    }
    let (mut moved, mut longest) = (0, Duration::ZERO);
    while let Some(came_back) = browsers.join_next().await {
        if let Some(came_back) = came_back.expect("every event, once, in order") {
            moved += 1;
            longest = longest.max(came_back.saturating_duration_since(killed));
        }
    }
    assert_eq!(moved, STREAMS / 2, "those of the node that died, and nobody else");
    println!(
        "{}: {STREAMS} streams got {EVENTS} events each; {moved} had to move, the last one after {longest:.1?}",
        E::Server::NAME
    );
}

/// Starts this very program again, as a node on the log.
async fn start_node(test: &str, log: &Log) -> Example {
    let this = std::env::current_exe().expect("the test's own file");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let arguments = ["--exact", test, "--nocapture"];
    Example::start_program_inheriting(
        &this,
        &arguments,
        &[(LOG, &format!("{} {}", log.url, log.name))],
        &listener,
    )
    .await
}

async fn be_a_node(log: &Log) {
    allow_many_files();
    let hub = start(log.hub()).await;
    let listener = listen("127.0.0.1:0").await.expect("the inherited socket");
    println!("\nlistening on http://{}", listener.local_addr().expect("an address"));
    serve(listener, app(&hub, Vec::new())).await.expect("it serves until it is killed");
}

/// Sees every event of its topic, once and in order, at the first address and then at the second. When it moved, if it did.
async fn browse(
    addresses: [SocketAddr; 2],
    path: String,
    open: Arc<Barrier>,
    turns: Arc<Semaphore>,
) -> Option<Instant> {
    let mut stream = {
        let _turn = turns.acquire().await.expect("never closed");
        connect(addresses[0], &path, "").await
    };
    assert_eq!(stream.next().await.expect("where it stands").name, "sse-open");
    open.wait().await;
    let mut moved = None;
    let mut expected = 0;
    while expected < EVENTS {
        let Some(event) = stream.next().await else {
            assert_eq!(moved, None, "the other node lives");
            let last = stream.last;
            stream = connect(addresses[1], &path, &last).await;
            let begins = stream.next().await.expect("where it stands");
            assert!(
                begins.name == "sse-open" && begins.data.contains(r#""resumed":true"#),
                "{last}: {begins:?}"
            );
            moved = Some(Instant::now());
            continue;
        };
        assert_eq!((event.name.as_str(), event.data), ("message", expected.to_string()));
        expected += 1;
    }
    moved
}

/// Many come at the same time; the system may not have room for all of them in its queue.
async fn connect(address: SocketAddr, path: &str, last: &str) -> Stream {
    let connected = async {
        loop {
            match follow(address, path, last).await {
                Ok(answer) => return answer.expect("a stream"),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    sse_tests::within_limit("a connection", connected).await
}
