//! Nodes, and what happens at them.

use sse_runtime::Hub;
use tokio::time::Instant;

use super::handler::{Journal, walk};
use super::walk::{Before, Client, Life, Walk, is_reply};
use super::*;
use crate::broker::{Broker, Call, Delivers, Node};

const LEASE: Duration = Duration::from_secs(6);
/// How long the log stands still at most.
const HALT: u32 = 4;
/// So many runs are cared for at a time.
const WALKS: usize = 8;

pub(super) struct World {
    nodes: Vec<TestClient>,
    runs: Vec<Runs>,
    /// Their connections to the log, if they have one.
    logs: Vec<Node>,
    journal: Journal,
    walks: Vec<Walk>,
    names: u64,
    dice: fastrand::Rng,
    seen: Seen,
}

/// What has happened, for nothing is to be left out.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ends: std::collections::BTreeMap<String, usize>,
    events: usize,
    clients: usize,
    joined: usize,
    anew: usize,
    replies: usize,
    strangers: usize,
    gone: usize,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        for (end, times) in &other.ends {
            *self.ends.entry(end.clone()).or_default() += times;
        }
        self.events += other.events;
        self.clients += other.clients;
        self.joined += other.joined;
        self.anew += other.anew;
        self.replies += other.replies;
        self.strangers += other.strangers;
        self.gone += other.gone;
    }

    /// Each kind of thing has happened.
    pub(super) fn is_enough(&self) {
        println!("{self:?}");
        for end in ["Completed", "Cancelled", "MaxAge", "Abandoned", "RunFull"] {
            assert!(self.ends.contains_key(end), "none was {end}: {self:?}");
        }
        let counts =
            [self.events, self.clients, self.joined, self.anew, self.replies, self.strangers, self.gone];
        assert!(counts.iter().all(|&count| count > 0), "{self:?}");
    }
}

impl World {
    pub(super) async fn new(seed: u64, delivers: Option<Delivers>) -> Self {
        let journal = Journal::default();
        let (mut logs, mut runs) = (Vec::new(), Vec::new());
        if let Some(delivers) = delivers {
            let broker = Broker::keeping(1_000_000);
            for _ in 0..2 {
                let log = broker.node().delivers(delivers);
                let hub = Hub::on(log.clone()).topic_events(8).start().await.expect("started");
                runs.push(Runs::on(hub).lease(LEASE));
                logs.push(log);
            }
        } else {
            runs.push(Runs::in_memory());
        }
        let app = |runs: &Runs| {
            let app: Router = routes![walk].with_state(journal.clone());
            TestClient::new(app.layer(runs.clone())).limit(1200 * SECOND)
        };
        let nodes = runs.iter().map(app).collect();
        let dice = fastrand::Rng::with_seed(seed);
        let (walks, names, seen) = (Vec::new(), 0, Seen::default());
        Self { nodes, runs, logs, journal, walks, names, dice, seen }
    }

    /// How much later than at its own node things may be known of a run.
    fn slack(&self) -> Duration {
        if self.logs.is_empty() { SECOND / 10 } else { LEASE + SECOND * HALT }
    }

    pub(super) async fn step(&mut self) {
        let node = self.dice.usize(..self.nodes.len());
        if self.walks.len() < WALKS / 2 {
            return self.begin(node).await;
        }
        let walk = self.dice.usize(..self.walks.len());
        match self.dice.u8(..32) {
            0..4 => self.begin(node).await,
            4..6 => self.begin_again(walk, node).await,
            6..13 => self.come(walk, node).await,
            13..16 => self.leave(walk),
            16..18 => self.read_slowly(walk),
            18..20 => self.reply(walk, node).await,
            20 => self.cancel(walk, node).await,
            21 => self.ask_as_a_stranger(walk, node).await,
            22..25 => self.leave_alone(walk),
            _ => {
                let time = self.dice.u32(1..10);
                self.pass(SECOND * time).await;
            }
        }
    }

    /// Time goes by, and the log may lose calls, or stand still.
    async fn pass(&mut self, time: Duration) {
        let halt = time.min(SECOND * self.dice.u32(1..=HALT));
        let halts = self.dice.u8(..4) == 0;
        for log in &self.logs {
            for call in [Call::Publish, Call::PublishAnswer] {
                log.fail(call, self.dice.usize(..4));
            }
            if halts {
                log.halt();
            }
        }
        sleep(halt).await;
        self.logs.iter().for_each(Node::go_on);
        sleep(time - halt).await;
        for log in &self.logs {
            log.fail(Call::Publish, 0);
            log.fail(Call::PublishAnswer, 0);
        }
        // All that was held up arrives.
        sleep(SECOND).await;
        for walk in &mut self.walks {
            walk.check(&self.journal);
            if walk.life(&self.journal) != Life::Going {
                (0..walk.clients.len()).for_each(|client| walk.resume(client));
            }
        }
        self.forget();
        // Of some, somebody asks once more later.
        let goes = |walk: &Walk| walk.life(&self.journal) == Life::Gone && self.dice.bool();
        let (gone, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.walks).into_iter().partition(goes);
        self.walks = rest;
        for walk in gone {
            self.say_goodbye(walk).await;
        }
    }

