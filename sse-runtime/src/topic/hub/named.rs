//! The topics of a hub under their names, and which of them are let go of when there are too many.

use std::collections::HashMap;
use std::sync::Arc;

use crate::topic::settings::Settings;
use crate::topic::state::TopicState;

pub(super) struct Topics {
    pub(super) by_name: HashMap<Arc<str>, Arc<TopicState>>,
    /// How many bytes their names have together.
    pub(super) names: usize,
    /// Topics that were let go and are not closed yet, and how often each.
    pub(super) closing: HashMap<Arc<str>, usize>,
    /// Up to this number, there may have been events of topics that were let go, or not known yet.
    pub(super) forgotten: u64,
    /// When there are so many, it is time to let go of some.
    pub(super) sweep_at: usize,
    /// Or when their names have so many bytes.
    pub(super) sweep_names_at: usize,
}

/// What a name may have without being long: names may come from strangers.
const LONG_NAME: usize = 256;

impl Topics {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            by_name: HashMap::new(),
            names: 0,
            closing: HashMap::new(),
            forgotten: 0,
            sweep_at: settings.topics,
            sweep_names_at: settings.topics.saturating_mul(LONG_NAME),
        }
    }

    /// Takes out the topics that were used least recently, of those that nobody uses now.
    pub(super) fn sweep(&mut self, most: usize) -> Vec<Arc<TopicState>> {
        // Only this table holds them, and nobody else gets them but from here.
        let unused = |topic: &Arc<TopicState>| Arc::strong_count(topic) == 1;
        let mut let_go = Vec::new();
        // Those without events first: nobody can have missed anything of theirs, and anyone who may name a topic can make
        // them.
        self.by_name.retain(|_, topic| {
            let goes = unused(topic) && topic.is_empty();
            if goes {
                let_go.push(Arc::clone(topic));
            }
            !goes
        });
        let mut last_used: Vec<u64> =
            self.by_name.values().filter(|topic| unused(topic)).map(|topic| topic.last_used()).collect();
        let room = (most / 8).max(1);
        let keep = most.saturating_sub(room);
        if last_used.len() > keep {
            last_used.sort_unstable();
            let until = last_used.get(last_used.len() - keep - 1).copied().unwrap_or_default();
            self.by_name.retain(|_, topic| {
                let goes = unused(topic) && topic.last_used() <= until;
                if goes {
                    let_go.push(Arc::clone(topic));
                }
                !goes
            });
        }
        self.names = self.by_name.keys().map(|name| name.len()).sum();
        self.sweep_at = (self.by_name.len() + room).max(most);
        self.sweep_names_at = (2 * self.names).max(most.saturating_mul(LONG_NAME));
        let_go
    }
}
