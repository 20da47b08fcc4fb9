//! Both sides in turns, and what is made of the figures.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::side::{Follower as _, Side};
use crate::table::{Table, figure};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    time: Duration,
}

impl Scale {
    pub(crate) const FULL: Self = Self { rounds: 5, time: Duration::from_millis(300) };
    pub(crate) const QUICK: Self = Self { rounds: 3, time: Duration::from_millis(200) };
}

/// After so long without an event, nothing is under way any more.
const SILENCE: Duration = Duration::from_millis(500);
const FEW: usize = 4;
const MORE: usize = 64;
const MANY: usize = 1024;

/// One by one, a stall of the disk or of the machine is a large part of what is measured. So each side has so many turns of
/// a round, short ones, and the median counts: what does not stay as it is for long is then the same for all.
const TURNS: u32 = 9;

/// What is done in turns.
#[derive(Clone, Copy, Debug)]
enum Work {
    Publish(usize),
    Reach,
    Follow,
}

impl Work {
    /// How many turns each side has of a round, and how long they are.
    fn turns(self, time: Duration) -> (u32, Duration) {
        match self {
            Self::Publish(1) => (TURNS, 2 * time / TURNS),
            _ => (1, time),
        }
    }
}

const WORKS: [Work; 6] = [
    Work::Publish(1),
    Work::Publish(FEW),
    Work::Publish(MORE),
    Work::Publish(MANY),
    Work::Reach,
    Work::Follow,
];
/// The figures of it, in this order.
const COLUMNS: [&str; 7] =
    ["one by one, /s", "4, /s", "64, /s", "1024, /s", "reach p50, us", "p99, us", "followed, /s"];

/// An engine and the library that it stands on, with events of one size.
pub(crate) struct Comparison {
    engine: &'static str,
    size: usize,
    /// What the ways by hand are called.
    by_hand: Vec<&'static str>,
    /// Of each round, ours and those by hand, in the order of [`COLUMNS`].
    rounds: Vec<Vec<Vec<f64>>>,
}

pub(crate) async fn compare(
    engine: &'static str,
    size: usize,
    scale: Scale,
    ours: &impl Side,
    raw: &[(&'static str, impl Side)],
) -> Comparison {
    let text = Bytes::from("x".repeat(size));
    let mut rounds = Vec::new();
    for round in 0..=scale.rounds {
        let mut all = vec![Vec::new(); 1 + raw.len()];
        let sides = all.len();
        for work in WORKS {
            let (turns, time) = work.turns(scale.time);
            let mut figures = vec![Vec::new(); sides];
            for turn in 0..turns as usize {
                // Who begins changes.
                for side in (0..sides).map(|side| (round + turn + side) % sides) {
                    figures[side].push(match side.checked_sub(1) {
                        None => measure(ours, &text, work, time).await,
                        Some(way) => measure(&raw[way].1, &text, work, time).await,
                    });
                }
            }
            for (all, turns) in all.iter_mut().zip(figures) {
                let columns = 0..turns[0].len();
                all.extend(columns.map(|at| median(turns.iter().map(|turn| turn[at]).collect())));
            }
        }
        // The first is to warm up.
        if round > 0 {
            rounds.push(all);
        }
    }
    Comparison { engine, size, by_hand: raw.iter().map(|(name, _)| *name).collect(), rounds }
}

/// Events a second, or microseconds.
async fn measure(side: &impl Side, text: &Bytes, work: Work, time: Duration) -> Vec<f64> {
    match work {
        Work::Publish(under_way) => {
            let mut follower = side.follow().await;
            let following = tokio::spawn(async move {
                loop {
                    follower.next().await;
                }
            });
            let begun = Instant::now();
            let published = side.publish_many(text.clone(), under_way, begun + time).await;
            let rate = published as f64 / begun.elapsed().as_secs_f64();
            following.abort();
            vec![rate]
        }
        Work::Reach => reach(side, text, time).await.into(),
        Work::Follow => vec![followed(side, text, time).await],
    }
}

/// In microseconds, for the half and for all but one of a hundred.
async fn reach(side: &impl Side, text: &Bytes, time: Duration) -> [f64; 2] {
    let mut follower = side.follow().await;
    // What is under way from before.
    while tokio::time::timeout(SILENCE, follower.next()).await.is_ok() {}
    let (mut took, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < time {
        let published = Instant::now();
        let arrival = async {
            assert_eq!(follower.next().await, 1);
            published.elapsed()
        };
        let (reached, ()) = tokio::join!(arrival, side.publish(text.clone()));
        took.push(reached.as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    [50, 99].map(|percent| took[(took.len() * percent / 100).min(took.len() - 1)])
}

/// How many a second arrive at a follower, of all that are published meanwhile.
async fn followed(side: &impl Side, text: &Bytes, time: Duration) -> f64 {
    let mut follower = side.follow().await;
    while tokio::time::timeout(SILENCE, follower.next()).await.is_ok() {}
    let begun = Instant::now();
    let (side, text) = (side.clone(), text.clone());
    let publishing = tokio::spawn(async move { side.publish_many(text, MANY, begun + time).await });
    tokio::pin!(publishing);
    let (mut published, mut arrived) = (None, 0);
    while published.is_none_or(|published| arrived < published) {
        tokio::select! {
            events = follower.next() => arrived += events,
            all = &mut publishing, if published.is_none() => published = Some(all.expect("published")),
        }
    }
    arrived as f64 / begun.elapsed().as_secs_f64()
}

impl Comparison {
    pub(crate) fn table() -> Table {
        let mut head = vec!["engine, event".to_owned(), String::new()];
        head.extend(COLUMNS.map(str::to_owned));
        Table::new(head)
    }

    pub(crate) fn rows(&self, table: &mut Table) {
        let name = format!("{}, {} B", self.engine, self.size);
        let medians = |of: &dyn Fn(&[Vec<f64>], usize) -> f64| {
            let column = |at| median(self.rounds.iter().map(|round| of(round, at)).collect());
            (0..COLUMNS.len()).map(column).map(figure).collect::<Vec<_>>()
        };
        let mut row = |name: &str, what: &str, figures: Vec<String>| {
            table.row([vec![name.to_owned(), what.to_owned()], figures].concat());
        };
        row(&name, "hub", medians(&|round, at| round[0][at]));
        for (way, name) in (1..).zip(&self.by_hand) {
            row("", name, medians(&|round, at| round[way][at]));
            row("", "ratio", medians(&|round, at| round[0][at] / round[way][at]));
        }
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
