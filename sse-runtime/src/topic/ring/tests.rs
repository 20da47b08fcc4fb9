//! What a ring keeps, hands out, and whom it wakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

const LARGE: Limits = Limits { events: 1000, bytes: 1 << 20, age: None };

fn ring(limits: Limits) -> Ring {
    Ring::new(limits, 0)
}

fn at(seq: u64) -> Place<'static> {
    Place::new(None, crate::topic::position::Position { epoch: 1, seq })
}

fn put_at(ring: &mut Ring, seq: u64, key: u64, block: &str, now: Instant) -> usize {
    ring.append(at(seq), key, block.as_bytes(), now).len()
}

/// Appends events with these numbers; each is its own key and data.
fn put(ring: &mut Ring, seqs: impl IntoIterator<Item = u64>) {
    for seq in seqs {
        put_at(ring, seq, seq, &format!("data: {seq}\n\n"), Instant::now());
    }
}

fn text(seqs: impl IntoIterator<Item = u64>) -> String {
    seqs.into_iter().map(|seq| format!("id: 1-{seq}\ndata: {seq}\n\n")).collect()
}

fn frame(found: Found) -> (String, u64, u64) {
    match found {
        Found::Frame { bytes, events, last } => {
            (String::from_utf8(bytes.to_vec()).expect("UTF-8"), events, last)
        }
        other => panic!("expected a frame, got {other:?}"),
    }
}

