//! One client: what it has received, held against what it had to receive.

use std::collections::VecDeque;

use futures_util::FutureExt;
use sse_runtime::testing::{ReceivedEvent, TestStream};
use tokio::time::Instant;

use super::history::{Event, History};
use super::snapshot_of;
use super::steps::Slow;
use crate::published::seq_of;

/// Ends the step with a description if something is not as it has to be.
macro_rules! ensure {
    ($right:expr, $($what:tt)+) => {
        if !$right {
            return Err(format!($($what)+));
        }
    };
}
pub(super) use ensure;

/// How a client introduces itself, and what it may be told.
pub(super) enum Expected {
    New,
    /// It goes on after this number.
    Resumed(u64),
    Reset(&'static str),
}

/// What the hub has to have counted.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) resumed: u64,
    pub(super) reset: u64,
    pub(super) fell_behind: u64,
    pub(super) missed: u64,
    /// Clients that were disconnected have missed more than that, but how much is not known.
    pub(super) at_least: bool,
}

pub(super) struct Client {
    stream: TestStream,
    pub(super) topics: Vec<usize>,
    slow: Slow,
    snapshot: bool,
    pub(super) stalled: bool,
    /// The stream has ended.
    pub(super) over: bool,
    /// By topic, as in `topics`: up to here, the client has everything or knows what it missed.
    has: Vec<u64>,
    /// The ids of what it has received and not looked at.
    inbox: VecDeque<Option<String>>,
    /// The last id that it has looked at.
    pub(super) last: Option<String>,
}

impl Client {
    pub(super) fn new(
        stream: TestStream,
        topics: Vec<usize>,
        (slow, snapshot): (Slow, bool),
        last: Option<String>,
    ) -> Self {
        let (has, inbox) = (vec![0; topics.len()], VecDeque::new());
        Self { stream, topics, slow, snapshot, stalled: false, over: false, has, inbox, last }
    }

    pub(super) fn stall(&mut self) {
        self.stalled = true;
        self.stream.stall();
    }

    pub(super) fn go_on(&mut self) {
        self.stalled = false;
        self.stream.resume();
    }

    /// Looks at the next few events: the last id among them is what it comes back with.
    pub(super) fn look(&mut self, most: usize) {
        for id in self.inbox.drain(..most.min(self.inbox.len())) {
            self.last = id.or(self.last.take());
        }
    }

    /// Everything that has arrived.
    fn arrived(&mut self) -> VecDeque<ReceivedEvent> {
        let mut all = VecDeque::new();
        while !self.over {
            // Not in tokio's budget: it would seem as if nothing were there.
            let Some(event) = tokio::task::unconstrained(self.stream.next()).now_or_never() else { break };
            self.over = event.name == "sse-bye";
            self.inbox.push_back(event.id.clone());
            all.push_back(event);
        }
        all
    }

