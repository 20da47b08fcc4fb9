//! Many clients at once, each of which holds what it received against everything that was published.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use sse_runtime::{Hub, Result, Shutdown, Sse, routes, serve, sse_route};
use sse_tests::{allow_many_files, within_limit};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::published::{END, Heard, Published, Topics, finished, seq_of};
use super::reader::{Block, Reader, Server};

#[sse_route("/follow/{names}")]
async fn follow(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    sse.follow_all(names.split(',').map(|name| hub.topic(name))).await?;
    Ok(())
}

const TOPICS: usize = 4;

/// A hub that keeps all of what one of these tests publishes.
pub(crate) fn hub() -> Hub {
    Hub::in_memory().topic_events(1 << 20).topic_bytes(1 << 30).build()
}

pub(crate) fn in_process(hub: &Hub) -> Server {
    let app: Router = routes![follow].with_state(hub.clone());
    Server::InProcess(app)
}

/// Our own server on a free port; it ends with the guard.
pub(crate) async fn over_sockets(hub: &Hub) -> (Server, Serving) {
    // Two for each client: both ends are here.
    allow_many_files();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let shutdown = Shutdown::new();
    let app: Router = routes![follow].with_state(hub.clone());
    tokio::spawn(serve(listener, app).shutdown(shutdown.clone()).into_future());
    (Server::At(address), Serving(shutdown))
}

pub(crate) struct Serving(Shutdown);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.begin();
    }
}

/// Most follow one topic, some follow several.
fn choice(n: usize) -> Vec<usize> {
    match n % 8 {
        0 => vec![0, 1, 2, 3],
        1 => vec![3, 1],
        n => vec![n % TOPICS],
    }
}

/// How far the crowd is.
#[derive(Default)]
struct Progress {
    /// Connections that have begun.
    connected: AtomicUsize,
    events: AtomicU64,
}

/// Three publishers and `clients` followers, all of which leave and come back at the same time `storms` times.
pub(crate) async fn gather(hub: &Hub, server: &Server, clients: usize, storms: usize, rounds: u64) {
    let topics = Topics::new(hub, TOPICS);
    let progress = Arc::new(Progress::default());
    let (storm, weather) = watch::channel(0);
    let tasks: Vec<_> = (0..clients)
        .map(|n| tokio::spawn(attend(server.clone(), choice(n), weather.clone(), Arc::clone(&progress))))
        .collect();
    let mut published = Vec::new();
    for part in 0..=storms {
        let connected = async {
            while progress.connected.load(Ordering::Relaxed) < clients * (part + 1) {
                tokio::task::yield_now().await;
            }
        };
        within_limit("everybody connects", connected).await;
        let before = progress.events.load(Ordering::Relaxed);
        let first = part as u64 * 3 * rounds;
        let publishers = vec![
            topics.flood(vec![0, 1], first, rounds),
            topics.flood(vec![2, 0], first + rounds, rounds),
            topics.flood(vec![3, 1, 2], first + 2 * rounds, rounds),
        ];
        if part < storms {
            // In the middle: some have everything, most do not.
            let middle = async {
                while progress.events.load(Ordering::Relaxed) < before + clients as u64 {
                    tokio::task::yield_now().await;
                }
            };
            within_limit("the middle", middle).await;
            storm.send_replace(part + 1);
        }
        published.extend(finished(publishers).await);
    }
    let subscribers: usize = (0..clients).map(|n| choice(n).len()).sum();
    assert_eq!(hub.stats().subscribers, subscribers, "nobody has left yet");
    let published = Published::of(published, topics.end());
    for task in tasks {
        let (topics, from, received) = within_limit("a client", task).await.expect("a client does not panic");
        published.expect(&topics, from, &received);
    }
    let stats = hub.stats();
    assert_eq!((stats.resumed, stats.reset), ((clients * storms) as u64, 0), "{stats:?}");
    assert_eq!((stats.fell_behind, stats.missed), (0, 0), "{stats:?}");
}

/// One of the crowd, until each of its topics has ended.
async fn attend(
    server: Server,
    topics: Vec<usize>,
    mut weather: watch::Receiver<usize>,
    progress: Arc<Progress>,
) -> (Vec<usize>, u64, Vec<Heard>) {
    let names: Vec<_> = topics.iter().map(ToString::to_string).collect();
    let path = format!("/follow/{}", names.join(","));
    let mut reader = Reader::connect(&server, &path, None).await;
    let from = reader.position().await;
    progress.connected.fetch_add(1, Ordering::Relaxed);
    let (mut received, mut ends) = (Vec::new(), 0);
    while ends < topics.len() {
        tokio::select! {
            biased;
            Ok(()) = weather.changed() => {
                let before = seq_of(&reader.last_id);
                reader = reader.reconnect(&server, &path).await;
                assert_eq!(reader.position().await, before);
                progress.connected.fetch_add(1, Ordering::Relaxed);
            }
            block = reader.next() => match block {
                Some(Block::Event(event)) => {
                    received.push(event);
                    ends += usize::from(event.number == END);
                    progress.events.fetch_add(1, Ordering::Relaxed);
                }
                other => panic!("expected an event of a topic, got {other:?}"),
            }
        }
    }
    (topics, from, received)
}
