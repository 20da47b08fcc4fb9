//! The reference: every event ever published, and which of them the documented limits still keep.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::steps::Setup;

/// What an event costs in a hub's books beside its bytes on the wire, says `HubBuilder::topic_bytes`.
const OVERHEAD: usize = 96;
/// How much longer than its age an event may stay, says `HubBuilder::age`.
const LONGER: Duration = Duration::from_secs(1);

pub(super) struct Event {
    pub(super) seq: u64,
    pub(super) topic: usize,
    pub(super) key: Option<u8>,
    pub(super) data: String,
    size: usize,
    at: Instant,
}

pub(super) struct History {
    setup: Setup,
    epoch: String,
    pub(super) events: Vec<Event>,
    /// By topic: the numbers that no limit but age has evicted.
    kept: Vec<VecDeque<u64>>,
    /// By topic: the newest number that a limit other than age has evicted.
    evicted: Vec<u64>,
    /// By topic: up to here its events are gone if it was let go while nobody used it.
    let_go: Vec<u64>,
    /// The same for a topic that is made anew.
    forgotten: u64,
    /// Topics that certainly exist, least recently used first.
    known: Vec<usize>,
    /// In which order topics were used last is not known any more.
    pub(super) order_is_lost: bool,
}

impl History {
    /// `position` is some id of the log.
    pub(super) fn new(setup: Setup, position: &str, topics: usize) -> Self {
        let (epoch, _) = position.split_once('-').expect("epoch and number");
        Self {
            setup,
            epoch: epoch.to_owned(),
            events: Vec::new(),
            kept: vec![VecDeque::new(); topics],
            evicted: vec![0; topics],
            let_go: vec![0; topics],
            forgotten: 0,
            known: Vec::new(),
            order_is_lost: false,
        }
    }

    pub(super) fn id(&self, seq: u64) -> String {
        format!("{}-{seq}", self.epoch)
    }

    /// The number of the newest event.
    pub(super) fn top(&self) -> u64 {
        self.events.len() as u64
    }

    fn event(&self, seq: u64) -> &Event {
        &self.events[usize::try_from(seq).expect("small") - 1]
    }

    /// How many bytes a topic's events with numbers after `after` have on the wire.
    pub(super) fn bytes_after(&self, topic: usize, after: u64) -> usize {
        self.between(topic, after, u64::MAX).map(|event| event.size - OVERHEAD).sum()
    }

    /// The events of a topic with numbers after `after` up to `until`.
    pub(super) fn between(&self, topic: usize, after: u64, until: u64) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .filter(move |event| event.topic == topic && event.seq > after && event.seq <= until)
    }

    pub(super) fn publish(&mut self, topic: usize, key: Option<u8>, data: String, now: Instant) {
        let seq = self.top() + 1;
        let lines: usize = data.split('\n').map(|line| "data: \n".len() + line.len()).sum();
        let size = format!("id: {}\n", self.id(seq)).len() + lines + "\n".len() + OVERHEAD;
        self.events.push(Event { seq, topic, key, data, size, at: now });
        self.kept[topic].push_back(seq);
        while self.kept[topic].len() > 1
            && (self.kept[topic].len() > self.setup.topic_events
                || self.size(&self.kept[topic]) > self.setup.topic_bytes)
        {
            self.evict(topic);
        }
        while self.count() > self.setup.events || self.bytes() > self.setup.bytes {
            let oldest =
                (0..self.kept.len()).filter_map(|topic| Some((*self.kept[topic].front()?, topic))).min();
            match oldest {
                Some((oldest, topic)) if oldest != seq => self.evict(topic),
                _ => break,
            }
        }
    }

    fn evict(&mut self, topic: usize) {
        self.evicted[topic] = self.kept[topic].pop_front().expect("there is one");
    }

    fn size(&self, kept: &VecDeque<u64>) -> usize {
        kept.iter().map(|&seq| self.event(seq).size).sum()
    }

    /// How many events are kept, if none has been evicted for its age.
    pub(super) fn count(&self) -> usize {
        self.kept.iter().map(VecDeque::len).sum()
    }

    pub(super) fn bytes(&self) -> usize {
        self.kept.iter().map(|kept| self.size(kept)).sum()
    }

    /// How many events are kept, if every one that may be evicted for its age has been.
    pub(super) fn young(&self, now: Instant) -> usize {
        self.kept.iter().flatten().filter(|&&seq| now - self.event(seq).at < self.setup.age).count()
    }

    /// Up to here, the topic's events cannot be had any more: for someone who is connected.
    pub(super) fn surely_gone(&self, topic: usize) -> u64 {
        self.evicted[topic]
    }

    /// The same for someone who comes back: then age is looked at.
    pub(super) fn surely_gone_for_resume(&self, topic: usize, now: Instant) -> u64 {
        self.surely_gone(topic).max(self.older(topic, self.setup.age + LONGER, now))
    }

    /// Up to here, the topic's events may be gone: whatever is later has to be there.
    pub(super) fn maybe_gone(&self, topic: usize, now: Instant) -> u64 {
        self.surely_gone(topic).max(self.older(topic, self.setup.age, now)).max(self.let_go[topic])
    }

    fn older(&self, topic: usize, age: Duration, now: Instant) -> u64 {
        let old = self.between(topic, 0, u64::MAX).filter(|event| now - event.at >= age);
        old.map(|event| event.seq).max().unwrap_or_default()
    }

    /// Somebody asked the hub for a topic; `used` are those with subscribers.
    pub(super) fn touch(&mut self, name: usize, used: &[usize]) {
        let is_known = self.known.contains(&name);
        if !is_known {
            // One more than there were: the least recently used ones of those without a subscriber may have to go.
            let mut unused: Vec<_> =
                self.known.iter().copied().filter(|topic| !used.contains(topic)).collect();
            let staying = if self.order_is_lost { 0 } else { self.setup.topics.saturating_sub(1) };
            // And those without an event before them, whenever they were used.
            let newest =
                |topic| self.between(topic, 0, u64::MAX).map(|event| event.seq).max().unwrap_or_default();
            let now = Instant::now();
            let may_be_empty =
                |topic: usize| topic >= self.let_go.len() || newest(topic) <= self.maybe_gone(topic, now);
            let empty: Vec<_> = unused.iter().copied().filter(|&topic| may_be_empty(topic)).collect();
            let is_uncertain = empty.iter().any(|&topic| newest(topic) > 0);
            unused.truncate(unused.len().saturating_sub(staying));
            unused.extend(empty);
            let forgotten = unused.iter().map(|&topic| newest(topic)).max().unwrap_or_default();
            self.forgotten = self.forgotten.max(forgotten);
            self.order_is_lost |= is_uncertain;
            unused.push(name);
            for topic in unused {
                self.known.retain(|known| *known != topic);
                if let Some(let_go) = self.let_go.get_mut(topic) {
                    *let_go = self.forgotten;
                }
            }
        }
        self.known.retain(|known| *known != name);
        self.known.push(name);
    }
}
