//! Whatever clients do, in any order: each gets a part of its run's log without a hole, from where it asked to where it left,
//! or to the end; all see the same end; and when a run is gone, it is gone for all.

use futures_util::FutureExt as _;
use sse_runtime::Hub;
use tokio::time::Instant;

use super::broker::{Broker, Delivers};
use super::*;

const WORLDS: u64 = 15;
const STEPS: usize = 60;

/// Counts, for a while.
#[sse_route("/walk/{to}", methods = ["GET", "POST"], run = "60s", run_idle = "15s", run_keep = "30s", end = "done")]
async fn walk(sse: Sse, to: u64) -> Result<()> {
    for n in 0..to {
        sse.send(n.to_string()).await?;
        if n % 3 > 0 {
            sleep(SECOND).await;
        }
    }
    Ok(())
}

struct World {
    nodes: Vec<(Runs, TestClient)>,
    walks: Vec<Walk>,
    dice: fastrand::Rng,
}

/// A run, as far as its clients know it.
struct Walk {
    path: String,
    id: String,
    /// Where it was begun.
    node: usize,
    begun: Instant,
    key: Option<String>,
    /// How many numbers it has, and its last word.
    end: Option<(u64, String)>,
    /// Somebody has asked for its end.
    cancelled: bool,
    /// When somebody last left.
    left: Option<Instant>,
    clients: Vec<Client>,
}

struct Client {
    stream: Option<TestStream>,
    /// The number that it wants next, and its last id.
    next: u64,
    last: String,
    over: bool,
}

impl Client {
    fn new(stream: TestStream, next: u64) -> Self {
        Self { stream: Some(stream), next, last: String::new(), over: false }
    }
}

impl Walk {
    /// Takes note of what a client was told.
    fn take(&mut self, client: usize, event: &sse_runtime::testing::ReceivedEvent) {
        let Some(seen) = self.clients.get_mut(client) else { return };
        assert!(!seen.over, "{} after the last word", event.name);
        if let Some(id) = &event.id {
            seen.last.clone_from(id);
        }
        match event.name.as_str() {
            "sse-open" => assert!(event.data.contains(&self.id), "{event:?}"),
            "message" => {
                assert_eq!(event.data, seen.next.to_string(), "of {}", self.path);
                seen.next += 1;
            }
            "done" | "sse-bye" => {
                seen.over = true;
                let end = (seen.next, format!("{} {}", event.name, event.data));
                assert_eq!(*self.end.get_or_insert(end.clone()), end, "all see the same end");
                match event.data.as_str() {
                    "{}" => assert!(self.path.ends_with(&format!("/{}", end.0)), "{end:?} of {}", self.path),
                    r#"{"reason":"Cancelled"}"# => assert!(self.cancelled),
                    r#"{"reason":"MaxAge"}"# => assert!(self.begun.elapsed() >= 60 * SECOND),
                    r#"{"reason":"Abandoned"}"# => {
                        assert!(self.left.is_some(), "somebody was there all the time");
                    }
                    other => panic!("{other}"),
                }
            }
            other => panic!("{other}: {}", event.data),
        }
    }

    /// A client reads so much of what is there.
    fn look(&mut self, client: usize, most: usize) {
        for _ in 0..most {
            let Some(seen) = self.clients.get_mut(client).filter(|seen| !seen.over) else { return };
            let Some(stream) = seen.stream.as_mut() else { return };
            let Some(event) = tokio::task::unconstrained(stream.next()).now_or_never() else { return };
            self.take(client, &event);
        }
    }
}

impl World {
    async fn new(seed: u64) -> Self {
        let nodes = if seed % 3 == 0 {
            vec![Self::node(Runs::in_memory())]
        } else {
            let broker = Broker::keeping(1_000_000);
            let delivers = if seed % 3 == 1 { Delivers::Open } else { Delivers::Everything };
            let mut nodes = Vec::new();
            for _ in 0..2 {
                let hub = Hub::on(broker.node().delivers(delivers)).topic_events(8).start().await;
                nodes.push(Self::node(Runs::on(hub.expect("started"))));
            }
            nodes
        };
        Self { nodes, walks: Vec::new(), dice: fastrand::Rng::with_seed(seed) }
    }

    fn node(runs: Runs) -> (Runs, TestClient) {
        let client = TestClient::new(routes![walk].layer(runs.clone())).limit(1200 * SECOND);
        (runs, client)
    }