fn singles(ring: &mut Ring, seen: u64, until: u64, pick: Pick, most: usize) -> Option<(Vec<u64>, u64)> {
    let singles = ring.read_singles(seen, until, pick, most)?;
    for single in &singles.events {
        assert_eq!(single.bytes, text([single.seq]), "cut out at its borders");
    }
    Some((singles.events.iter().map(|single| single.seq).collect(), singles.covered))
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

#[test]
fn what_has_gathered_is_one_frame_and_the_same_memory_for_everybody() {
    let mut ring = ring(LARGE);
    put(&mut ring, [3, 5, 9]);
    let (mut first, mut second) = (0, 0);
    let Found::Frame { bytes, events: 3, last: 9 } = ring.read(&mut first, 0) else { panic!("three events") };
    assert_eq!(bytes, text([3, 5, 9]));
    let Found::Frame { bytes: same, .. } = ring.read(&mut second, 0) else { panic!("a frame") };
    assert_eq!((first, second, bytes.as_ptr()), (3, 3, same.as_ptr()));
    assert_eq!(ring.read(&mut first, 9), Found::Nothing);
    put(&mut ring, [10]);
    assert_eq!(frame(ring.read(&mut first, 9)), (text([10]), 1, 10));
    put(&mut ring, [11]);
    // One that comes later gets the frames as they were cut.
    let mut late = 1;
    assert_eq!(frame(ring.read(&mut late, 3)), (text([5, 9]), 2, 9));
    assert_eq!(frame(ring.read(&mut late, 9)), (text([10]), 1, 10));
    assert_eq!(frame(ring.read(&mut late, 10)), (text([11]), 1, 11));
    assert_eq!((ring.newest(), ring.floor(), ring.base(), ring.oldest()), (11, 0, 0, Some(3)));
}

#[test]
fn events_of_every_size_are_read_back_whole_from_everywhere() {
    let mut ring = ring(Limits { bytes: 1 << 30, ..LARGE });
    let block = |seq: u64| {
        let size = usize::try_from(seq * seq * 37 % 50_000).expect("small");
        format!("data: {}\n\n", "x".repeat(size))
    };
    for seq in 1..=200 {
        put_at(&mut ring, seq, 0, &block(seq), Instant::now());
        if seq % 7 == 0 {
            let mut next = seq - 1;
            frame(ring.read(&mut next, seq - 1));
        }
    }
    for from in 0..200 {
        let (mut next, mut seen) = (from, from);
        while next < 200 {
            let (got, events, last) = frame(ring.read(&mut next, seen));
            let expected: String =
                (seen + 1..=last).map(|seq| format!("id: 1-{seq}\n{}", block(seq))).collect();
            // Not with `assert_eq`: it is too much to be shown.
            assert!(expected == got, "from {from}: {seen} to {last}");
            assert_eq!((events, next), (last - seen, last));
            seen = last;
        }
        let all = ring.read_singles(from, 200, Pick::All, usize::MAX).expect("it is there");
        assert_eq!(all.events.len() as u64, 200 - from);
        for single in all.events {
            assert_eq!(single.bytes, format!("id: 1-{}\n{}", single.seq, block(single.seq)));
        }
    }
}

#[test]
fn limits_evict_the_oldest_but_never_the_newest() {
    let mut ring = ring(Limits { events: 3, ..LARGE });
    put(&mut ring, [2, 4, 6]);
    assert_eq!((ring.floor(), ring.size().0), (0, 3));
    put(&mut ring, [8]);
    assert_eq!((ring.floor(), ring.base(), ring.oldest(), ring.size().0), (2, 1, Some(4), 3));
    let (mut next, mut early) = (1, 0);
    assert_eq!(frame(ring.read(&mut next, 2)), (text([4, 6, 8]), 3, 8));
    assert_eq!(ring.read(&mut early, 0), Found::Behind);
    assert_eq!(early, 0, "whoever is behind stays where it is, to be counted");

    let one = text([1]).len() + OVERHEAD;
    let mut small = Ring::new(Limits { bytes: 2 * one, ..LARGE }, 0);
    put(&mut small, [1, 2]);
    assert_eq!((small.size(), small.floor()), ((2, 2 * one), 0));
    put(&mut small, [3]);
    assert_eq!((small.size(), small.floor()), ((2, 2 * one), 1));
    put_at(&mut small, 4, 0, &"x".repeat(10 * one), Instant::now());
    assert_eq!((small.size().0, small.floor(), small.oldest()), (1, 3, Some(4)));
    put(&mut small, [5]);
    assert_eq!((small.size(), small.floor()), ((1, one), 4));
}

#[test]
fn what_is_read_stays_whole_when_the_ring_lets_go_of_it() {
    let mut ring = ring(Limits { events: 2, ..LARGE });
    put(&mut ring, [1, 2]);
    let mut next = 0;
    let (first, ..) = frame(ring.read(&mut next, 0));
    put(&mut ring, 3..100);
    assert_eq!(first, text([1, 2]));
    assert_eq!(ring.read(&mut next, 2), Found::Behind);
    next = ring.base();
    assert_eq!(frame(ring.read(&mut next, 97)), (text([98, 99]), 2, 99));
    assert_eq!(ring.chunks.len(), 1, "nothing of what was evicted is left");
}

#[test]
fn a_place_is_known_exactly_as_long_as_nothing_after_it_is_gone() {
    let mut ring = Ring::new(Limits { events: 2, ..LARGE }, 5);
    assert_eq!((ring.locate(4), ring.locate(5), ring.locate(6), ring.newest()), (None, Some(0), Some(0), 5));
    put(&mut ring, [7, 9]);
    assert_eq!((ring.locate(4), ring.locate(5), ring.locate(6)), (None, Some(0), Some(0)));
    assert_eq!(
        (ring.locate(7), ring.locate(8), ring.locate(9), ring.locate(99)),
        (Some(1), Some(1), Some(2), Some(2))
    );
    put(&mut ring, [11]);
    assert_eq!(
        (ring.locate(6), ring.locate(7), ring.locate(8), ring.locate(9)),
        (None, Some(1), Some(1), Some(2))
    );
}

#[test]
fn one_that_is_ahead_does_not_get_again_what_it_has_seen() {
    let mut ring = ring(LARGE);
    let mut next = ring.locate(6).expect("nothing is gone");
    put(&mut ring, [4, 6]);
    assert_eq!(ring.read(&mut next, 6), Found::Nothing);
    put(&mut ring, [8]);
    assert_eq!(frame(ring.read(&mut next, 6)), (text([8]), 1, 8));
}

#[test]
fn age_is_that_of_the_newest_event_in_a_chunk_and_a_tail_gathers_for_a_second_at_most() {
    let age = Duration::from_secs(10);
    let mut ring = ring(Limits { age: Some(age), ..LARGE });
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    for (seq, millis) in [(1, 0), (2, 900), (3, 1000), (4, 5000)] {
        put_at(&mut ring, seq, 0, "data: x\n\n", at(millis));
    }
    for (millis, oldest) in [(10_000, 1), (10_899, 1), (10_900, 3), (10_999, 3), (11_000, 4), (14_999, 4)] {
        ring.evict_aged(at(millis));
        assert_eq!(ring.oldest(), Some(oldest), "after {millis} ms");
        assert!(!ring.has_aged(at(millis)));
    }
    assert!(ring.has_aged(at(15_000)));
    ring.evict(at(15_000));
    assert_eq!(ring.oldest(), Some(4), "by an event that arrives, all but the newest goes");
    ring.evict_aged(at(15_000));
    assert_eq!((ring.oldest(), ring.size(), ring.floor(), ring.newest()), (None, (0, 0), 4, 4));
    assert!(!ring.has_aged(at(99_000)), "there is nothing to age");
    put_at(&mut ring, 5, 0, "data: x\n\n", at(16_000));
    put_at(&mut ring, 6, 0, "data: x\n\n", at(26_000));
    assert_eq!(ring.oldest(), Some(6), "what arrives evicts what is too old");
}

#[test]
fn an_emptied_ring_begins_again_where_it_stopped() {
    let mut ring = ring(LARGE);
    put(&mut ring, [1, 2, 3]);
    let mut next = 0;
    frame(ring.read(&mut next, 0));
    put(&mut ring, [4]);
    while ring.oldest().is_some() {
        ring.evict_one();
    }
    ring.evict_one();
    assert_eq!((ring.base(), ring.floor(), ring.size(), ring.tail.capacity()), (4, 4, (0, 0), 0));
    assert_eq!(ring.read(&mut next, 3), Found::Behind);
    next = ring.locate(4).expect("nothing after it is gone");
    assert_eq!(ring.read(&mut next, 4), Found::Nothing);
    put(&mut ring, [5]);
    assert_eq!(frame(ring.read(&mut next, 4)), (text([5]), 1, 5));
}

#[test]
fn singles_are_those_of_the_range_up_to_so_many_bytes() {
    let mut ring = ring(LARGE);
    put(&mut ring, [2, 4, 6, 8]);
    assert_eq!(singles(&mut ring, 2, 6, Pick::All, 1 << 20), Some((vec![4, 6], 6)));
    assert_eq!(singles(&mut ring, 3, 7, Pick::All, 1 << 20), Some((vec![4, 6], 7)));
    assert_eq!(singles(&mut ring, 8, 20, Pick::All, 1 << 20), Some((vec![], 20)));
    assert_eq!(singles(&mut ring, 6, 4, Pick::All, 1 << 20), Some((vec![], 4)), "it is ahead");
    let one = text([2]).len();
    assert_eq!(singles(&mut ring, 0, 8, Pick::All, 2 * one), Some((vec![2, 4], 4)));
    assert_eq!(singles(&mut ring, 0, 8, Pick::All, 2 * one - 1), Some((vec![2], 2)));
    assert_eq!(singles(&mut ring, 0, 8, Pick::All, 0), Some((vec![2], 2)), "one at least");
    ring.evict_one();
    assert_eq!(singles(&mut ring, 1, 8, Pick::All, 0), None);
    assert_eq!(singles(&mut ring, 2, 4, Pick::All, 0), Some((vec![4], 4)));
    let ordinals: Vec<_> = ring
        .read_singles(2, 8, Pick::All, 1 << 20)
        .expect("there")
        .events
        .iter()
        .map(|event| event.ordinal)
        .collect();
    assert_eq!(ordinals, [Some(1), Some(2), Some(3)]);
}

#[test]
fn the_newest_of_each_key_come_in_their_order() {
    let mut ring = ring(LARGE);
    for (seq, key) in [(1, 0), (2, 1), (3, 0), (4, 2), (5, 1)] {
        put_at(&mut ring, seq, key, &format!("data: {seq}\n\n"), Instant::now());
    }
    assert_eq!(singles(&mut ring, 0, 5, Pick::Newest, 1 << 20), Some((vec![3, 4, 5], 5)));
    assert_eq!(singles(&mut ring, 0, 4, Pick::Newest, 1 << 20), Some((vec![2, 3, 4], 4)));
    let one = text([1]).len();
    assert_eq!(singles(&mut ring, 0, 5, Pick::Newest, one), Some((vec![3], 3)));
}

#[test]
fn a_raised_floor_takes_what_is_older_and_leaves_who_waits_behind() {
    let mut ring = ring(LARGE);
    put(&mut ring, [2, 4, 6]);
    let mut next = 0;
    frame(ring.read(&mut next, 0));
    let (mut token, (_, waker)) = (None, counting());
    assert!(ring.wait(&mut token, &waker).is_none());
    // Whoever waits has seen all there is: nothing is missing for it.
    assert_eq!(ring.raise_floor(3).len(), 0);
    assert_eq!((ring.floor(), ring.oldest(), ring.locate(2), ring.locate(3)), (3, Some(4), None, Some(1)));
    assert_eq!(ring.raise_floor(6).len(), 0, "6 was its newest event");
    assert_eq!((ring.floor(), ring.newest(), ring.locate(6)), (6, 6, Some(3)));
    assert_eq!(ring.read(&mut next, 6), Found::Nothing);
    assert_eq!(ring.raise_floor(5).len(), 0, "it does not sink");
    assert_eq!(ring.raise_floor(9).len(), 1);
    assert_eq!((ring.floor(), ring.newest(), ring.locate(8), ring.locate(9)), (9, 9, None, Some(4)));
    assert_eq!(ring.read(&mut next, 6), Found::Behind);
    put(&mut ring, [10]);
    next = ring.locate(9).expect("nothing after it is gone");
    assert_eq!(frame(ring.read(&mut next, 9)), (text([10]), 1, 10));
}

#[test]
fn everyone_who_waits_is_woken_once_by_the_next_event() {
    let mut ring = ring(LARGE);
    let wakers = [counting(), counting()];
    let mut tokens = [None, None];
    for (token, (_, waker)) in tokens.iter_mut().zip(&wakers) {
        assert!(ring.wait(token, waker).is_none());
        assert!(ring.wait(token, waker).is_none(), "it waits already");
    }
    assert_eq!(put_at(&mut ring, 1, 0, "data: x\n\n", Instant::now()), 2);
    assert_eq!(put_at(&mut ring, 2, 0, "data: x\n\n", Instant::now()), 0, "nobody has come again");
    // A token that was used up is as good as none.
    assert!(ring.wait(&mut tokens[0], &wakers[0].1).is_none());
    let taken = ring.append(at(3), 0, b"data: x\n\n", Instant::now());
    assert_eq!(taken.len(), 1);
    taken.into_iter().for_each(|(_, waker)| waker.wake());
    assert_eq!(wakers.map(|(count, _)| count.0.load(Ordering::Relaxed)), [1, 0]);
}

#[test]
fn a_task_that_moved_is_woken_where_it_is_now() {
    let mut ring = ring(LARGE);
    let ((old, before), (new, after)) = (counting(), counting());
    let mut token = None;
    assert!(ring.wait(&mut token, &before).is_none());
    let replaced = ring.wait(&mut token, &after).expect("the old one is handed out to be dropped");
    assert!(replaced.will_wake(&before));
    for (_, waker) in ring.append(at(1), 0, b"data: x\n\n", Instant::now()) {
        waker.wake();
    }
    assert_eq!((old.0.load(Ordering::Relaxed), new.0.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn whoever_leaves_takes_its_own_waker_along_and_nobody_elses() {
    let mut ring = ring(LARGE);
    let wakers = [counting(), counting()];
    let mut tokens = [None, None];
    for (token, (_, waker)) in tokens.iter_mut().zip(&wakers) {
        assert!(ring.wait(token, waker).is_none());
    }
    let first = tokens[0].expect("a token");
    assert!(ring.forget(first).is_some_and(|waker| waker.will_wake(&wakers[0].1)));
    assert!(ring.forget(first).is_none());
    assert_eq!(put_at(&mut ring, 1, 0, "data: x\n\n", Instant::now()), 1);
    // The places are given anew after each event: an old token means nobody any more.
    let mut other = None;
    assert!(ring.wait(&mut other, &wakers[0].1).is_none());
    assert!(ring.forget(first).is_none());
    assert!(ring.forget(tokens[1].expect("a token")).is_none());
    assert_eq!(put_at(&mut ring, 2, 0, "data: x\n\n", Instant::now()), 1);
}

#[test]
fn the_memory_of_emptied_wakers_is_used_again() {
    let mut ring = ring(LARGE);
    let (_, waker) = counting();
    let mut tokens = [None; 50];
    for token in &mut tokens {
        assert!(ring.wait(token, &waker).is_none());
    }
    let mut taken = ring.append(at(1), 0, b"data: x\n\n", Instant::now());
    assert_eq!(taken.len(), 50);
    taken.clear();
    let capacity = taken.capacity();
    ring.give_back(taken);
    let mut token = None;
    assert!(ring.wait(&mut token, &waker).is_none());
    assert_eq!(put_at(&mut ring, 2, 0, "data: x\n\n", Instant::now()), 1);
    assert!(ring.wait(&mut token, &waker).is_none());
    assert!(ring.waiting.capacity() >= capacity);
    assert_eq!(put_at(&mut ring, 3, 0, "data: x\n\n", Instant::now()), 1);
}

// One event of 100 bytes holds an arena of 32 KiB, or two, of which no limit of the hub knows.
#[test]
fn a_ring_holds_no_more_than_it_says() {
    let limits = Limits { events: 1, bytes: usize::MAX, age: None };
    let mut ring = Ring::new(limits, 0);
    let (mut next, mut held) = (0, 0);
    for seq in 1..2000 {
        drop(ring.append(at(seq), 0, &[b'x'; 100], Instant::now()));
        drop(ring.read(&mut next, 0));
        // What is left of the arena; where the event itself lies is not even counted.
        held = held.max(ring.tail.capacity());
    }
    let (events, said) = ring.size();
    assert_eq!(events, 1);
    assert!(held <= 16 * said, "{held} bytes are held, {said} are said to be");
}

#[test]
fn what_follows_a_number_is_counted_to_the_byte_wherever_it_lies() {
    let mut ring = ring(Limits { events: 7, bytes: 1 << 20, age: None });
    let mut next = 0;
    for seq in 1..200 {
        put(&mut ring, [seq * 3]);
        // Some alone, some in bursts, some in the open tail.
        if seq % 5 < 2 {
            while let Found::Frame { .. } = ring.read(&mut next, 0) {}
            next = next.max(ring.base());
        }
        for after in seq.saturating_sub(9) * 3..=seq * 3 + 1 {
            let kept = (1..=seq).rev().take(7).map(|seq| seq * 3).filter(|&seq| seq > after);
            let expected: usize = kept.map(|seq| text([seq]).len()).sum();
            assert_eq!(ring.bytes_after(after), expected, "after {after} of {}", seq * 3);
        }
    }
    while ring.oldest().is_some() {
        ring.evict_one();
    }
    assert_eq!(ring.bytes_after(0), 0);
    put(&mut ring, [1000]);
    assert_eq!(ring.bytes_after(0), text([1000]).len());
}