    /// The log lets go of what none of the runs needs.
    fn forget(&self) {
        let Some(log) = self.logs.first().filter(|_| self.dice.clone().bool()) else { return };
        let needed = self.walks.iter().map(|walk| walk.above).min();
        log.broker().forget(needed.unwrap_or_else(|| log.broker().top()));
    }

    fn before(&self) -> Before {
        Before(Instant::now(), self.logs.first().map_or(0, |log| log.broker().top()))
    }

    /// Nothing changes for a run just now.
    async fn settled(&self, walk: usize) -> Life {
        while self.walks[walk].life(&self.journal) == Life::Unsure {
            sleep(SECOND).await;
        }
        self.walks[walk].life(&self.journal)
    }

    async fn begin(&mut self, node: usize) {
        let path = format!("/walk/{}", self.dice.u64(1..120));
        self.names += 1;
        let key = self.dice.bool().then(|| format!("key {}", self.names));
        let (mut streams, before) = (Vec::new(), self.before());
        match &key {
            Some(key) => {
                // From several places at the same time.
                let posts = (0..self.dice.usize(1..4)).map(|turn| {
                    let client = &self.nodes[(node + turn) % self.nodes.len()];
                    client.post(&path).header("idempotency-key", key).stream()
                });
                streams.extend(futures_util::future::join_all(posts).await);
                self.seen.joined += streams.len() - 1;
            }
            None if self.dice.bool() => streams.push(self.nodes[node].post(&path).stream().await),
            None => streams.push(self.nodes[node].get(&path).stream().await),
        }
        let id = run_of(&streams[0]);
        assert!(self.walks.iter().all(|walk| walk.id != id), "it is a new one");
        let mut walk = Walk::new(path, id, key, before, self.slack());
        for stream in streams {
            assert_eq!(run_of(&stream), walk.id, "of one key");
            walk.enter(Client::new(stream, 0, String::new()));
        }
        self.walks.push(walk);
    }

    /// The same request once more: the same run, as long as it can be replayed.
    async fn begin_again(&mut self, walk: usize, node: usize) {
        let life = self.settled(walk).await;
        let (slack, before, walk) = (self.slack(), self.before(), &mut self.walks[walk]);
        let Some(key) = walk.key.clone() else { return };
        let stream = self.nodes[node].post(&walk.path).header("idempotency-key", &key).stream().await;
        let id = run_of(&stream);
        if life == Life::Gone {
            assert_ne!(id, walk.id, "it is gone");
            walk.key = None;
            let mut anew = Walk::new(walk.path.clone(), id, Some(key), before, slack);
            anew.enter(Client::new(stream, 0, String::new()));
            self.walks.push(anew);
            self.seen.anew += 1;
        } else {
            assert_eq!(id, walk.id);
            walk.enter(Client::new(stream, 0, String::new()));
            self.seen.joined += 1;
        }
    }

    /// A new client, for all of it or what another one has not seen; by the run, by the id, or by both.
    async fn come(&mut self, walk: usize, node: usize) {
        let life = self.settled(walk).await;
        let (dice, walk) = (&mut self.dice, &mut self.walks[walk]);
        // The id that one of them saw last, or any earlier one.
        let from = if walk.log.is_empty() { None } else { Some(dice.usize(..walk.log.len())) };
        let from = from.filter(|_| dice.u8(..3) > 0);
        let (by_run, last) = match from {
            None => (true, None),
            Some(from) => (dice.bool(), Some(walk.log[from].0.clone())),
        };
        let path = if by_run { walk.by_run() } else { walk.path.clone() };
        let mut request = self.nodes[node].get(&path);
        if let Some(last) = &last {
            request = request.last_event_id(last);
        }
        let at = from.map_or(0, |from| from + 1);
        if last.as_deref() == Some("sse-end") {
            assert_eq!(request.response().await.status, StatusCode::NO_CONTENT);
        } else if life == Life::Gone {
            assert_eq!(request.response().await.status, StatusCode::NOT_FOUND);
            self.seen.gone += 1;
        } else {
            let stream = request.stream().await;
            assert_eq!(run_of(&stream), walk.id);
            walk.enter(Client::new(stream, at, last.unwrap_or_default()));
        }
    }

