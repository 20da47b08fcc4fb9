//! The newest events of one topic, encoded once: what its subscribers read live, and what one that comes back reads
//! again.
//!
//! Events are appended to an open tail. The first subscriber that comes for them seals it: what has gathered until then
//! is one frame of shared bytes, the same for everybody. So single events travel alone, a burst travels as one,
//! and nobody pays for the difference. A subscriber is a number: the ordinal of the event it wants next.

mod traces;
mod waiting;

use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::ops::Range;
use std::task::Waker;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use slab::Slab;
use tokio::time::Instant;

use super::place::Place;
use crate::engine::TraceParent;

/// The memory that events are written into: a little at first, because most topics are small, then twice as much each
/// time, up to what makes a good frame.
const FIRST_ARENA: usize = 512;
const LARGEST_ARENA: usize = 32 * 1024;
/// What an event costs beside its bytes, about: its mark, and its share of a chunk.
pub(super) const OVERHEAD: usize = 96;
/// And one with a trace, on top.
const TRACE: usize = 64;
/// The longest that a tail stays open: events of one chunk age together.
const LONGEST_TAIL: Duration = Duration::from_secs(1);

/// How much of a topic is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) age: Option<Duration>,
}

pub(super) struct Ring {
    limits: Limits,
    marks: VecDeque<Mark>,
    chunks: VecDeque<Chunk>,
    tail: BytesMut,
    tail_first: u64,
    tail_opened: Instant,
    /// When the newest event was written into it.
    tail_since: Instant,
    arena: usize,
    /// The ordinal of the oldest event kept. Ordinals count the events of this ring without a hole.
    base: u64,
    /// The number of the newest event that is not kept any more: positions before it cannot be served.
    floor: u64,
    bytes: usize,
    /// How many bytes were ever sealed: where the tail begins, in all that was written here.
    sealed: u64,
    waiting: Slab<Waker>,
    /// How often `waiting` was emptied: tells which tokens still hold.
    emptied: u64,
    spare: Slab<Waker>,
    /// The traces of those events that have one, by their ordinals.
    traces: VecDeque<(u64, TraceParent)>,
    /// Under which number it stands in the hub's list of topics that hold events.
    pub(super) listed: Option<u64>,
}

/// One event's place.
struct Mark {
    seq: u64,
    key: u64,
    start: u32,
    end: u32,
}

/// Events that were sealed together.
struct Chunk {
    first: u64,
    bytes: Bytes,
    /// Where it begins, in all that was written here.
    offset: u64,
    since: Instant,
}

/// Where a waker stands in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    slot: usize,
    emptied: u64,
}

/// What a subscriber finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The next events as one frame: how many, and the number of the last.
    Frame { bytes: Bytes, events: u64, last: u64 },
    /// Nothing new.
    Nothing,
    /// The next event is not kept any more.
    Behind,
}

/// One event, cut out of its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Single {
    pub(super) seq: u64,
    /// Its ordinal; none if it was not read from a ring.
    pub(super) ordinal: Option<u64>,
    pub(super) bytes: Bytes,
    pub(super) trace: Option<Box<TraceParent>>,
}

/// Which events of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    All,
    Newest,
}

/// Events of a range, and how far they go: all that were wished for up to the number `covered`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Singles {
    pub(super) events: Vec<Single>,
    pub(super) covered: u64,
}

impl Ring {
    pub(super) fn new(limits: Limits, floor: u64) -> Self {
        Self {
            limits,
            marks: VecDeque::new(),
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            tail_first: 0,
            tail_opened: Instant::now(),
            tail_since: Instant::now(),
            arena: FIRST_ARENA,
            base: 0,
            floor,
            bytes: 0,
            sealed: 0,
            waiting: Slab::new(),
            emptied: 0,
            spare: Slab::new(),
            traces: VecDeque::new(),
            listed: None,
        }
    }

    /// Appends an event, evicts what exceeds the limits, and returns who waits for it.
    pub(super) fn append(&mut self, place: Place<'_>, key: u64, block: &[u8], now: Instant) -> Slab<Waker> {
        // `id: `, 16 digits, `-`, 20 digits, `\n`
        const ID_LINE: usize = 42;
        let most = block.len() + ID_LINE + place.mark.map_or(0, |mark| mark.len() + 1);
        let is_full = self.tail.capacity() - self.tail.len() < most;
        let is_old = now.duration_since(self.tail_opened) >= LONGEST_TAIL;
        if is_full || is_old || self.tail.is_empty() {
            self.seal();
            if is_old {
                // So much at a time is not what this topic needs.
                self.arena = FIRST_ARENA;
            }
            self.tail_opened = now;
            if self.tail.capacity() < most {
                // Never more than it holds besides, so that its limits are not only on paper.
                let arena = self.arena.min(self.bytes.next_power_of_two()).max(FIRST_ARENA);
                self.tail = BytesMut::with_capacity(arena.max(most));
                self.arena = (self.arena * 2).min(LARGEST_ARENA);
            }
        }
        self.tail_since = now;
        let start = self.tail.len();
        // Writing into a buffer with room cannot fail.
        let _ = writeln!(self.tail, "id: {place}");
        self.tail.extend_from_slice(block);
        let size = self.tail.len() - start;
        // An arena of more than 4 GiB would take an event of that size, and those are refused long before.
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.marks.push_back(Mark {
            seq: place.position.seq,
            key,
            start: offset(start),
            end: offset(self.tail.len()),
        });
        self.bytes += size + OVERHEAD;
        self.evict(now);
        self.take_waiting()
    }