    /// Checks what comes first, then what follows.
    pub(super) fn begin(
        &mut self,
        expected: &[Expected],
        history: &History,
        now: Instant,
        counted: &mut Counted,
    ) -> Result<(), String> {
        let mut received = self.arrived();
        let snapshot: Vec<String> = if self.snapshot {
            self.topics.iter().flat_map(|&topic| snapshot_of(topic)).collect()
        } else {
            Vec::new()
        };
        let Some(mut first) = received.pop_front() else { return Err("nothing came".to_owned()) };
        let reset = if first.name == "sse-reset" {
            let reset = first;
            first = received.pop_front().ok_or("nothing after a reset")?;
            Some(reset)
        } else {
            None
        };
        ensure!(first.name == "sse-open", "expected sse-open, got {first:?}");
        let open = json(&first);
        let resumed = open["resumed"] == true;
        let is_expected = |expected: &Expected| match expected {
            Expected::New => reset.is_none() && !resumed,
            Expected::Resumed(_) => reset.is_none() && resumed,
            Expected::Reset(reason) => reset.as_ref().is_some_and(|reset| json(reset)["reason"] == **reason),
        };
        let Some(expected) = expected.iter().find(|expected| is_expected(expected)) else {
            return Err(format!("not what may come first: {reset:?}, {first:?}"));
        };
        let at = if let Expected::Resumed(seq) = expected { *seq } else { history.top() };
        let has_snapshot = !resumed && !snapshot.is_empty();
        let at_id = history.id(at);
        ensure!(open["position"] == at_id, "the position is {at_id}: {first:?}");
        ensure!(first.id == (!has_snapshot).then(|| at_id.clone()), "the id is that of {at_id}: {first:?}");
        if let Some(reset) = &reset {
            counted.reset += 1;
            let told = json(reset);
            ensure!(told["now"] == at_id && reset.id == first.id, "the log is at {at_id}: {reset:?}");
            let oldest = seq_of(told["oldest"].as_str().ok_or("no oldest position")?);
            for &topic in &self.topics {
                ensure!(history.surely_gone(topic) <= oldest, "{oldest} cannot be had: {reset:?}");
            }
            let most = self.topics.iter().map(|&topic| history.maybe_gone(topic, now)).max();
            ensure!(most >= Some(oldest), "an older position could be had: {reset:?}");
        }
        counted.resumed += u64::from(resumed);
        if has_snapshot {
            for (at, data) in snapshot.iter().enumerate() {
                let event = received.pop_front().ok_or("not the whole snapshot")?;
                let id = (at + 1 == snapshot.len()).then(|| at_id.clone());
                ensure!(
                    event.name == "snapshot" && event.data == *data && event.id == id,
                    "expected {data:?} of the snapshot with the id {id:?}, got {event:?}"
                );
            }
        }
        self.has = vec![at; self.topics.len()];
        self.check(received, history, now, counted)
    }

    /// Checks what has come since the last time. The client has read all there was.
    pub(super) fn follow(
        &mut self,
        history: &History,
        now: Instant,
        counted: &mut Counted,
    ) -> Result<(), String> {
        let received = self.arrived();
        self.check(received, history, now, counted)
    }

    fn check(
        &mut self,
        mut received: VecDeque<ReceivedEvent>,
        history: &History,
        now: Instant,
        counted: &mut Counted,
    ) -> Result<(), String> {
        let mut gaps = Vec::new();
        while received.front().is_some_and(|event| event.name == "sse-gap") {
            let gap = received.pop_front().ok_or("there is one")?;
            ensure!(self.slow != Slow::Disconnect, "this route has no gaps: {gap:?}");
            let topic = self.gap(&gap, history, now, counted)?;
            ensure!(!gaps.contains(&topic), "a second gap for the same topic: {gap:?}");
            gaps.push(topic);
            if self.slow == Slow::Latest && self.snapshot {
                self.shown_anew(topic, &mut received, history, counted)?;
            }
        }
        if self.over {
            return self.bye(&received, history, now, counted);
        }
        for (&topic, &has) in self.topics.iter().zip(&self.has) {
            let gone = history.surely_gone(topic);
            ensure!(gone <= has, "not told that events of {topic} up to {gone} are gone: {received:?}");
        }
        let mut due: Vec<&Event> = Vec::new();
        for (&topic, &has) in self.topics.iter().zip(&self.has) {
            due.extend(history.between(topic, has, u64::MAX));
        }
        due.sort_by_key(|event| event.seq);
        if self.slow == Slow::Latest && !gaps.is_empty() && !self.snapshot {
            let all = due.len();
            let later = due.clone();
            due.retain(|event| {
                let newer = |other: &&Event| {
                    other.seq > event.seq && (other.topic, other.key) == (event.topic, event.key)
                };
                !later.iter().any(newer)
            });
            counted.missed += (all - due.len()) as u64;
        }
        for event in due {
            let Some(got) = received.pop_front() else { return Err(format!("{} did not come", event.seq)) };
            ensure!(
                got.id == Some(history.id(event.seq)) && got.data == event.data && got.name == "message",
                "expected {} with {:?}, got {got:?}",
                event.seq,
                event.data
            );
        }
        ensure!(received.is_empty(), "too much: {received:?}");
        self.has.fill(history.top());
        Ok(())
    }