    fn leave(&mut self, walk: usize) {
        let (walk, dice) = (&mut self.walks[walk], &mut self.dice);
        let client = dice.usize(..walk.clients.len());
        walk.look(client, dice.usize(..9), &self.journal);
        walk.leave(client);
    }

    fn leave_alone(&mut self, walk: usize) {
        let walk = &mut self.walks[walk];
        (0..walk.clients.len()).for_each(|client| walk.leave(client));
    }

    fn read_slowly(&mut self, walk: usize) {
        let (walk, dice) = (&mut self.walks[walk], &mut self.dice);
        let client = dice.usize(..walk.clients.len());
        walk.look(client, dice.usize(..20), &self.journal);
        if dice.bool() && walk.life(&self.journal) == Life::Going {
            walk.stall(client);
        } else {
            walk.resume(client);
        }
    }

    async fn reply(&mut self, walk: usize, node: usize) {
        let life = self.settled(walk).await;
        self.names += 1;
        let (dice, walk, said) = (&mut self.dice, &mut self.walks[walk], self.names);
        let Some(token) = &walk.token else { return };
        let post = |path: &str, key: u64| {
            let request = self.nodes[node].post(&format!("{path}?reply={token}"));
            request.header("idempotency-key", format!("{key}")).json(&said).response()
        };
        let foreign = post("/walk/0", 0).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "of another path");
        for _ in 0..dice.usize(1..3) {
            let answer = post(&walk.path, said).await;
            let still = walk.life(&self.journal);
            match (life, answer.status.as_u16()) {
                (Life::Going, 200) => {
                    assert_eq!(answer.text, said.to_string());
                    walk.taken.push(said);
                    self.seen.replies += 1;
                }
                // It ended meanwhile.
                (Life::Going, 202 | 404 | 503) if still != Life::Going => {}
                (Life::Kept | Life::Gone, 404) => {
                    let deeds = self.journal.of(&walk.id);
                    assert!(!deeds.sent.iter().any(|(sent, _)| is_reply(sent, said)), "after the end");
                }
                other => panic!("{other:?}: {}", answer.text),
            }
        }
    }

    async fn cancel(&mut self, walk: usize, node: usize) {
        let life = self.settled(walk).await;
        let walk = &mut self.walks[walk];
        let before = Instant::now();
        let deleted = self.nodes[node].request(axum::http::Method::DELETE, &walk.by_run()).response().await;
        if life == Life::Gone {
            assert_eq!(deleted.status, StatusCode::NOT_FOUND);
        } else {
            assert_eq!(deleted.status, StatusCode::NO_CONTENT);
            walk.cancelled.get_or_insert(before);
        }
    }

    /// Who guesses an id, or has one of another path, is told nothing.
    async fn ask_as_a_stranger(&mut self, walk: usize, node: usize) {
        let walk = &self.walks[walk];
        let mut guess: Vec<char> = walk.id.chars().collect();
        self.dice.shuffle(&mut guess);
        let guess: String = guess.into_iter().collect();
        let (guessed, foreign) = (format!("{}?run={guess}", walk.path), format!("/walk/0?run={}", walk.id));
        for path in [guessed, foreign] {
            for method in [axum::http::Method::GET, axum::http::Method::DELETE] {
                let answer = self.nodes[node].request(method, &path).response().await;
                assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_FOUND, "no such run"));
            }
        }
        self.seen.strangers += 1;
    }

    /// One that cannot be replayed any more.
    async fn say_goodbye(&mut self, walk: Walk) {
        for node in &self.nodes {
            for method in [axum::http::Method::GET, axum::http::Method::DELETE] {
                let answer = node.request(method, &walk.by_run()).response().await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", walk.path);
            }
        }
        assert!(self.runs.iter().all(|runs| runs.list().iter().all(|run| run.id().as_str() != walk.id)));
        let (reason, _) = self.journal.of(&walk.id).over.expect("it is over");
        *self.seen.ends.entry(reason).or_default() += 1;
        self.seen.clients += walk.clients.len();
        self.seen.events += walk.log.len();
        walk.finish(&self.journal).await;
    }

    /// Everybody reads to the end.
    pub(super) async fn finish(mut self) -> Seen {
        while !self.walks.is_empty() {
            self.pass(SECOND * 10).await;
        }
        assert!(self.runs.iter().all(|runs| runs.list().is_empty()));
        self.seen
    }
}
