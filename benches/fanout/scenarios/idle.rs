//! What a stream costs in memory on which nothing happens.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::{Failures, SETUP};
use crate::client::Swarm;
use crate::control::Command;
use crate::measure::memory;
use crate::options::Options;
use crate::process::Peer;
use crate::table::{Table, figure};

const SUBSCRIBERS: usize = 10_000;
const QUICK_SUBSCRIBERS: usize = 1000;

pub(super) fn run(options: &Options, peers: &[&Peer], failures: &mut Failures) {
    let subscribers = if options.quick { QUICK_SUBSCRIBERS } else { SUBSCRIBERS };
    let mut table = Table::new(["", "before any event", "after one event of 100 B"]);
    for peer in peers {
        eprintln!("  {}", peer.name);
        let measured = failures.note(peer, measure(peer, subscribers));
        let kib = |bytes: f64| format!("{} KiB", figure(bytes / 1024.0));
        let cells = measured.map(|(before, after)| [kib(before), kib(after)]);
        let [before, after] = cells.unwrap_or_else(|| ["failed".to_owned(), "failed".to_owned()]);
        table.row([peer.name.to_owned(), before, after]);
    }
    println!(
        "\n### Idle: memory of the server per stream (growth of its resident set by {subscribers} streams)\n"
    );
    print!("{table}");
}

fn measure(peer: &Peer, subscribers: usize) -> io::Result<(f64, f64)> {
    let mut process = peer.start(&SETUP)?;
    // What the first connection makes once for all is none of a stream's own.
    drop(Swarm::connect(process.address, 1)?);
    let rest = Duration::from_millis(300);
    thread::sleep(rest);
    let empty = memory(process.pid())?;
    let mut swarm = Swarm::connect(process.address, subscribers)?;
    thread::sleep(rest);
    let connected = memory(process.pid())?;
    process.publish(Command::Bursts { bytes: 100, burst: 1, pause: Duration::ZERO, count: 1 })?;
    if !swarm
        .read_until(Instant::now() + Duration::from_secs(10), |totals| totals.events >= subscribers as u64)?
    {
        return Err(io::Error::other("an event did not reach everybody"));
    }
    thread::sleep(rest);
    let after = memory(process.pid())?;
    let each = |memory: u64| memory.saturating_sub(empty) as f64 / subscribers as f64;
    Ok((each(connected), each(after)))
}
