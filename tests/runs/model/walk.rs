//! One run, as far as its clients know it.

use futures_util::FutureExt as _;
use sse_runtime::testing::ReceivedEvent;
use tokio::time::Instant;

use super::handler::{Deeds, EVENTS, IDLE, Journal, KEEP, TIME};
use super::*;

pub(super) struct Walk {
    pub(super) path: String,
    pub(super) id: String,
    pub(super) begun: Instant,
    /// The log had nothing of it up to here.
    pub(super) above: u64,
    pub(super) key: Option<String>,
    /// What its clients were told, in order, each as far as it was told first: id, name, data.
    pub(super) log: Vec<(String, String, String)>,
    /// When somebody asked for its end.
    pub(super) cancelled: Option<Instant>,
    /// When nobody followed it: since when, and until when.
    alone: Vec<(Instant, Option<Instant>)>,
    pub(super) clients: Vec<Client>,
    pub(super) token: Option<String>,
    /// What was posted and answered as taken, and what was posted and may have been taken.
    pub(super) taken: Vec<u64>,
    /// How exactly moments are known: other nodes hear of them later.
    slack: Duration,
}

pub(super) struct Client {
    pub(super) stream: Option<TestStream>,
    /// What it wants next of the log.
    pub(super) at: usize,
    pub(super) last: String,
    pub(super) over: bool,
    pub(super) is_stalled: bool,
}

impl Client {
    pub(super) fn new(stream: TestStream, at: usize, last: String) -> Self {
        Self { stream: Some(stream), at, last, over: false, is_stalled: false }
    }

    fn follows(&self) -> bool {
        self.stream.is_some() && !self.over
    }
}

/// What can be said for sure of a run at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Going,
    Kept,
    Gone,
    /// It changes just now.
    Unsure,
}

/// The moment before a run was begun, and up to where the log had nothing of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before(pub(super) Instant, pub(super) u64);

impl Walk {
    pub(super) fn new(
        path: String,
        id: String,
        key: Option<String>,
        before: Before,
        slack: Duration,
    ) -> Self {
        let Before(begun, above) = before;
        Self {
            path,
            id,
            begun,
            above,
            key,
            log: Vec::new(),
            cancelled: None,
            alone: Vec::new(),
            clients: Vec::new(),
            token: None,
            taken: Vec::new(),
            slack,
        }
    }

    pub(super) fn by_run(&self) -> String {
        format!("{}?run={}", self.path, self.id)
    }

    pub(super) fn life(&self, journal: &Journal) -> Life {
        let Some((_, over)) = journal.of(&self.id).over else { return Life::Going };
        match over.elapsed() {
            since if since < SECOND => Life::Unsure,
            since if since + SECOND < KEEP => Life::Kept,
            since if since < KEEP + 2 * SECOND => Life::Unsure,
            _ => Life::Gone,
        }
    }

    pub(super) fn enter(&mut self, client: Client) {
        if let Some((_, until @ None)) = self.alone.last_mut() {
            *until = Some(Instant::now());
        }
        self.clients.push(client);
    }

    pub(super) fn leave(&mut self, client: usize) {
        let followed = self.clients.iter().any(Client::follows);
        self.clients[client].stream = None;
        if followed && !self.clients.iter().any(Client::follows) {
            self.alone.push((Instant::now(), None));
        }
    }

    /// Takes note of what a client was told.
    fn take(&mut self, client: usize, event: ReceivedEvent, deeds: &Deeds) {
        let seen = &mut self.clients[client];
        assert!(!seen.over, "{} after the last word", event.name);
        if event.name == "sse-open" {
            assert!(event.data.contains(&self.id), "{event:?} of {}", self.id);
            return;
        }
        let id = event.id.expect("an id");
        let mark = format!("{}.", self.id);
        assert!(id == "sse-end" || id.starts_with(&mark), "the id {id:?} in {}", self.id);
        seen.last.clone_from(&id);
        let told = (id, event.name, event.data);
        if let Some(before) = self.log.get(seen.at) {
            assert_eq!(told, *before, "the event {} of {}", seen.at, self.path);
        } else {
            self.log.push(told.clone());
        }
        seen.at += 1;
        let (id, name, data) = told;
        assert_eq!(id == "sse-end", name == "done" || name == "sse-bye", "the last word is the last: {name}");
        match name.as_str() {
            "sse-replies" => {
                assert_eq!(seen.at, 1, "the token comes first");
                let told: serde_json::Value = serde_json::from_str(&data).expect("JSON");
                self.token = Some(told["token"].as_str().expect("a token").to_owned());
            }
            "message" => {
                assert!(seen.at > 1, "the token comes first, not {data}");
                let sent = deeds.sent.get(seen.at - 2).map(|(sent, _)| sent);
                assert_eq!(Some(&data), sent, "the event {} of {}", seen.at - 1, self.path);
            }
            "done" | "sse-bye" => {
                seen.over = true;
                assert_eq!(seen.at, self.log.len(), "it was the last one, for others");
                self.ends(&data, deeds);
            }
            other => panic!("{other}: {data}"),
        }
    }

