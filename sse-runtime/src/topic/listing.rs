//! The topics of a hub, one by one, for who wants to see them.

use std::time::Duration;

use tokio::time::Instant;

use super::hub::Hub;

/// One topic as it is now.
pub(crate) struct TopicInfo {
    pub(crate) name: String,
    pub(crate) subscribers: usize,
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    /// The ids of the oldest and the newest event kept.
    pub(crate) oldest: Option<String>,
    pub(crate) newest: Option<String>,
    /// How long ago the newest came.
    pub(crate) age: Option<Duration>,
}

impl Hub {
    /// The topics whose names are wanted, those first that heard something last: `most` of them, and how many there
    /// are.
    pub(crate) fn listing(&self, wanted: impl Fn(&str) -> bool, most: usize) -> (Vec<TopicInfo>, usize) {
        let mut topics = self.0.all();
        topics.retain(|topic| wanted(&topic.name));
        let all = topics.len();
        topics.sort_unstable_by(|a, b| b.newest().cmp(&a.newest()).then_with(|| a.name.cmp(&b.name)));
        topics.truncate(most);
        let now = Instant::now();
        let infos = topics.iter().map(|topic| {
            let ring = topic.ring();
            let (events, bytes) = ring.size();
            let id = |seq: u64| self.0.position(seq).to_string();
            TopicInfo {
                name: topic.name.to_string(),
                subscribers: topic.subscribers(),
                events,
                bytes,
                oldest: ring.oldest().map(id),
                newest: ring.oldest().map(|_| id(ring.newest())),
                age: ring.newest_since().map(|since| now.saturating_duration_since(since)),
            }
        });
        (infos.collect(), all)
    }
}
