//! What is kept, and the bounds that follow from it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use sse_runtime::engine::Redb;

use crate::publisher::WEIGHT;

/// Which limit the log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    None,
    Events,
    Bytes,
    Age,
}

const EVENTS: u64 = 20_000;
const BYTES: u64 = 4 << 20;
pub(crate) const AGE: Duration = Duration::from_secs(1);
/// What the file may take, in times of what is kept; and what it takes with nothing in it.
const FACTOR: u64 = 4;
const EMPTY: u64 = 2 << 20;
/// How long a start may take after a crash, with one of the limits.
const START: Duration = Duration::from_secs(1);

impl Kept {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Events, Self::Bytes, Self::Age];

    pub(crate) fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|kept| kept.to_string() == text).expect("one of them")
    }

    pub(crate) fn engine(self, file: &Path) -> Redb {
        // The process before may not have let go of the file yet.
        let engine = Redb::open(file).lock_timeout(Duration::from_secs(60));
        match self {
            Self::None => engine.bytes(u64::MAX),
            Self::Events => engine.events(EVENTS),
            Self::Bytes => engine.bytes(BYTES),
            Self::Age => engine.age(AGE),
        }
    }

    pub(crate) fn described(self) -> String {
        match self {
            Self::None => "all".to_owned(),
            Self::Events => format!("`events({EVENTS})`"),
            Self::Bytes => format!("`bytes({BYTES})`"),
            Self::Age => format!("`age({AGE:?})`"),
        }
    }

    /// Fails if the file, or the start, is larger than the limits allow. `busiest` is the most events that were acknowledged
    /// within the age.
    pub(crate) fn check(self, found: u64, size: u64, opened: Duration, busiest: usize) {
        let kept = match self {
            Self::None => return,
            Self::Events => EVENTS * WEIGHT,
            Self::Bytes => BYTES,
            // Evicted once a second at the latest, and what was under way comes on top.
            Self::Age => 2 * busiest as u64 * WEIGHT,
        };
        assert!(size <= FACTOR * kept + EMPTY, "{self}: the file has {size} bytes, of which {kept} are kept");
        assert!(opened <= START, "{self}: opened after {opened:?}");
        match self {
            Self::Events => assert!(found <= EVENTS, "{found} events"),
            Self::Bytes => assert!(found * WEIGHT <= BYTES + WEIGHT, "{found} events"),
            Self::None | Self::Age => {}
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Events => "events",
            Self::Bytes => "bytes",
            Self::Age => "age",
        })
    }
}
