//! What is kept. The rest is evicted by the scripts: what is too much for a topic when something is published there, what
//! is too old then, or by whichever node asks next where the log stands.

use std::time::Duration;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) age: Duration,
    /// Of each topic.
    pub(super) events: u64,
    /// How many topics are known.
    pub(super) topics: u64,
    /// How long a dedupe key is known.
    pub(super) dedupe: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(24 * 3600),
            events: 1000,
            topics: 1 << 16,
            dedupe: Duration::from_secs(120),
        }
    }
}

impl Limits {
    /// How often it is noted which number is the newest: so exact is the age.
    pub(super) fn tick(&self) -> Duration {
        (self.age / 512).max(Duration::from_millis(100))
    }
}

/// For the server; it refuses a time of nothing.
pub(super) fn milliseconds(time: Duration) -> u64 {
    // What is more does not fit into its numbers.
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52)
}
