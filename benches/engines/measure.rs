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
    pub(crate) const FULL: Self = Self { rounds: 7, time: Duration::from_millis(400) };
    pub(crate) const QUICK: Self = Self { rounds: 3, time: Duration::from_millis(200) };
}

const FEW: usize = 64;
const MANY: usize = 1024;

/// What is measured, in a round of one side.
#[derive(Clone, Copy, Debug)]
enum What {
    OneByOne,
    UnderWay(usize),
    P50,
    P99,
    Followed,
}

const ALL: [What; 6] =
    [What::OneByOne, What::UnderWay(FEW), What::UnderWay(MANY), What::P50, What::P99, What::Followed];

/// An engine and the library that it stands on, with events of one size.
pub(crate) struct Comparison {
    engine: &'static str,
    size: usize,
    /// Of each round, ours and by hand, in the order of [`ALL`].
    rounds: Vec<[Vec<f64>; 2]>,
}

pub(crate) async fn compare(
    engine: &'static str,
    size: usize,
    scale: Scale,
    ours: &impl Side,
    raw: &impl Side,
) -> Comparison {
    let text = Bytes::from("x".repeat(size));
    let mut rounds = Vec::new();
    for round in 0..=scale.rounds {
        // Who begins changes, too.
        let both = if round % 2 == 0 {
            let ours = measure(ours, &text, scale.time).await;
            [ours, measure(raw, &text, scale.time).await]
        } else {
            let raw = measure(raw, &text, scale.time).await;
            [measure(ours, &text, scale.time).await, raw]
        };
        // The first is to warm up.
        if round > 0 {
            rounds.push(both);
        }
    }
    Comparison { engine, size, rounds }
}

/// One round of one side: events a second, or microseconds.
async fn measure(side: &impl Side, text: &Bytes, time: Duration) -> Vec<f64> {
    let mut figures = Vec::new();
    for under_way in [1, FEW, MANY] {
        let begun = Instant::now();
        let published = side.publish_many(text.clone(), under_way, begun + time).await;
        figures.push(published as f64 / begun.elapsed().as_secs_f64());
    }
    figures.extend(reach(side, text, time).await);
    figures.push(followed(side, text, time).await);
    figures
}

/// In microseconds, for the half and for all but one of a hundred.
async fn reach(side: &impl Side, text: &Bytes, time: Duration) -> [f64; 2] {
    let mut follower = side.follow().await;
    // What is under way from before.
    while tokio::time::timeout(Duration::from_millis(100), follower.next()).await.is_ok() {}
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
    while tokio::time::timeout(Duration::from_millis(100), follower.next()).await.is_ok() {}
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
        head.extend(ALL.map(|what| match what {
            What::OneByOne => "one by one, /s".to_owned(),
            What::UnderWay(tasks) => format!("{tasks}, /s"),
            What::P50 => "reach p50, us".to_owned(),
            What::P99 => "p99, us".to_owned(),
            What::Followed => "followed, /s".to_owned(),
        }));
        Table::new(head)
    }

    pub(crate) fn rows(&self, table: &mut Table) {
        let name = format!("{}, {} B", self.engine, self.size);
        let medians = |of: &dyn Fn(&[Vec<f64>; 2], usize) -> f64| {
            let column = |at| median(self.rounds.iter().map(|round| of(round, at)).collect());
            (0..ALL.len()).map(column).map(figure).collect::<Vec<_>>()
        };
        let mut row = |name: &str, what: &str, figures: Vec<String>| {
            table.row([vec![name.to_owned(), what.to_owned()], figures].concat());
        };
        row(&name, "hub", medians(&|round, at| round[0][at]));
        row("", "by hand", medians(&|round, at| round[1][at]));
        row("", "ratio", medians(&|round, at| round[0][at] / round[1][at]));
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