    async fn step(&mut self) {
        let node = self.dice.usize(..self.nodes.len());
        let walk = self.dice.usize(..self.walks.len().max(1));
        let dice = self.dice.u8(..16);
        match (dice, self.walks.get_mut(walk)) {
            (0..2, _) | (_, None) => self.begin(node).await,
            (2, Some(_)) => self.begin_again(walk, node).await,
            (3..7, Some(_)) => self.come(walk, node).await,
            (7..9, Some(walk)) => {
                let client = self.dice.usize(..walk.clients.len());
                let most = self.dice.usize(..9);
                walk.look(client, most);
                if walk.clients[client].stream.take().is_some() {
                    walk.left = Some(Instant::now());
                }
            }
            (9..12, Some(walk)) => {
                let client = self.dice.usize(..walk.clients.len());
                walk.look(client, self.dice.usize(..20));
            }
            (12, Some(walk)) if self.dice.bool() => {
                let path = format!("{}?run={}", walk.path, walk.id);
                let deleted = self.nodes[node].1.request(axum::http::Method::DELETE, &path).response().await;
                walk.cancelled |= deleted.status == StatusCode::NO_CONTENT;
                assert!([StatusCode::NO_CONTENT, StatusCode::NOT_FOUND].contains(&deleted.status));
            }
            _ => sleep(SECOND * self.dice.u32(..12)).await,
        }
    }

    async fn begin(&mut self, node: usize) {
        let path = format!("/walk/{}", self.dice.u64(1..90));
        let key = self.dice.bool().then(|| format!("key {}", self.walks.len()));
        let mut request = self.nodes[node].1.post(&path);
        if let Some(key) = &key {
            request = request.header("idempotency-key", key);
        }
        let stream = request.stream().await;
        let id = run_of(&stream);
        let clients = vec![Client::new(stream, 0)];
        let (begun, end, cancelled, left) = (Instant::now(), None, false, None);
        self.walks.push(Walk { path, id, node, begun, key, end, cancelled, left, clients });
    }

    /// The same request once more, while the run can be replayed.
    async fn begin_again(&mut self, walk: usize, node: usize) {
        let walk = &mut self.walks[walk];
        let here = self.nodes[walk.node].0.list().iter().any(|run| run.id().as_str() == walk.id);
        let Some(key) = walk.key.as_ref().filter(|_| here) else { return };
        let stream = self.nodes[node].1.post(&walk.path).header("idempotency-key", key).stream().await;
        assert_eq!(run_of(&stream), walk.id);
        walk.clients.push(Client::new(stream, 0));
    }

    /// A new client, for all of it or what another one has not seen; by the run, by the id, or by both.
    async fn come(&mut self, walk: usize, node: usize) {
        let (dice, walk) = (&mut self.dice, &mut self.walks[walk]);
        let other = &walk.clients[dice.usize(..walk.clients.len())];
        let (next, last, over) = (other.next, other.last.clone(), other.over);
        let (by_run, by_id) = match dice.u8(..4) {
            0 | 1 => (true, false),
            2 => (true, !last.is_empty()),
            _ => (last.is_empty(), !last.is_empty()),
        };
        let path = if by_run { format!("{}?run={}", walk.path, walk.id) } else { walk.path.clone() };
        let mut request = self.nodes[node].1.get(&path);
        if by_id {
            request = request.last_event_id(&last);
        }
        let is_kept = self.nodes[walk.node].0.list().iter().any(|run| run.id().as_str() == walk.id);
        if by_id && over {
            let status = request.response().await.status;
            let expected = last == "sse-end" || is_kept || self.nodes.len() > 1;
            assert_eq!(status, if expected { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND });
        } else if is_kept || self.nodes.len() > 1 {
            // The log of several nodes goes by the clock of the wall, which stands still here.
            let stream = request.stream().await;
            assert_eq!(run_of(&stream), walk.id);
            let mut client = Client::new(stream, if by_id { next } else { 0 });
            client.last = if by_id { last } else { String::new() };
            walk.clients.push(client);
        } else {
            assert_eq!(request.response().await.status, StatusCode::NOT_FOUND);
        }
    }

    /// Everybody who is there reads to the end.
    async fn finish(mut self) {
        sleep(70 * SECOND).await;
        for walk in &mut self.walks {
            for client in 0..walk.clients.len() {
                loop {
                    let seen = &mut walk.clients[client];
                    let Some(stream) = seen.stream.as_mut() else { break };
                    if seen.over {
                        stream.expect_end().await;
                        break;
                    }
                    let event = stream.next().await;
                    walk.take(client, &event);
                }
            }
        }
        sleep(120 * SECOND).await;
        for (runs, client) in &self.nodes {
            assert!(runs.list().is_empty());
            for walk in self.walks.iter().filter(|_| self.nodes.len() == 1) {
                let gone = client.get(&format!("{}?run={}", walk.path, walk.id)).response().await;
                assert_eq!(gone.status, StatusCode::NOT_FOUND);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_each_client_sees_is_a_part_of_the_log() {
    for seed in 0..WORLDS {
        let mut world = World::new(seed).await;
        for _ in 0..STEPS {
            world.step().await;
        }
        let clients: usize = world.walks.iter().map(|walk| walk.clients.len()).sum();
        assert!(clients > 5, "{clients} clients");
        world.finish().await;
    }
}
