//! CPU time of the server per delivery, that is, per event and subscriber.

use std::collections::HashMap;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::{Failures, SETTLE, SETUP};
use crate::client::Swarm;
use crate::control::Command;
use crate::measure::{cpu, median};
use crate::options::Options;
use crate::process::{Peer, Process};
use crate::table::{Table, figure_or_dash};

const SUBSCRIBERS: [usize; 4] = [1, 100, 1000, 10_000];
const QUICK_SUBSCRIBERS: [usize; 2] = [1, 1000];
const BYTES: [usize; 2] = [100, 1024];
const QUICK_BYTES: [usize; 1] = [100];
const BURSTS: [u64; 2] = [1, 16];
/// Until everything that was published must have arrived.
const LIMIT: Duration = Duration::from_secs(10);
/// A foreign server that needs so long for one round has no other: it is there for the order of magnitude.
const LONG: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    subscribers: usize,
    bytes: usize,
    burst: u64,
}

type Figures = HashMap<(Cell, &'static str), Vec<f64>>;

pub(super) fn run(options: &Options, peers: &[&Peer], failures: &mut Failures) {
    let subscribers: &[usize] = if options.quick { &QUICK_SUBSCRIBERS } else { &SUBSCRIBERS };
    let bytes: &[usize] = if options.quick { &QUICK_BYTES } else { &BYTES };
    let budget = Duration::from_millis(if options.quick { 80 } else { 150 });
    let mut figures = Figures::new();
    for &subscribers in subscribers {
        let mut done = Vec::new();
        for round in 1..=options.rounds {
            for peer in peers {
                if done.contains(&peer.name) {
                    continue;
                }
                eprintln!("  {subscribers} subscribers, round {round}, {}", peer.name);
                let begun = Instant::now();
                if let Err(error) = measure_peer(peer, subscribers, bytes, budget, &mut figures) {
                    failures.add(peer, format!("failed with {subscribers} subscribers: {error}"));
                    done.push(peer.name);
                } else if !peer.is_own() && begun.elapsed() > LONG && round < options.rounds {
                    failures.add(
                        peer,
                        format!(
                            "measured but {round} times with {subscribers} subscribers, since it takes long"
                        ),
                    );
                    done.push(peer.name);
                }
            }
        }
    }
    print(options, subscribers, bytes, peers, &figures);
}

fn measure_peer(
    peer: &Peer,
    subscribers: usize,
    bytes: &[usize],
    budget: Duration,
    figures: &mut Figures,
) -> io::Result<()> {
    let mut process = peer.start(&SETUP)?;
    let mut swarm = Swarm::connect(process.address, subscribers)?;
    for &bytes in bytes {
        for burst in BURSTS {
            let cell = Cell { subscribers, bytes, burst };
            let per_delivery = measure_cell(&mut process, &mut swarm, cell, budget)?;
            figures.entry((cell, peer.name)).or_default().push(per_delivery);
        }
    }
    Ok(())
}

/// Microseconds of CPU per delivery.
fn measure_cell(process: &mut Process, swarm: &mut Swarm, cell: Cell, budget: Duration) -> io::Result<f64> {
    // How long a burst takes to reach everybody says how long to pause, so that each travels alone; the first ones
    // also warm the server up. One that takes long needs less warming up, and at last is figure enough.
    let mut slowest = Duration::ZERO;
    for _ in 0..2 {
        let begun = Instant::now();
        let per_delivery = measure_bursts(process, swarm, cell, Duration::ZERO, 1)?;
        slowest = slowest.max(begun.elapsed());
        if slowest > budget * 3 {
            return Ok(per_delivery);
        }
        if slowest > budget / 2 {
            break;
        }
    }
    let pause = (slowest * 3 / 2).max(Duration::from_millis(2));
    let count = u64::try_from(budget.as_micros() / pause.as_micros()).unwrap_or(0);
    measure_bursts(process, swarm, cell, pause, count.max(1))
}

fn measure_bursts(
    process: &mut Process,
    swarm: &mut Swarm,
    cell: Cell,
    pause: Duration,
    count: u64,
) -> io::Result<f64> {
    let before = cpu(process.pid())?;
    deliver(process, swarm, cell, pause, count)?;
    thread::sleep(SETTLE);
    let used = cpu(process.pid())?.saturating_sub(before);
    Ok(used.as_secs_f64() * 1e6 / (count * cell.burst) as f64 / cell.subscribers as f64)
}

/// Publishes so many bursts and waits until every subscriber has all of them.
fn deliver(
    process: &mut Process,
    swarm: &mut Swarm,
    cell: Cell,
    pause: Duration,
    count: u64,
) -> io::Result<()> {
    let before = (swarm.totals().events, swarm.fewest());
    process.publish(Command::Bursts { bytes: cell.bytes, burst: cell.burst, pause, count })?;
    let events = count * cell.burst;
    let expected = before.0 + events * cell.subscribers as u64;
    let deadline = Instant::now() + LIMIT;
    let mut published = None;
    swarm.read_until(deadline, |totals| {
        published = published.or_else(|| process.published());
        published.is_some() && totals.events >= expected
    })?;
    let missing = expected.saturating_sub(swarm.totals().events);
    if published != Some(events) || missing > 0 || swarm.fewest() != before.1 + events {
        let Cell { bytes, burst, .. } = cell;
        return Err(io::Error::other(format!(
            "{missing} deliveries of {events} events ({bytes} B, bursts of {burst}) did not arrive"
        )));
    }
    Ok(())
}

fn print(options: &Options, subscribers: &[usize], bytes: &[usize], peers: &[&Peer], figures: &Figures) {
    let per_delivery =
        |cell: Cell, peer: &'static str| median(figures.get(&(cell, peer)).into_iter().flatten().copied());
    let print = |what: &str, value: &dyn Fn(Cell, &'static str) -> Option<f64>| {
        println!("\n### Fan-out: {what}\n");
        let head = ["subscribers", "bytes", "events"].into_iter().chain(peers.iter().map(|peer| peer.name));
        let mut table = Table::new(head);
        for &subscribers in subscribers {
            for burst in BURSTS {
                for &bytes in bytes {
                    let cell = Cell { subscribers, bytes, burst };
                    let events = if burst == 1 { "single".to_owned() } else { format!("bursts of {burst}") };
                    let mut row = vec![subscribers.to_string(), bytes.to_string(), events];
                    row.extend(peers.iter().map(|peer| figure_or_dash(value(cell, peer.name))));
                    table.row(row);
                }
            }
        }
        print!("{table}");
    };
    let rounds = options.rounds;
    print(&format!("server CPU per delivery in us, median of {rounds}"), &per_delivery);
    for other in ["floor", "axum"] {
        if peers.iter().any(|peer| peer.name == other) {
            print(&format!("times the CPU of `{other}`"), &|cell, peer| {
                Some(per_delivery(cell, peer)? / per_delivery(cell, other)?)
            });
        }
    }
}
