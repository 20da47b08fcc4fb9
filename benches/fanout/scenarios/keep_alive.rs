//! What pinging streams costs on which nothing happens.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::{Failures, SETTLE, SETUP};
use crate::client::Swarm;
use crate::measure::cpu;
use crate::options::Options;
use crate::process::Peer;
use crate::servers::Setup;
use crate::table::{Table, figure_or_dash};

const SUBSCRIBERS: u64 = 1000;
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(options: &Options, peers: &[&Peer], failures: &mut Failures) {
    let pings = if options.quick { 1 } else { 2 };
    let measured: Vec<(&Peer, Option<f64>)> = peers
        .iter()
        .map(|peer| {
            eprintln!("  {}", peer.name);
            (*peer, failures.note(peer, measure(peer, pings)))
        })
        .collect();
    println!(
        "\n### Keep-alive: server CPU per ping of {SUBSCRIBERS} idle streams, each pinged every {} s\n",
        INTERVAL.as_secs()
    );
    let axum = measured.iter().find(|(peer, _)| peer.name == "axum").and_then(|(_, micros)| *micros);
    let mut table = Table::new(["", "us per ping", "times axum's"]);
    for (peer, micros) in &measured {
        let times = micros.zip(axum).map(|(micros, axum)| micros / axum);
        table.row([peer.name.to_owned(), figure_or_dash(*micros), figure_or_dash(times)]);
    }
    print!("{table}");
}

fn measure(peer: &Peer, pings: u64) -> io::Result<f64> {
    let process = peer.start(&Setup { keep_alive: INTERVAL, ..SETUP })?;
    let mut swarm = Swarm::connect(process.address, usize::try_from(SUBSCRIBERS).map_err(io::Error::other)?)?;
    // The streams' clocks began at different times, so a window of whole intervals holds as many pings of each.
    let first = Instant::now() + INTERVAL / 2;
    swarm.read_until(first, |_| false)?;
    let (cpu_before, pings_before) = (cpu(process.pid())?, swarm.totals().pings);
    let interval = u32::try_from(pings).map_err(io::Error::other)? * INTERVAL;
    swarm.read_until(first + interval, |_| false)?;
    thread::sleep(SETTLE);
    let (used, came) = (cpu(process.pid())?.saturating_sub(cpu_before), swarm.totals().pings - pings_before);
    if came < SUBSCRIBERS * pings * 8 / 10 || came > SUBSCRIBERS * pings * 12 / 10 {
        return Err(io::Error::other(format!("{came} pings came instead of {}", SUBSCRIBERS * pings)));
    }
    Ok(used.as_secs_f64() * 1e6 / came as f64)
}