    /// Checks the snapshot that comes after a gap; it stands for all that was published.
    fn shown_anew(
        &mut self,
        topic: usize,
        received: &mut VecDeque<ReceivedEvent>,
        history: &History,
        counted: &mut Counted,
    ) -> Result<(), String> {
        let shown = snapshot_of(topic);
        for (at, data) in shown.iter().enumerate() {
            let event = received.pop_front().ok_or("not the whole snapshot after a gap")?;
            let is_end = at + 1 == shown.len() && self.topics.len() == 1;
            let id = is_end.then(|| history.id(history.top()));
            ensure!(
                event.name == "snapshot" && event.data == *data && event.id == id,
                "expected {data:?} of the snapshot with the id {id:?}, got {event:?}"
            );
        }
        for (&of, has) in self.topics.iter().zip(&mut self.has) {
            if of == topic {
                counted.missed += history.between(topic, *has, u64::MAX).count() as u64;
                *has = history.top();
            }
        }
        Ok(())
    }

    /// Checks what a gap says; returns the topic.
    fn gap(
        &mut self,
        gap: &ReceivedEvent,
        history: &History,
        now: Instant,
        counted: &mut Counted,
    ) -> Result<usize, String> {
        let told = json(gap);
        let seq = |name: &str| told[name].as_str().map(seq_of).ok_or(format!("no {name}: {gap:?}"));
        let (after, until, missed) =
            (seq("after")?, seq("until")?, told["missed"].as_u64().ok_or("no count")?);
        // It ends at an event that is gone, and that tells of which topic it is.
        let of = |&at: &usize| history.between(self.topics[at], until - 1, until).next().is_some();
        let Some(at) = (0..self.topics.len()).find(of) else {
            return Err(format!("a gap that ends at no event of these topics: {gap:?}"));
        };
        let (topic, has) = (self.topics[at], self.has[at]);
        ensure!(until <= history.maybe_gone(topic, now), "{until} is there: {gap:?}");
        ensure!(
            after < until && history.between(topic, has.min(after), has.max(after)).next().is_none(),
            "the client has everything up to {has}: {gap:?}"
        );
        let count = history.between(topic, has, until).count() as u64;
        ensure!(missed == count && count > 0, "{count} are missing after {has}: {gap:?}");
        let begins_anew = self.slow == Slow::Latest && self.snapshot;
        let id = (self.topics.len() == 1 && !begins_anew).then(|| history.id(until));
        ensure!(
            gap.id == id,
            "a gap has an id if no other topic can have events before it, and no snapshot follows: {gap:?}"
        );
        self.has[at] = until;
        counted.fell_behind += 1;
        counted.missed += missed;
        Ok(topic)
    }

    fn bye(
        &self,
        received: &VecDeque<ReceivedEvent>,
        history: &History,
        now: Instant,
        counted: &mut Counted,
    ) -> Result<(), String> {
        ensure!(
            received.len() == 1 && json(&received[0])["reason"] == "SlowClient",
            "a client that is too slow gets nothing but that: {received:?}"
        );
        let lost = |gone: &dyn Fn(usize) -> u64| {
            let mut all = self.topics.iter().zip(&self.has);
            all.find(|&(&topic, &has)| gone(topic) > has)
                .map(|(&topic, &has)| history.between(topic, has, gone(topic)).count() as u64)
        };
        let (least, most) =
            (lost(&|topic| history.surely_gone(topic)), lost(&|topic| history.maybe_gone(topic, now)));
        ensure!(
            self.slow == Slow::Disconnect && most.is_some(),
            "nothing that it needs is gone: {received:?}"
        );
        counted.fell_behind += 1;
        counted.missed += least.unwrap_or_default();
        counted.at_least |= least != most;
        Ok(())
    }
}

fn json(event: &ReceivedEvent) -> serde_json::Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}
