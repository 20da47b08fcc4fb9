//! More than the servers can deliver: how much arrives, and what it costs.

use std::io;
use std::time::{Duration, Instant};

use super::{Failures, SETUP};
use crate::client::Swarm;
use crate::control::Command;
use crate::measure::{cpu, median, memory};
use crate::options::Options;
use crate::process::Peer;
use crate::table::{Table, figure, figure_or_dash};

const SUBSCRIBERS: usize = 1000;
const BYTES: usize = 100;
const RATE: u64 = 8000;
/// Nothing has arrived for so long: nothing will.
const QUIET: Duration = Duration::from_millis(300);

struct Figures {
    published: u64,
    delivered: u64,
    lost: u64,
    took: Duration,
    cpu: Duration,
    grown: u64,
    /// Events were still arriving when the time was over.
    was_cut_off: bool,
}

impl Figures {
    fn per_cpu_second(&self) -> f64 {
        self.delivered as f64 / 1e6 / self.cpu.as_secs_f64()
    }
}

pub(super) fn run(options: &Options, peers: &[&Peer], failures: &mut Failures) {
    let lasts = Duration::from_millis(if options.quick { 500 } else { 1000 });
    let rounds = options.rounds.min(3);
    let mut all: Vec<(&Peer, Vec<Figures>)> = peers.iter().map(|peer| (*peer, Vec::new())).collect();
    for round in 1..=rounds {
        for (peer, figures) in &mut all {
            // One that has failed or cannot keep up at all would only take time.
            if round > 1 && figures.last().is_none_or(|last| last.was_cut_off) {
                continue;
            }
            eprintln!("  round {round}, {}", peer.name);
            figures.extend(failures.note(peer, measure(peer, lasts)));
        }
    }

    println!(
        "\n### Overload: {RATE} events/s of {BYTES} B to {SUBSCRIBERS} subscribers for {} s, median of {rounds}\n",
        lasts.as_secs_f64()
    );
    let mut table = Table::new([
        "",
        "published",
        "deliveries",
        "lost",
        "wall s",
        "CPU s",
        "memory grown by",
        "million deliveries per CPU s",
        "times axum's",
    ]);
    let median_of = |figures: &[Figures], of: fn(&Figures) -> f64| median(figures.iter().map(of));
    let axum = all
        .iter()
        .find(|(peer, _)| peer.name == "axum")
        .and_then(|(_, figures)| median_of(figures, Figures::per_cpu_second));
    for (peer, figures) in &all {
        let cell = |of: fn(&Figures) -> f64| figure_or_dash(median_of(figures, of));
        let lost = median_of(figures, |f| f.lost as f64 / (f.lost + f.delivered) as f64).unwrap_or(f64::NAN);
        let rate = median_of(figures, Figures::per_cpu_second);
        table.row([
            peer.name.to_owned(),
            median_of(figures, |f| f.published as f64)
                .map_or_else(|| "-".to_owned(), |events| format!("{events:.0}")),
            format!("{} million", cell(|f| f.delivered as f64 / 1e6)),
            if lost.is_nan() { "-".to_owned() } else { format!("{} %", figure(lost * 100.0)) },
            cell(|f| f.took.as_secs_f64()),
            cell(|f| f.cpu.as_secs_f64()),
            format!("{} MB", cell(|f| f.grown as f64 / 1e6)),
            figure_or_dash(rate),
            figure_or_dash(rate.zip(axum).map(|(rate, axum)| rate / axum)),
        ]);
        if figures.iter().any(|figures| figures.was_cut_off) {
            failures
                .add(peer, "stopped while events were still arriving; what had not arrived counts as lost");
        }
    }
    print!("{table}");
}

fn measure(peer: &Peer, lasts: Duration) -> io::Result<Figures> {
    let mut process = peer.start(&SETUP)?;
    let mut swarm = Swarm::connect(process.address, SUBSCRIBERS)?;
    let command = Command::Paced { bytes: BYTES, rate: RATE, lasts };
    let (cpu_before, memory_before) = (cpu(process.pid())?, memory(process.pid())?);
    let begun = Instant::now();
    process.publish(command)?;

    let mut published = None;
    let mut last = (0, begun);
    // A publisher that did not let anything else run says that it is done before the first event leaves.
    let mut done = begun;
    let came_to_rest = swarm.read_until(begun + lasts * 3, |totals| {
        if published.is_none() {
            published = process.published();
            done = Instant::now();
        }
        if totals.events != last.0 {
            last = (totals.events, Instant::now());
        }
        let expected = published.map(|events: u64| events * SUBSCRIBERS as u64);
        expected.is_some_and(|expected| totals.events >= expected || last.1.max(done).elapsed() > QUIET)
    })?;
    let used = cpu(process.pid())?.saturating_sub(cpu_before);
    let grown = memory(process.pid())?.saturating_sub(memory_before);
    // A publisher that has not even come to its end has published at least what has arrived.
    let delivered = swarm.totals().events;
    let offered = command.events() * SUBSCRIBERS as u64;
    Ok(Figures {
        published: published.unwrap_or(delivered / SUBSCRIBERS as u64),
        delivered,
        lost: offered.saturating_sub(delivered),
        took: last.1.duration_since(begun),
        cpu: used,
        grown,
        was_cut_off: !came_to_rest,
    })
}
