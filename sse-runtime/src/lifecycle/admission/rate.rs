//! So many in so much time: the generic cell rate algorithm (ITU-T I.371), which needs one moment for each who is counted.

use std::time::Duration;

use tokio::time::Instant;

/// `count` at once, and on average `count` in each `per`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    count: u32,
    per: Duration,
}

/// What is remembered of one who is counted: when all that was allowed would have come, at an even pace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace(Instant);

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self(now)
    }

    /// Whether it says no more than a new one would.
    pub(crate) fn is_fresh(self, now: Instant) -> bool {
        self.0 <= now
    }
}

impl Rate {
    /// # Panics
    /// If `count` is 0.
    pub(crate) fn new(count: u32, per: Duration) -> Self {
        assert!(count > 0, "a rate of 0 would let nobody in");
        Self { count, per }
    }

    /// Counts one more; or says how long it would have to wait.
    pub(crate) fn take(self, pace: &mut Pace, now: Instant) -> Result<(), Duration> {
        let each = self.per / self.count;
        let from = pace.0.max(now);
        let ahead = from.saturating_duration_since(now);
        let allowed = self.per.saturating_sub(each);
        match ahead.checked_sub(allowed) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *pace = Pace(from.checked_add(each).unwrap_or(from));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn all_may_come_at_once_and_the_next_waits_for_its_share_of_the_time() {
        let (rate, mut pace) = (Rate::new(4, SECOND), Pace::new(Instant::now()));
        for _ in 0..4 {
            rate.take(&mut pace, Instant::now()).expect("within the rate");
        }
        assert_eq!(rate.take(&mut pace, Instant::now()), Err(SECOND / 4));
        tokio::time::advance(SECOND / 4).await;
        rate.take(&mut pace, Instant::now()).expect("its time has come");
        assert_eq!(rate.take(&mut pace, Instant::now()), Err(SECOND / 4));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_is_not_counted_and_silence_restores_all() {
        let (rate, mut pace) = (Rate::new(2, SECOND), Pace::new(Instant::now()));
        for _ in 0..100 {
            let _ = rate.take(&mut pace, Instant::now());
        }
        assert!(!pace.is_fresh(Instant::now()));
        tokio::time::advance(SECOND).await;
        assert!(pace.is_fresh(Instant::now()));
        for _ in 0..2 {
            rate.take(&mut pace, Instant::now()).expect("as in the beginning");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_in_a_while_waits_for_all_of_it() {
        let (rate, mut pace) = (Rate::new(1, SECOND), Pace::new(Instant::now()));
        rate.take(&mut pace, Instant::now()).expect("the first");
        assert_eq!(rate.take(&mut pace, Instant::now()), Err(SECOND));
    }
}
