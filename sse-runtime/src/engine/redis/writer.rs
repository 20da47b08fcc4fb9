//! The one task that publishes: what waits for it is one group, one script.
//!
//! ```text
//!   jobs --> waiting --> groups, each with a number: sent --> answered: publishers are answered
//!                          ^                          |
//!                          +--------------------------+  not done: sent again, in the same order
//!                          |                          |
//!                          +--- on the next connection, if this one was lost
//! ```
//!
//! An answer can be lost with its connection, so the log remembers the last groups of each node: a group that comes again
//! is answered, and not appended again. A number never stands for another group, as long as it may still be under way. Each
//! group names the one before it, and is not done before that: so what was published first comes first, whatever fails.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, RedisResult, Value};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::error::{Meaning, RedisFailure, meaning};
use super::keys::SLOTS;
use super::link::{Link, Shared};
use super::queue::Job;
use super::retention::milliseconds;
use super::script::{self, PUBLISH};

/// The most records of one group: nobody else gets an answer from the server while it is appended.
const RECORDS: usize = 256;
const BYTES: usize = 256 << 10;
/// How many groups are under way at once.
const UNDER_WAY: usize = 4;
const _: () = assert!(SLOTS > UNDER_WAY as u64, "the answer of each may be asked for again");
/// While groups are under way, another one is sent only if it is worth it.
const WORTH: usize = 16;
/// What the arguments of a call have in bytes, more or less, beside those of its records; and each record, beside its own.
const FIXED: usize = 256;
const PLACES: usize = 8;
/// How long a group may be without an answer before the connection is given up: long before its publishers do, so that it can
/// be sent again. Nothing else goes over this connection, and something on the way may have forgotten it since.
const SILENCE: Duration = Duration::from_secs(5);
/// How often those who publish together are let in: each time may take as long as a round of all that this thread does.
const ROUNDS: usize = 4;

/// The numbers of a group, and what it was.
type Sent = Pin<Box<dyn Future<Output = (u64, u64, RedisResult<Value>)> + Send>>;

struct Group {
    number: u64,
    jobs: Vec<Job>,
    /// It is under way on this connection.
    on: Option<u64>,
    /// Since when.
    since: Instant,
    /// It was sent, and no answer says that it was not done.
    maybe: bool,
}

impl Group {
    fn refuse(self, failure: &RedisFailure) {
        for job in self.jobs {
            drop(job.answer.send(Err(failure.clone())));
        }
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    jobs: UnboundedReceiver<Job>,
    waiting: VecDeque<Job>,
    /// The last group was one record, so nobody else is expected with the next one.
    alone: bool,
    /// Those that are not answered, in their order.
    groups: VecDeque<Group>,
    under_way: FuturesUnordered<Sent>,
    /// The last number that was given to a group.
    numbered: u64,
    /// The last group that was done on this connection. The server may have forgotten what was done before it.
    done: u64,
    link: Option<Arc<Link>>,
    /// Nothing is sent before everything is answered that is under way.
    holds: bool,
    /// The scripts are to be loaded again.
    forgotten: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, jobs: UnboundedReceiver<Job>) -> Self {
        Self {
            shared,
            jobs,
            waiting: VecDeque::new(),
            alone: true,
            groups: VecDeque::new(),
            under_way: FuturesUnordered::new(),
            numbered: 0,
            done: 0,
            link: None,
            holds: false,
            forgotten: false,
        }
    }

    /// Publishes until there is no queue any more, and what is left then.
    pub(super) async fn run(mut self) {
        let mut state = self.shared.state.subscribe();
        state.mark_changed();
        let mut ends = None;
        // One that goes on over all rounds: to begin and end one costs as much as half of what is done in a round.
        let mut silence = std::pin::pin!(sleep(SILENCE));
        loop {
            let mut more = false;
            tokio::select! {
                job = self.jobs.recv(), if ends.is_none() && self.has_room() => match job {
                    Some(job) => {
                        self.waiting.push_back(job);
                        more = !self.alone;
                    }
                    None => ends = Some(Instant::now() + self.shared.options.publish_timeout),
                },
                Some((number, serial, answer)) = self.under_way.next() => {
                    self.answered(number, serial, answer);
                    more = true;
                }
                changed = state.changed() => match changed {
                    Ok(()) => {
                        let link = state.borrow_and_update().as_ref().ok().map(Arc::clone);
                        self.linked(link);
                    }
                    Err(_) => return,
                },
                () = &mut silence => {
                    let next = self.give_up_if_silent();
                    silence.as_mut().reset(next);
                }
                () = sleep_until(ends.unwrap_or_else(Instant::now)), if ends.is_some() => return,
            }
            self.take();
            if more && self.groups.is_empty() && !self.waiting.is_empty() {
                self.gather().await;
            }
            self.send().await;
            if ends.is_some() && self.waiting.is_empty() && self.groups.is_empty() {
                return;
            }
        }
    }

