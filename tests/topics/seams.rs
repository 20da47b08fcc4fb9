//! Clients that connect, leave and come back while publishers on threads of their own run at full speed: between
//! history and live events, there is no seam.
//!
//! Of what a follower does, two things hang on the order of memory accesses without a lock around both:
//!
//! - `arrived` is stored after the event is in its ring, and loaded before the rings are read. A release store that an
//!   acquire load reads: whoever sees the number sees the ring with the event in it.
//! - A topic's `newest` is stored under its ring's lock; a waiter registers under that lock, and looks at `newest` after
//!   it. The lock alone orders them: either the waiter was first, and the publisher takes its waker, or the publisher
//!   was, and the later look sees its number.
//!
//! A loss is in many rings at once, and no lock is around all of them: `arrived` is stored after the last of them, and
//! those who have come to wait in between are called once more.
//!
//! The first two are message passing over one variable, with the pair of orderings that is made for it; what can go wrong is that
//! a step comes too early or too late. A model checker would need a copy of the code, which proves nothing of the
//! original. So the original runs here, on real threads, where a store too early is an event lost; and the two meetings
//! that threads come to too seldom (a look before the waiting, a loss before it is in the rings) are forced by tests
//! beside the code, which hold the lock in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use sse_runtime::{Event, Hub, Result, Sse, Topic, routes, sse_route};
use sse_tests::within_limit;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::published::{END, Heard, Published, Topics, finished, seq_of};
use super::reader::{Block, Reader, Server};
use super::scripted::Scripted;

const EVERYTHING: usize = 1 << 30;

fn large() -> Hub {
    Hub::in_memory().topic_events(EVERYTHING).topic_bytes(EVERYTHING).bytes(EVERYTHING).build()
}

fn followed(names: &str, hub: &Hub) -> Vec<Topic> {
    names.split(',').map(|name| hub.topic(name)).collect()
}

#[sse_route("/follow/{names}", keep_alive = "off")]
async fn follow(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    sse.follow_all(followed(&names, &hub)).await?;
    Ok(())
}

/// Stops following after a random number of turns, and begins again at once.
#[sse_route("/restless/{names}", keep_alive = "off")]
async fn restless(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    let topics = followed(&names, &hub);
    loop {
        let turns = turns(&hub);
        tokio::select! {
            result = sse.follow_all(&topics) => result?,
            () = async { for _ in 0..turns { tokio::task::yield_now().await } } => {}
        }
    }
}

/// The same, in a task of its own.
#[sse_route("/restless_task/{names}", keep_alive = "off")]
async fn restless_task(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    let topics = followed(&names, &hub);
    loop {
        let (stream, topics) = (sse.clone(), topics.clone());
        let following = tokio::spawn(async move { drop(stream.follow_all(&topics).await) });
        for _ in 0..turns(&hub) {
            tokio::task::yield_now().await;
        }
        following.abort();
        // Until it is dropped: a stream follows once at a time.
        drop(following.await);
    }
}

#[sse_route("/skip/{names}", slow = "skip", keep_alive = "off")]
async fn skip(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    sse.follow_all(followed(&names, &hub)).await?;
    Ok(())
}

/// From 0 to 7, unpredictable enough.
fn turns(hub: &Hub) -> u64 {
    hub.stats().published % 8
}

fn server(hub: &Hub) -> Server {
    let app: Router = routes![follow, restless, restless_task, skip].with_state(hub.clone());
    Server::InProcess(app)
}

fn path(route: &str, topics: &[usize]) -> String {
    let names: Vec<_> = topics.iter().map(ToString::to_string).collect();
    format!("/{route}/{}", names.join(","))
}

/// What a client read from a position on.
struct Account {
    topics: Vec<usize>,
    from: u64,
    received: Vec<Heard>,
    /// How many events it was told that it missed.
    missed: u64,
}

/// Connects, reads up to `most` events at a time, leaves, comes back, until each topic has ended.
async fn come_and_go(
    server: Server,
    route: &str,
    topics: Vec<usize>,
    most: u64,
    arrived: Arc<AtomicUsize>,
) -> Account {
    let path = path(route, &topics);
    let mut reader = Reader::connect(&server, &path, None).await;
    let from = reader.position().await;
    arrived.fetch_add(1, Ordering::Relaxed);
    let (mut received, mut ends) = (Vec::new(), 0);
    for reads in 1_u64.. {
        for _ in 0..=reads * 7919 % most {
            let event = reader.event().await;
            received.push(event);
            ends += usize::from(event.number == END);
            if ends == topics.len() {
                return Account { topics, from, received, missed: 0 };
            }
        }
        let before = reader.last_id.clone();
        reader = reader.reconnect(&server, &path).await;
        assert_eq!(reader.position().await, seq_of(&before));
    }
    unreachable!("it reads until the end")
}

