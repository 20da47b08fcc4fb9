//! A client that stops reading while its topic runs at full speed: the process stays small, nobody else notices, and
//! the client is told when it reads again.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use sse_runtime::{Hub, Result, Shutdown, Sse, routes, serve, sse_route};
use sse_tests::{is_alone, resident, within_limit};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::published::{Heard, Topics, seq_of};
use super::reader::{Block, Reader, Server};

const TOPIC_EVENTS: usize = 200;
const TOPIC_BYTES: usize = 1 << 20;
/// On the wire, about.
const EVENT: usize = 4000;
const EVENTS: u64 = 20_000;
const READERS: usize = 4;

/// How much larger the process may get. What the hub keeps is bounded by its `topic_bytes`; the memory it is written
/// into is cut in pieces, which stay until their last event goes: twice as much at most. Each connection may hold
/// frames on their way: hyper queues 64 KiB of them, and they keep the pieces of memory that they lie in. The rest is the
/// allocator's. Without a bound it would be all that is published, 80 MB.
const BOUND: usize = 2 * TOPIC_BYTES + (READERS + 1) * (256 << 10) + (8 << 20);

#[sse_route("/disconnect", send_timeout = "off")]
async fn disconnect(sse: Sse, State(hub): State<Hub>) -> Result<()> {
    sse.follow(&hub.topic("0")).await?;
    Ok(())
}

#[sse_route("/skip", slow = "skip", send_timeout = "off")]
async fn skip(sse: Sse, State(hub): State<Hub>) -> Result<()> {
    sse.follow(&hub.topic("0")).await?;
    Ok(())
}

#[sse_route("/latest", slow = "latest", send_timeout = "off")]
async fn latest(sse: Sse, State(hub): State<Hub>) -> Result<()> {
    sse.follow(&hub.topic("0")).await?;
    Ok(())
}

/// What the client was told, and what it got around that.
struct Told {
    hub: Hub,
    server: Server,
    /// Before it was told: the last event.
    last: u64,
    reader: Reader,
    word: Block,
    _serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Publishes, with one client that does not read, and lets it read then until it is told something.
async fn stall(path: &str) -> Told {
    let hub = Hub::in_memory().topic_events(TOPIC_EVENTS).topic_bytes(TOPIC_BYTES).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let server = Server::At(listener.local_addr().expect("an address"));
    let app: Router = routes![disconnect, skip, latest].with_state(hub.clone());
    let serving = tokio::spawn(serve(listener, app).shutdown(Shutdown::new()).into_future());

    let mut stalled = Reader::connect(&server, path, None).await;
    assert_eq!(stalled.position().await, 0);
    let mut readers = Vec::new();
    let mut heard = Vec::new();
    for _ in 0..READERS {
        let mut reader = Reader::connect(&server, path, None).await;
        assert_eq!(reader.position().await, 0);
        let (last, hears) = watch::channel(0);
        heard.push(hears);
        readers.push(tokio::spawn(async move {
            for number in 1..=EVENTS {
                assert_eq!(reader.event().await, Heard { seq: number, topic: 0, number });
                last.send_replace(number);
            }
        }));
    }
    let topics = Topics::new(&hub, 1);
    let padding = "x".repeat(EVENT);
    let before = resident();
    let mut most = before;
    for number in 1..=EVENTS {
        topics.publish(0, number, &padding);
        if number % 50 == 0 {
            // As fast as those that read can: what they may be behind by is what is kept.
            for hears in &mut heard {
                let keeps_up = hears.wait_for(|last| *last + 100 > number);
                assert!(within_limit("a client that reads", keeps_up).await.is_ok(), "it goes on");
            }
            most = most.max(resident());
        }
    }
    for reader in readers {
        within_limit("a client that reads", reader).await.expect("it gets everything");
    }
    assert!(most - before < BOUND, "grown by {} KiB, of {} allowed", (most - before) >> 10, BOUND >> 10);

    let mut last = 0;
    let word = loop {
        match stalled.next().await.expect("it is told before the end") {
            Block::Event(event) => {
                assert_eq!(event.number, last + 1, "what was on its way already is whole");
                last = event.number;
            }
            word @ Block::Word { .. } => break word,
        }
    };
    assert!(last < EVENTS - TOPIC_EVENTS as u64, "it was too slow");
    Told { hub, server, last, reader: stalled, word, _serving: serving }
}

impl Told {
    fn expect_gap(&self) -> u64 {
        let gap = self.word.json();
        let missed = gap["missed"].as_u64().expect("a number");
        let until = gap["until"].as_str().map(seq_of).expect("a position");
        assert_eq!(gap["after"].as_str().map(seq_of), Some(self.last));
        assert_eq!(missed, until - self.last);
        assert!(
            matches!(&self.word, Block::Word { name, id, .. } if name == "sse-gap" && *id == Some(until))
        );
        let stats = self.hub.stats();
        assert_eq!(stats.fell_behind, 1, "{stats:?}");
        until
    }

    /// It is one like the others again.
    async fn expect_live(mut self) {
        Topics::new(&self.hub, 1).publish(0, EVENTS + 1, "");
        assert_eq!(self.reader.event().await.number, EVENTS + 1);
    }
}

#[test]
fn one_that_is_disconnected_is_told_so_and_what_it_missed_when_it_is_back() {
    if !is_alone("stalled::one_that_is_disconnected_is_told_so_and_what_it_missed_when_it_is_back") {
        return;
    }
    run(async {
        let mut told = stall("/disconnect").await;
        assert!(matches!(&told.word, Block::Word { name, .. } if name == "sse-bye"), "{:?}", told.word);
        assert_eq!(told.word.json()["reason"], "SlowClient");
        assert_eq!(told.reader.next().await, None);
        let stats = told.hub.stats();
        assert_eq!(stats.fell_behind, 1, "{stats:?}");
        assert!(stats.missed > 0 && stats.missed <= EVENTS - told.last, "{stats:?}");
        let mut reader = told.reader.reconnect(&told.server, "/disconnect").await;
        let reset = reader.next().await.expect("it begins");
        assert!(matches!(&reset, Block::Word { name, .. } if name == "sse-reset"), "{reset:?}");
        assert_eq!(reset.json()["reason"], "evicted");
        assert_eq!(reader.position().await, EVENTS);
        assert_eq!(told.hub.stats().reset, 1);
    });
}

#[test]
fn one_that_skips_is_told_how_much_and_goes_on_with_what_there_is() {
    if !is_alone("stalled::one_that_skips_is_told_how_much_and_goes_on_with_what_there_is") {
        return;
    }
    run(async {
        let mut told = stall("/skip").await;
        let until = told.expect_gap();
        assert_eq!(told.hub.stats().missed, until - told.last);
        assert_eq!(until, EVENTS - TOPIC_EVENTS as u64, "the history is full");
        for number in until + 1..=EVENTS {
            assert_eq!(told.reader.event().await.number, number);
        }
        told.expect_live().await;
    });
}

#[test]
fn one_that_wants_the_latest_is_told_how_much_is_gone_and_gets_that() {
    if !is_alone("stalled::one_that_wants_the_latest_is_told_how_much_is_gone_and_gets_that") {
        return;
    }
    run(async {
        let mut told = stall("/latest").await;
        told.expect_gap();
        // All have the same key.
        assert_eq!(told.reader.event().await.number, EVENTS);
        assert_eq!(told.hub.stats().missed, EVENTS - told.last - 1);
        told.expect_live().await;
    });
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(test);
    runtime.shutdown_timeout(Duration::from_secs(1));
}
