//! One coarse tick for all streams of a runtime: keep-alives, send timeouts and maximum ages.
//!
//! A timer per connection would be reset on every event. Here an event touches no timer at all: a stream notes when
//! it last wrote, and the ticker looks at it when its earliest deadline *could* have passed, which for a busy stream
//! is once per keep-alive interval.
//!
//! Each tokio runtime has its own ticker (its clock may be paused, and its timers die with it): one task, asleep until
//! the first slot that holds a stream.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Deadlines are rounded up to this, so that streams that are due together share one wake-up.
const SLOT: Duration = Duration::from_millis(50);

/// What the ticker calls when a deadline may have passed.
pub(crate) trait Ticked: Send + Sync {
    /// Acts on what is due and says when to look again; `None`: never.
    fn tick(self: Arc<Self>, now: Instant) -> Option<Instant>;
    /// Remembers under which key the ticker will call next. `false`: the stream is over, forget it.
    fn rescheduled(&self, key: Key) -> bool;
}

/// Where a stream stands in the timetable: its slot, and a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    slot: u64,
    number: u64,
}

impl Key {
    /// Whether both are of one entry, at whatever times.
    pub(crate) fn is_of_the_same(self, other: Self) -> bool {
        self.number == other.number
    }
}

pub(crate) struct Ticker {
    runtime: Id,
    origin: Instant,
    timetable: Mutex<Timetable>,
    earlier: Notify,
}

#[derive(Default)]
struct Timetable {
    due: BTreeMap<Key, Weak<dyn Ticked>>,
    numbers: u64,
}

static TICKERS: Mutex<Vec<Weak<Ticker>>> = Mutex::new(Vec::new());

impl Ticker {
    /// The ticker of the runtime we are in, started if need be; `None` outside of any runtime.
    pub(crate) fn current() -> Option<Arc<Self>> {
        let runtime = Handle::try_current().ok()?;
        let mut tickers = TICKERS.lock().unwrap_or_else(PoisonError::into_inner);
        tickers.retain(|ticker| ticker.strong_count() > 0);
        if let Some(found) = tickers.iter().filter_map(Weak::upgrade).find(|t| t.runtime == runtime.id()) {
            return Some(found);
        }
        let ticker = Arc::new(Self {
            runtime: runtime.id(),
            origin: Instant::now(),
            timetable: Mutex::default(),
            earlier: Notify::new(),
        });
        tickers.push(Arc::downgrade(&ticker));
        runtime.spawn(Arc::clone(&ticker).run());
        Some(ticker)
    }

    /// A key for a stream that wants to be looked at by `when`.
    pub(crate) fn reserve(&self, when: Instant) -> Key {
        let mut timetable = self.timetable();
        timetable.numbers += 1;
        Key { slot: self.slot(when), number: timetable.numbers }
    }

    /// Enters a stream under the key that was reserved for it.
    pub(crate) fn enter(&self, key: Key, stream: Weak<dyn Ticked>) {
        let mut timetable = self.timetable();
        let first = timetable.due.first_key_value().is_none_or(|(earliest, _)| key.slot < earliest.slot);
        timetable.due.insert(key, stream);
        drop(timetable);
        if first {
            self.earlier.notify_one();
        }
    }

    pub(crate) fn leave(&self, key: Key) {
        self.timetable().due.remove(&key);
    }

    async fn run(self: Arc<Self>) {
        loop {
            let first = self.timetable().due.first_key_value().map(|(key, _)| key.slot);
            match first {
                None => self.earlier.notified().await,
                Some(slot) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(self.time(slot)) => self.tick(),
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }

    fn tick(&self) {
        let now = Instant::now();
        let current = Key { slot: self.elapsed_slots(now), number: u64::MAX };
        let due = {
            let mut timetable = self.timetable();
            // What lies behind the current slot stays, what is due comes out.
            let mut later = timetable.due.split_off(&current);
            std::mem::swap(&mut timetable.due, &mut later);
            later
        };
        for (key, stream) in due {
            let Some(stream) = stream.upgrade() else { continue };
            let weak = Arc::downgrade(&stream);
            // It calls foreign code too: recorders of metrics, subscribers, wakers. A panic there is one stream's affair, and
            // must not stop the clock for all.
            let ticked = catch_unwind(AssertUnwindSafe(|| Arc::clone(&stream).tick(now)));
            let Ok(next) = ticked.inspect_err(|_| tracing::error!("a stream's clock panicked")) else {
                continue;
            };
            let Some(next) = next else { continue };
            // At least the next slot: a deadline in the past must not turn the loop into a spin.
            let slot = self.slot(next).max(current.slot + 1);
            let key = Key { slot, ..key };
            self.timetable().due.insert(key, weak);
            if !stream.rescheduled(key) {
                self.leave(key);
            }
        }
    }

    fn timetable(&self) -> MutexGuard<'_, Timetable> {
        self.timetable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, when: Instant) -> u64 {
        let nanos = when.saturating_duration_since(self.origin).as_nanos().div_ceil(SLOT.as_nanos());
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    fn elapsed_slots(&self, now: Instant) -> u64 {
        let nanos = now.saturating_duration_since(self.origin).as_nanos() / SLOT.as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    fn time(&self, slot: u64) -> Instant {
        let nanos = u64::try_from(SLOT.as_nanos()).unwrap_or(u64::MAX).saturating_mul(slot);
        // tokio's own answer to a time beyond its clock is about thirty years from now; so is ours.
        let limit = Duration::from_secs(86_400 * 365 * 30);
        self.origin + Duration::from_nanos(nanos).min(limit)
    }
}