    /// Evicts what exceeds the limits, but never the newest event for its size: those who wait for it shall have it.
    pub(super) fn evict(&mut self, now: Instant) {
        while self.marks.len() > 1
            && (self.marks.len() > self.limits.events || self.bytes > self.limits.bytes)
        {
            self.evict_one();
        }
        while self.marks.len() > 1 && self.has_aged(now) {
            self.evict_one();
        }
    }

    pub(super) fn evict_aged(&mut self, now: Instant) {
        while self.has_aged(now) {
            self.evict_one();
        }
    }

    pub(super) fn has_aged(&self, now: Instant) -> bool {
        let (Some(since), Some(age)) = (self.oldest_since(), self.limits.age) else { return false };
        now.duration_since(since) >= age
    }

    fn oldest_since(&self) -> Option<Instant> {
        if self.marks.is_empty() {
            return None;
        }
        Some(self.chunks.front().map_or(self.tail_since, |chunk| chunk.since))
    }

    pub(super) fn evict_one(&mut self) {
        let Some(mark) = self.marks.pop_front() else { return };
        self.floor = self.floor.max(mark.seq);
        self.base += 1;
        self.bytes -= (mark.end - mark.start) as usize + OVERHEAD;
        if self.has_traces() {
            self.forget_traces();
        }
        let next_chunk = self.chunks.get(1).map_or(self.tail_first, |chunk| chunk.first);
        if !self.chunks.is_empty() && self.base >= next_chunk {
            self.chunks.pop_front();
        }
        if self.marks.is_empty() {
            // Nothing is left to read in the tail, so its memory can go.
            self.tail = BytesMut::new();
            self.tail_first = self.base;
            self.arena = FIRST_ARENA;
        }
    }