    fn take(&mut self) {
        while let Ok(job) = self.jobs.try_recv() {
            self.waiting.push_back(job);
        }
    }

    /// Those who have just been answered, or woken together, publish together: as long as more come in, it lets them.
    async fn gather(&mut self) {
        for _ in 0..ROUNDS {
            let before = self.waiting.len();
            tokio::task::yield_now().await;
            self.take();
            if before == self.waiting.len() || before >= RECORDS {
                break;
            }
        }
    }

    /// There is another connection, or none.
    fn linked(&mut self, link: Option<Arc<Link>>) {
        let serial = link.as_ref().map(|link| link.serial);
        if self.link.as_ref().map(|link| link.serial) == serial {
            return;
        }
        self.link = link;
        // What was under way may be done or not: nobody reads its answer any more.
        self.under_way = FuturesUnordered::new();
        (self.holds, self.forgotten, self.done) = (false, false, 0);
        for group in &mut self.groups {
            group.on = None;
        }
        let Some(link) = &self.link else { return };
        let (now, lost) = (Instant::now(), link.lost);
        let mut kept = VecDeque::new();
        for group in self.groups.drain(..) {
            if group.maybe && lost {
                group.refuse(&RedisFailure::Lost { address: self.shared.address.clone() });
            } else if group.jobs.iter().all(|job| job.expires <= now) {
                group.refuse(&self.shared.late(self.shared.options.publish_timeout));
            } else {
                kept.push_back(group);
            }
        }
        self.groups = kept;
    }

    async fn send(&mut self) {
        let Some(link) = self.link.clone() else { return };
        if self.holds {
            if !self.under_way.is_empty() {
                return;
            }
            if self.forgotten {
                let limit = self.shared.options.connect_timeout;
                if let Err(error) = script::load(&mut link.publishing.clone(), limit).await {
                    self.give_up(self.shared.failure(&error));
                    return;
                }
            }
            (self.holds, self.forgotten) = (false, false);
        }
        // A server that does not know this node would do the second group even if it could not do the first, and not do that when
        // it comes again. So the first one goes alone.
        let most = if self.done == 0 { 1 } else { UNDER_WAY };
        let mut before = self.done;
        for at in 0..self.groups.len().min(most) {
            let Some(group) = self.groups.get_mut(at) else { break };
            if group.on.is_none() {
                (group.on, group.maybe, group.since) = (Some(link.serial), true, Instant::now());
                let call = call(&self.shared, &link, group, before);
                self.under_way.push(sent(&link, group.number, call));
            }
            before = group.number;
        }
        while self.groups.len() < most && self.is_worth_it() {
            let Some(jobs) = self.next_jobs() else { continue };
            self.alone = jobs.len() == 1;
            self.numbered += 1;
            let (number, on) = (self.numbered, Some(link.serial));
            let group = Group { number, jobs, on, since: Instant::now(), maybe: true };
            let call = call(&self.shared, &link, &group, before);
            self.under_way.push(sent(&link, group.number, call));
            before = group.number;
            self.groups.push_back(group);
        }
    }

    /// While it has none, those who publish need not wake this task. Nor does it hear then that nobody can any more: it asks.
    fn has_room(&self) -> bool {
        self.groups.len() < UNDER_WAY || self.link.is_none() || self.jobs.is_closed()
    }

    /// While others are under way, so much has to wait: half as much as they are, since the more the server has to do, the more
    /// can gather meanwhile, and the less each record costs; but no more than makes a group full.
    fn is_worth_it(&self) -> bool {
        let under_way: usize = self.groups.iter().map(|group| group.jobs.len()).sum();
        let least = if self.groups.is_empty() { 1 } else { (under_way / 2).clamp(WORTH, RECORDS) };
        self.waiting.len() >= least || self.waiting.iter().map(|job| job.value.len()).sum::<usize>() >= BYTES
    }

    /// The jobs of the next group; none if nobody waits for them any more.
    fn next_jobs(&mut self) -> Option<Vec<Job>> {
        let (mut jobs, mut bytes, now) = (Vec::new(), 0, Instant::now());
        while jobs.len() < RECORDS && bytes < BYTES {
            let Some(job) = self.waiting.pop_front() else { break };
            if job.expires > now {
                bytes += job.value.len();
                jobs.push(job);
            } else {
                drop(job.answer.send(Err(self.shared.late(self.shared.options.publish_timeout))));
            }
        }
        (!jobs.is_empty()).then_some(jobs)
    }