    /// Whether the last word is true.
    fn ends(&self, said: &str, deeds: &Deeds) {
        let (reason, _) = deeds.over.as_ref().expect("it is over");
        let told = self.log.iter().filter(|(_, name, _)| name == "message").count();
        if said == r#"{"reason":"RunFull"}"# {
            assert_eq!(told, EVENTS - 1, "with the token, that is all it may have");
            return;
        }
        let word =
            if reason == "Completed" { "{}".to_owned() } else { format!(r#"{{"reason":"{reason}"}}"#) };
        assert_eq!(said, word);
        assert_eq!(told, deeds.sent.len(), "all that was sent, {reason}");
    }

    /// A client reads so much of what is there.
    pub(super) fn look(&mut self, client: usize, most: usize, journal: &Journal) {
        for _ in 0..most {
            let seen = &mut self.clients[client];
            if seen.over {
                return;
            }
            let Some(stream) = seen.stream.as_mut() else { return };
            let Some(event) = tokio::task::unconstrained(stream.next()).now_or_never() else { return };
            let deeds = journal.of(&self.id);
            self.take(client, event, &deeds);
        }
    }

    pub(super) fn stall(&mut self, client: usize) {
        let seen = &mut self.clients[client];
        if let Some(stream) = seen.stream.as_mut().filter(|_| !seen.over) {
            stream.stall();
            seen.is_stalled = true;
        }
    }

    pub(super) fn resume(&mut self, client: usize) {
        let seen = &mut self.clients[client];
        if let Some(stream) = seen.stream.as_mut() {
            stream.resume();
        }
        seen.is_stalled = false;
    }

    /// Looks whether what should have happened by now has happened, and nothing else.
    pub(super) fn check(&mut self, journal: &Journal) {
        let deeds = journal.of(&self.id);
        let followed_from = |since: &(Instant, Option<Instant>)| since.1.unwrap_or_else(Instant::now);
        let Some((reason, over)) = &deeds.over else {
            assert!(self.begun.elapsed() < TIME + SECOND, "its time is over");
            assert!(
                self.cancelled.is_none_or(|when| when.elapsed() < self.slack + SECOND),
                "it was cancelled"
            );
            for since in &self.alone {
                let alone = followed_from(since) - since.0;
                assert!(alone < IDLE + 2 * self.slack + SECOND, "nobody has followed it for {alone:?}");
            }
            self.everybody_is_there(&deeds, journal);
            return;
        };
        match reason.as_str() {
            "Completed" => assert!(deeds.sent.len() as u64 >= self.to(), "it is not through"),
            "RunFull" => assert!(deeds.sent.len() >= EVENTS, "there is room"),
            "Cancelled" => assert!(self.cancelled.is_some_and(|when| when <= *over), "nobody wanted that"),
            "MaxAge" => {
                let lasted = *over - self.begun;
                assert!((TIME..TIME + 2 * SECOND).contains(&lasted), "its time was {lasted:?}");
            }
            "Abandoned" => {
                let abandoned = |since: &(Instant, Option<Instant>)| {
                    since.0 + IDLE <= *over + self.slack && *over <= followed_from(since) + self.slack
                };
                assert!(self.alone.iter().any(abandoned), "{over:?} and {:?}", self.alone);
            }
            other => panic!("{other}"),
        }
        self.everybody_is_there(&deeds, journal);
    }

    fn to(&self) -> u64 {
        self.path.rsplit('/').next().and_then(|to| to.parse().ok()).expect("a number")
    }

    /// Who reads has everything that was sent a second ago, and not long after the end its last word.
    fn everybody_is_there(&mut self, deeds: &Deeds, journal: &Journal) {
        let sent = deeds.sent.iter().filter(|(_, when)| when.elapsed() >= SECOND).count();
        let sent = if deeds.over.is_some() { sent.min(EVENTS - 1) } else { sent };
        let is_over = deeds.over.as_ref().is_some_and(|(_, over)| over.elapsed() >= SECOND);
        for client in 0..self.clients.len() {
            if self.clients[client].stream.is_none() || self.clients[client].is_stalled {
                continue;
            }
            self.look(client, usize::MAX, journal);
            let seen = &self.clients[client];
            assert!(seen.over || seen.at > sent, "{} of {sent} are there", seen.at);
            assert!(seen.over || !is_over, "it is over, and this client is not told");
        }
    }

    /// What is true of a run that is gone.
    pub(super) async fn finish(mut self, journal: &Journal) {
        let deeds = journal.of(&self.id);
        for client in 0..self.clients.len() {
            self.resume(client);
            while self.clients[client].follows() {
                let event = self.clients[client].stream.as_mut().expect("a stream").next().await;
                self.take(client, event, &deeds);
            }
            if let Some(stream) = self.clients[client].stream.as_mut() {
                stream.expect_end().await;
            }
        }
        for said in &self.taken {
            let times = deeds.sent.iter().filter(|(sent, _)| is_reply(sent, *said)).count();
            assert_eq!(times, 1, "the reply {said} in {:?}", self.path);
        }
    }
}

pub(super) fn is_reply(sent: &str, said: u64) -> bool {
    let is = sent.strip_prefix("you said ").and_then(|sent| sent.split(' ').next()?.parse().ok());
    is == Some(said)
}
