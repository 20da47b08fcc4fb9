//! What is tried again: how soon, and what the log says of it.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep};

const MOST: Duration = Duration::from_secs(1);

/// Something that has worked, and does not at the moment.
#[derive(Debug)]
pub(in crate::changes) struct Outage {
    since: Instant,
    wait: Duration,
    attempts: u32,
}

impl Outage {
    /// Notes that it has failed, and says so if it is news.
    pub(in crate::changes) fn note<'a>(
        outage: &'a mut Option<Self>,
        feed: &str,
        error: &dyn Display,
    ) -> &'a mut Self {
        if let Some(outage) = outage {
            tracing::debug!(feed, %error, attempts = outage.attempts, "a change feed still does not work");
            return outage;
        }
        tracing::warn!(feed, %error, "a change feed does not work, and tries again");
        outage.insert(Self { since: Instant::now(), wait: Duration::ZERO, attempts: 0 })
    }

    /// The first time at once, then later and later, and once a second in the end.
    pub(in crate::changes) async fn pause(&mut self) {
        self.attempts += 1;
        let wait = self.wait;
        self.wait = (wait * 2).clamp(Duration::from_millis(50), MOST);
        if !wait.is_zero() {
            // Not all nodes in the same moment.
            sleep(wait.mul_f64(0.8 + 0.2 * fastrand::f64())).await;
        }
    }

    pub(in crate::changes) fn over(outage: &mut Option<Self>, feed: &str) {
        if let Some(outage) = outage.take() {
            let after = outage.since.elapsed();
            tracing::info!(feed, ?after, attempts = outage.attempts, "a change feed works again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_attempt_is_made_at_once_and_none_later_than_a_second() {
        let mut outage = None;
        let mut waits = Vec::new();
        for _ in 0..12 {
            let before = Instant::now();
            Outage::note(&mut outage, "test", &"no").pause().await;
            waits.push(before.elapsed());
        }
        assert_eq!(waits[0], Duration::ZERO);
        assert!(waits[1..].iter().all(|wait| *wait >= Duration::from_millis(40)), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= MOST + Duration::from_millis(1)), "{waits:?}");
        assert!(waits[11] >= Duration::from_millis(800), "{waits:?}");
        Outage::over(&mut outage, "test");
        assert!(outage.is_none());
    }
}