    fn answered(&mut self, number: u64, serial: u64, answer: RedisResult<Value>) {
        let Some(at) = self.groups.iter().position(|group| group.number == number) else { return };
        let Some(group) = self.groups.get_mut(at).filter(|group| group.on == Some(serial)) else { return };
        let error = match answer.and_then(Value::extract_error) {
            Ok(numbers) => {
                self.done = self.done.max(number);
                if let Some(group) = self.groups.remove(at) {
                    self.tell(group, numbers);
                }
                return;
            }
            Err(error) => error,
        };
        let failure = self.shared.failure(&error);
        match meaning(&error) {
            Meaning::Lost => {
                group.on = None;
                self.give_up(failure);
            }
            Meaning::Refused => {
                (group.on, group.maybe) = (None, false);
                self.give_up(failure);
            }
            Meaning::NoScript => {
                (group.on, group.maybe) = (None, false);
                (self.holds, self.forgotten) = (true, true);
            }
            Meaning::OutOfTurn => {
                (group.on, group.maybe) = (None, false);
                self.holds = true;
            }
            Meaning::Final => {
                // Those behind it named it, and are refused.
                self.holds = true;
                if let Some(group) = self.groups.remove(at) {
                    group.refuse(&failure);
                }
            }
        }
    }

    /// When it is to be asked again.
    fn give_up_if_silent(&mut self) -> Instant {
        let now = Instant::now();
        let under_way = self.groups.iter().filter(|group| self.link.is_some() && group.on.is_some());
        let late = under_way.map(|group| group.since).min().unwrap_or(now) + SILENCE;
        if late > now {
            return late;
        }
        self.give_up(self.shared.late(SILENCE));
        now + SILENCE
    }

    /// Nothing more is sent on this connection.
    fn give_up(&mut self, failure: RedisFailure) {
        if let Some(link) = self.link.take() {
            self.shared.give_up(&link, failure);
        }
    }

    fn tell(&self, group: Group, answer: Value) {
        let Value::Array(numbers) = answer else {
            let reason = "an answer that is not understood".to_owned();
            return group.refuse(&RedisFailure::NotRedis { address: self.shared.address.clone(), reason });
        };
        let mut numbers = numbers.into_iter();
        for job in group.jobs {
            let outcome = match numbers.next() {
                Some(Value::Int(seq)) if seq > 0 => {
                    self.shared.note(seq.unsigned_abs());
                    Ok(seq.unsigned_abs())
                }
                _ => Err(RedisFailure::Foreign { address: self.shared.address.clone(), key: job.stream }),
            };
            // Nobody may wait for it any more.
            drop(job.answer.send(outcome));
        }
    }
}

fn sent(link: &Link, number: u64, call: Cmd) -> Sent {
    let (mut connection, serial) = (link.publishing.clone(), link.serial);
    Box::pin(async move { (number, serial, connection.send_packed_command(&call).await) })
}

fn call(shared: &Shared, link: &Link, group: &Group, before: u64) -> Cmd {
    let (mut streams, mut places) = (Vec::new(), HashMap::new());
    let mut once = Vec::new();
    let mut records = Vec::with_capacity(group.jobs.len());
    let mut bytes = FIXED;
    for job in &group.jobs {
        let stream = match streams.last() {
            // Those of one topic often come together.
            Some(last) if *last == job.stream => streams.len(),
            _ => *places.entry(job.stream.as_str()).or_insert_with(|| {
                streams.push(job.stream.as_str());
                bytes += job.stream.len();
                streams.len()
            }),
        };
        let key = job.once.as_deref().map_or(0, |key| {
            once.push(key);
            bytes += key.len();
            once.len()
        });
        records.push((stream, key));
        bytes += job.value.len() + PLACES;
    }
    let (keys, limits) = (&shared.keys, &shared.options.limits);
    let arguments = streams.len() + once.len() + 3 * records.len();
    let mut call = PUBLISH.large_call(2 + streams.len() + once.len(), arguments, bytes);
    call.arg(&keys.about).arg(&keys.topics).arg(&streams).arg(&once);
    call.arg(link.generation.as_str()).arg(group.number).arg(before);
    call.arg(&keys.node).arg(keys.answer(group.number));
    call.arg(limits.events.max(1)).arg(limits.topics.max(1));
    call.arg(milliseconds(limits.dedupe)).arg(streams.len());
    for (job, (stream, key)) in group.jobs.iter().zip(records) {
        call.arg(stream).arg(key).arg(job.value.as_slice());
    }
    call
}
