//! What happens in a history: hubs of all kinds of limits, and what is done with them.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::{CLIENTS, TOPICS};

/// What the route's option says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slow {
    Disconnect,
    Skip,
    Latest,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) topic_events: usize,
    pub(super) topic_bytes: usize,
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) age: Duration,
    pub(super) topics: usize,
    pub(super) replay_bytes: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Published without a pause, so that even clients that read can fall behind.
    Publish(Vec<Publish>),
    Connect(usize, Kind, Asked),
    /// Like the client before it, which leaves first.
    Reconnect(usize, Asked),
    /// Looks at so many of the events that it has received.
    Look(usize, usize),
    Stall(usize),
    GoOn(usize),
    Leave(usize),
    Advance(u64),
    /// Asks the hub for a topic that nobody else uses.
    Touch(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Publish {
    pub(super) topic: usize,
    pub(super) key: Option<u8>,
    pub(super) size: usize,
    pub(super) lines: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) topics: Vec<usize>,
    pub(super) slow: Slow,
    pub(super) snapshot: bool,
}

/// What the client says of where it stands.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Nothing,
    /// The last id it has looked at.
    Last,
    LastInQuery,
    /// In the query where the log is now; in the header, which is the newer one, the last id.
    LastAndNow,
    /// Somewhere between the beginning and now, in 256ths.
    Any(u8),
    Ahead(u64),
    Foreign,
    Malformed(usize),
}

pub(super) fn setup() -> impl Strategy<Value = Setup> {
    let topic_bytes = prop_oneof![2 => Just(1 << 20), 1 => 200..2000_usize];
    let hub_events = prop_oneof![2 => Just(usize::MAX), 1 => 1..12_usize];
    let hub_bytes = prop_oneof![3 => Just(usize::MAX), 1 => 200..4000_usize];
    let age = prop_oneof![1 => Just(3600), 1 => 1..8_u64];
    let topics = prop_oneof![3 => Just(1000), 1 => 1..5_usize];
    let replay_bytes = prop_oneof![2 => Just(usize::MAX), 1 => 40..1000_usize];
    (1..=8_usize, topic_bytes, hub_events, hub_bytes, age, topics, replay_bytes).prop_map(
        |(topic_events, topic_bytes, events, bytes, age, topics, replay_bytes)| {
            // What a topic that is let go takes along is not known, so neither would be what else has to go.
            let (events, bytes) = if topics < 1000 { (usize::MAX, usize::MAX) } else { (events, bytes) };
            let age = Duration::from_secs(age);
            Setup { topic_events, topic_bytes, events, bytes, age, topics, replay_bytes }
        },
    )
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    let size = prop_oneof![4 => 0..20_usize, 1 => 200..800_usize];
    let publish = (0..TOPICS, proptest::option::of(0..3_u8), size, 1..4_usize)
        .prop_map(|(topic, key, size, lines)| Publish { topic, key, size, lines });
    let slow = prop_oneof![Just(Slow::Disconnect), Just(Slow::Skip), Just(Slow::Latest)];
    let some = prop_oneof![2 => 1..=1_usize, 1 => 2..=TOPICS]
        .prop_flat_map(|count| subsequence((0..TOPICS).collect::<Vec<_>>(), count).prop_shuffle());
    let kind =
        (some, slow, any::<bool>()).prop_map(|(topics, slow, snapshot)| Kind { topics, slow, snapshot });
    let asked = prop_oneof![
        2 => Just(Asked::Nothing),
        4 => Just(Asked::Last),
        1 => Just(Asked::LastInQuery),
        1 => Just(Asked::LastAndNow),
        3 => any::<u8>().prop_map(Asked::Any),
        1 => prop_oneof![Just(1), Just(u64::MAX)].prop_map(Asked::Ahead),
        1 => Just(Asked::Foreign),
        1 => any::<usize>().prop_map(Asked::Malformed),
    ]
    .boxed();
    prop_oneof![
        6 => vec(publish, 1..8).prop_map(Step::Publish),
        3 => (client.clone(), kind, asked.clone()).prop_map(|(n, kind, asked)| Step::Connect(n, kind, asked)),
        3 => (client.clone(), asked).prop_map(|(n, asked)| Step::Reconnect(n, asked)),
        2 => (client.clone(), 0..6_usize).prop_map(|(n, most)| Step::Look(n, most)),
        2 => client.clone().prop_map(Step::Stall),
        2 => client.clone().prop_map(Step::GoOn),
        1 => client.prop_map(Step::Leave),
        2 => (1..8000_u64).prop_map(Step::Advance),
        1 => (0..3_usize).prop_map(Step::Touch),
    ]
}