/// Stays, and is slow now and then.
async fn stay(server: Server, route: &str, topics: Vec<usize>, arrived: Arc<AtomicUsize>) -> Account {
    let mut reader = Reader::connect(&server, &path(route, &topics), None).await;
    let from = reader.position().await;
    arrived.fetch_add(1, Ordering::Relaxed);
    let mut account = Account { topics, from, received: Vec::new(), missed: 0 };
    let mut ends = 0;
    while ends < account.topics.len() {
        match reader.next().await.expect("it goes on") {
            Block::Event(event) => {
                account.received.push(event);
                ends += usize::from(event.number == END);
            }
            gap @ Block::Word { .. } => account.missed += gap.json()["missed"].as_u64().expect("a number"),
        }
        if account.received.len() % 100 == 0 {
            // Falls behind now and then.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
    }
    account
}

/// Which topics the client `n` follows.
fn choice(n: usize) -> Vec<usize> {
    [vec![0], vec![0, 1], vec![2, 0, 1], vec![2]][n % 4].clone()
}

/// Publishes on three topics from two threads while clients do what they do, each in its task.
async fn while_publishing(
    hub: &Hub,
    rounds: u64,
    clients: usize,
    start: impl Fn(usize, Arc<AtomicUsize>) -> JoinHandle<Account>,
) -> (Published, Vec<Account>) {
    let topics = Topics::new(hub, 3);
    let arrived = Arc::new(AtomicUsize::new(0));
    let begin = |n| start(n, Arc::clone(&arrived));
    let mut tasks: Vec<_> = (0..clients / 2).map(begin).collect();
    let publishers = vec![topics.flood(vec![0, 1], 0, rounds), topics.flood(vec![2, 0], rounds, rounds)];
    tasks.extend((clients / 2..clients).map(begin));
    let published = finished(publishers).await;
    let all_arrived = async {
        while arrived.load(Ordering::Relaxed) < clients {
            tokio::task::yield_now().await;
        }
    };
    within_limit("all clients are there", all_arrived).await;
    let published = Published::of(published, topics.end());
    let mut accounts = Vec::new();
    for task in tasks {
        accounts.push(within_limit("a client", task).await.expect("a client does not panic"));
    }
    (published, accounts)
}

async fn nothing_lost_or_repeated(route: &'static str, rounds: u64, most: u64) {
    let hub = large();
    let server = server(&hub);
    let (published, accounts) = while_publishing(&hub, rounds, 16, |n, arrived| {
        tokio::spawn(come_and_go(server.clone(), route, choice(n), most, arrived))
    })
    .await;
    for account in accounts {
        published.expect(&account.topics, account.from, &account.received);
    }
    let stats = hub.stats();
    assert_eq!((stats.fell_behind, stats.missed, stats.reset), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_come_and_go_lose_and_repeat_nothing() {
    nothing_lost_or_repeated("follow", 5000, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_come_and_go_quickly_lose_and_repeat_nothing() {
    nothing_lost_or_repeated("follow", 200, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_that_are_dropped_and_made_again_lose_and_repeat_nothing() {
    nothing_lost_or_repeated("restless", 5000, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_in_tasks_that_are_aborted_lose_and_repeat_nothing() {
    nothing_lost_or_repeated("restless_task", 5000, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_received_and_what_is_missed_add_up() {
    let hub = Hub::in_memory().topic_events(32).build();
    let server = server(&hub);
    let (published, accounts) = while_publishing(&hub, 10_000, 16, |n, arrived| {
        tokio::spawn(stay(server.clone(), "skip", choice(n), arrived))
    })
    .await;
    let mut missed = 0;
    for Account { topics, from, received, missed: told } in accounts {
        let all = published.after(&topics, from).count() as u64;
        let got = received.len() as u64;
        assert_eq!(
            got + told,
            all,
            "a client of {topics:?} that began at {from} got {got} and missed {told}"
        );
        let mut published = published.after(&topics, from);
        for event in &received {
            assert!(published.any(|other| other == event), "{event:?} is in its place");
        }
        missed += told;
    }
    assert!(missed > 0, "somebody was too slow");
    assert_eq!(hub.stats().missed, missed);
}

/// Publishes two events, the second while the followers turn to the first, and no more until they have both: whoever
/// misses the second one's call sleeps on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_falls_asleep_beside_an_event() {
    const PAIRS: u64 = 2000;
    for clients in [vec![vec![0, 1]], vec![vec![0]], vec![vec![0], vec![1, 0], vec![0, 1]]] {
        let hub = large();
        let topics = Topics::new(&hub, 2);
        let server = server(&hub);
        let (mut tasks, mut heard) = (Vec::new(), Vec::new());
        for followed in clients {
            let mut reader = Reader::connect(&server, &path("follow", &followed), None).await;
            assert_eq!(reader.position().await, 0);
            let (last, mut hears) = watch::channel(0);
            // One that follows the first topic alone does not get the second of each pair.
            let short = u64::from(followed.len() == 1);
            tasks.push(tokio::spawn(async move {
                while *last.borrow() < 2 * PAIRS - short {
                    let event = reader.event().await;
                    last.send_replace(event.seq);
                }
            }));
            heard.push(async move |pair| drop(hears.wait_for(|last| *last >= 2 * pair - short).await));
        }
        let publisher = tokio::spawn(async move {
            for pair in 1..=PAIRS {
                topics.publish(0, 2 * pair - 1, "");
                dally(pair, 1000);
                topics.publish(1, 2 * pair, "");
                for client in &mut heard {
                    client(pair).await;
                }
            }
        });
        for task in tasks {
            within_limit("a client", task).await.expect("a client gets every event");
        }
        publisher.await.expect("no panic");
    }
}

/// Takes a little time, each time another, to meet the other side at every point of its way.
fn dally(seq: u64, most: u64) {
    for _ in 0..seq * 7919 % most {
        std::hint::spin_loop();
    }
}

/// An engine that loses something behind every event: each loss is told before anything later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_loss_is_taken_for_silence() {
    const ROUNDS: u64 = 10_000;
    for followed in [vec![0], vec![0, 1]] {
        let engine = Scripted::default();
        let hub = Hub::on(engine.clone()).start().await.expect("it starts");
        let mut reader = Reader::connect(&server(&hub), &path("skip", &followed), None).await;
        assert_eq!(reader.position().await, 0);
        let heard = Arc::new(AtomicU64::new(0));
        let last = Arc::clone(&heard);
        let publisher = tokio::task::spawn_blocking(move || {
            for seq in (1..ROUNDS).step_by(2) {
                engine.deliver("0", seq);
                dally(seq, 2000);
                engine.feed().lost(seq + 1);
                // Not too far ahead, or all losses become one.
                for _ in 0..100_000 {
                    if last.load(Ordering::Acquire) + 4 >= seq {
                        break;
                    }
                    std::thread::yield_now();
                }
            }
        });
        let mut told = 0;
        while told < ROUNDS {
            match reader.next().await.expect("it goes on") {
                Block::Event(event) => {
                    assert!(told + 1 >= event.seq, "{event:?} after a loss of which was told up to {told}");
                    heard.store(event.seq, Ordering::Release);
                }
                gap @ Block::Word { .. } => {
                    let until = gap.json()["until"].as_str().map(seq_of).expect("a position");
                    told = told.max(until);
                    heard.store(told, Ordering::Release);
                }
            }
        }
        within_limit("the publisher", publisher).await.expect("no panic");
    }
}

#[sse_route("/counting", keep_alive = "off")]
async fn counting(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn between_a_snapshot_and_what_comes_after_it_nothing_is_lost() {
    const LAST: u64 = 20_000;
    let hub = large();
    let state = Arc::new(AtomicU64::new(0));
    let shown = Arc::clone(&state);
    let topic: Topic = hub.topic("0").snapshot(move || {
        let now = shown.load(Ordering::Acquire);
        async move {
            tokio::task::yield_now().await;
            Ok([Event::new("state").data(now.to_string())])
        }
    });
    let server = Server::InProcess(routes![counting].with_state(topic));
    let publisher = tokio::task::spawn_blocking(move || {
        let topics = Topics::new(&hub, 1);
        for number in 1..=LAST {
            // First the state, then the event, as the hook's documentation asks.
            state.store(number, Ordering::Release);
            topics.publish(0, number, "");
        }
    });
    let clients: Vec<_> = (0..4).map(|n| tokio::spawn(begin_anew(server.clone(), n, LAST))).collect();
    for client in clients {
        within_limit("a client", client).await.expect("a client does not panic");
    }
    within_limit("publishing", publisher).await.expect("no panic");
}

/// Connects as if for the first time, again and again, until the state that it is shown is the last one.
async fn begin_anew(server: Server, client: usize, last: u64) {
    for visit in client.. {
        let mut reader = Reader::connect(&server, "/counting", None).await;
        assert!(
            matches!(reader.next().await, Some(Block::Word { name, id: None, .. }) if name == "sse-open")
        );
        let state = match reader.next().await {
            Some(Block::Word { name, id: Some(_), data }) if name == "state" => data,
            other => panic!("expected the state, got {other:?}"),
        };
        let mut known: u64 = state.parse().expect("a number");
        // What came while the state was read may be shown by it already.
        let mut first = true;
        for _ in 0..visit % 50 {
            if known == last {
                return;
            }
            let number = reader.event().await.number;
            assert!(number == known + 1 || (first && number <= known), "{number} after {known}");
            first &= number <= known;
            known = known.max(number);
        }
    }
}