    /// Events up to the number `seq` may be missing here, and what is here is older.
    pub(super) fn raise_floor(&mut self, seq: u64) -> Slab<Waker> {
        while self.marks.front().is_some_and(|mark| mark.seq <= seq) {
            self.evict_one();
        }
        if seq <= self.floor {
            return Slab::new();
        }
        self.floor = seq;
        if !self.marks.is_empty() {
            // Whoever waits has seen the newest event already, so nothing is missing for it.
            return Slab::new();
        }
        // An ordinal for what is missing: whoever waits for the next event finds itself behind.
        self.base += 1;
        self.tail_first = self.base;
        self.take_waiting()
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let bytes = self.tail.split().freeze();
            let offset = self.sealed;
            self.sealed += bytes.len() as u64;
            self.chunks.push_back(Chunk { first: self.tail_first, bytes, offset, since: self.tail_since });
        }
        self.tail_first = self.next_ordinal();
    }

    fn next_ordinal(&self) -> u64 {
        self.base + self.marks.len() as u64
    }

    #[inline]
    fn mark(&self, ordinal: u64) -> Option<&Mark> {
        self.marks.get(usize::try_from(ordinal.checked_sub(self.base)?).ok()?)
    }

    /// What is to be read from the event `next` on, for one that has seen everything up to the number `seen` already;
    /// `next` moves along.
    pub(super) fn read(&mut self, next: &mut u64, seen: u64) -> Found {
        if *next < self.base {
            return Found::Behind;
        }
        let Some(mut mark) = self.mark(*next) else { return Found::Nothing };
        if mark.seq <= seen {
            // It has come from another node, which was ahead of this one.
            *next = self.ordinal_after(seen);
            let Some(first_unseen) = self.mark(*next) else { return Found::Nothing };
            mark = first_unseen;
        }
        let start = mark.start as usize;
        if *next >= self.tail_first {
            self.seal();
        }
        let (index, until) = self.chunk_of(*next);
        let Some(chunk) = self.chunks.get(index) else { return Found::Nothing };
        let bytes = if start == 0 { chunk.bytes.clone() } else { chunk.bytes.slice(start..) };
        let events = until - *next;
        *next = until;
        let last = self.mark(until - 1).map_or(self.floor, |mark| mark.seq);
        Found::Frame { bytes, events, last }
    }

    /// The sealed chunk that an event is in, and the first ordinal after it.
    #[inline]
    fn chunk_of(&self, ordinal: u64) -> (usize, u64) {
        match self.chunks.back() {
            // Nearly every subscriber is here.
            Some(chunk) if chunk.first <= ordinal => (self.chunks.len() - 1, self.tail_first),
            _ => {
                let after = self.chunks.partition_point(|chunk| chunk.first <= ordinal);
                (after.saturating_sub(1), self.chunks.get(after).map_or(self.tail_first, |chunk| chunk.first))
            }
        }
    }

    /// The events with numbers after `seen` up to `until`, cut out one by one; only the newest of each key, if so
    /// wished. Up to `most` bytes of them, but at least one if there is any. `None` if some are not kept any more.
    pub(super) fn read_singles(&mut self, seen: u64, until: u64, pick: Pick, most: usize) -> Option<Singles> {
        let first = self.locate(seen)?;
        let end = self.ordinal_after(until);
        let mut ordinals: Vec<u64> = (first..end).collect();
        if pick == Pick::Newest {
            let mut keys = HashSet::new();
            let mut is_newest = |ordinal: u64| self.mark(ordinal).is_some_and(|mark| keys.insert(mark.key));
            ordinals.reverse();
            ordinals.retain(|&ordinal| is_newest(ordinal));
            ordinals.reverse();
        }
        let mut singles = Singles { events: Vec::new(), covered: until };
        let mut size = 0;
        for ordinal in ordinals {
            let Some(single) = self.single(ordinal) else { break };
            size += single.bytes.len();
            if let (Some(last), true) = (singles.events.last(), size > most) {
                singles.covered = last.seq;
                break;
            }
            singles.events.push(single);
        }
        Some(singles)
    }

    fn single(&mut self, ordinal: u64) -> Option<Single> {
        if ordinal >= self.tail_first {
            self.seal();
        }
        let (chunk, _) = self.chunk_of(ordinal);
        let mark = self.mark(ordinal)?;
        let place: Range<usize> = mark.start as usize..mark.end as usize;
        let bytes = self.chunks.get(chunk)?.bytes.slice(place);
        let seq = mark.seq;
        let trace = self.trace_of(ordinal);
        Some(Single { seq, ordinal: Some(ordinal), bytes, trace })
    }

    /// The ordinal of the first event after a number.
    fn ordinal_after(&self, seq: u64) -> u64 {
        self.base + self.marks.partition_point(|mark| mark.seq <= seq) as u64
    }

    /// The ordinal with which a subscriber goes on that has seen everything up to a number; none if events after it are
    /// not kept any more.
    pub(super) fn locate(&self, seq: u64) -> Option<u64> {
        (seq >= self.floor).then(|| self.ordinal_after(seq))
    }

    /// How many bytes the events have on the wire that are kept with numbers after `seq`.
    pub(super) fn bytes_after(&self, seq: u64) -> usize {
        let ordinal = self.ordinal_after(seq);
        let Some(mark) = self.mark(ordinal) else { return 0 };
        let begins = if ordinal >= self.tail_first {
            self.sealed
        } else {
            self.chunks.get(self.chunk_of(ordinal).0).map_or(self.sealed, |chunk| chunk.offset)
        };
        let after = self.sealed + self.tail.len() as u64 - begins - u64::from(mark.start);
        usize::try_from(after).unwrap_or(usize::MAX)
    }

    /// The place in front of the newest events, so many of them or all that are kept: a number, and the next ordinal.
    pub(super) fn before_the_last(&self, events: usize) -> (u64, u64) {
        let skipped = self.marks.len().saturating_sub(events);
        let seen = skipped.checked_sub(1).and_then(|last| self.marks.get(last)).map(|mark| mark.seq);
        (seen.unwrap_or(self.floor), self.base + skipped as u64)
    }

    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    pub(super) fn oldest(&self) -> Option<u64> {
        self.marks.front().map(|mark| mark.seq)
    }

    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// How many events there have been from an ordinal on.
    pub(super) fn after(&self, next: u64) -> u64 {
        self.next_ordinal().saturating_sub(next)
    }

    /// When the newest event came, if any is kept.
    #[cfg(feature = "inspector")]
    pub(super) fn newest_since(&self) -> Option<Instant> {
        (!self.marks.is_empty()).then_some(self.tail_since)
    }

    pub(super) fn newest(&self) -> u64 {
        self.marks.back().map_or(self.floor, |mark| mark.seq)
    }

    /// Events, and bytes with what events cost beside.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.marks.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests;
