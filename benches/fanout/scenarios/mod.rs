//! What is measured, each with a table of its own.

mod fan_out;
mod idle;
mod keep_alive;
mod overload;

use std::io;
use std::time::Duration;

use crate::measure;
use crate::options::{KEEP_ALIVE, Options};
use crate::process::{PEERS, Peer};
use crate::servers::Setup;

pub(crate) const SCENARIOS: &[&str] = &["fan-out", "overload", "idle", "keep-alive"];

/// How long a server that has done its work gets to put its last things away before its clock is read.
const SETTLE: Duration = Duration::from_millis(10);

const SETUP: Setup = Setup { keep_alive: KEEP_ALIVE, current_thread: false };

pub(crate) fn run(options: &Options) -> io::Result<()> {
    measure::raise_open_files();
    let mut peers = Vec::new();
    for peer in PEERS.iter().filter(|peer| options.wants_server(peer.name)) {
        match peer.is_absent() {
            Some(why) => println!("{} is not measured: {why}", peer.name),
            None => peers.push(peer),
        }
    }
    // A server that is there for one scenario stays out of the others, unless it was asked for.
    let usual: Vec<&Peer> =
        peers.iter().copied().filter(|peer| !peer.only_idle || options.names_server(peer.name)).collect();
    // Pings take their time, whoever is in a hurry.
    let is_wanted = |scenario: &str| {
        options.wants_scenario(scenario)
            && (scenario != "keep-alive" || !options.quick || options.names_scenario(scenario))
    };
    for scenario in SCENARIOS.iter().filter(|scenario| is_wanted(scenario)) {
        eprintln!("{scenario} ...");
        let mut failures = Failures::default();
        match *scenario {
            "fan-out" => fan_out::run(options, &usual, &mut failures),
            "overload" => overload::run(options, &usual, &mut failures),
            "idle" => idle::run(options, &peers, &mut failures),
            _ => keep_alive::run(options, &usual, &mut failures),
        }
        failures.print();
    }
    Ok(())
}

/// What did not work, told below the table.
#[derive(Debug, Default)]
struct Failures(Vec<(&'static str, String)>);

impl Failures {
    fn add(&mut self, peer: &Peer, what: impl Into<String>) {
        self.0.push((peer.name, what.into()));
    }

    /// What it says, or nothing and a note if it failed.
    fn note<T>(&mut self, peer: &Peer, measured: io::Result<T>) -> Option<T> {
        measured.map_err(|error| self.add(peer, error.to_string())).ok()
    }

    fn print(&self) {
        for (peer, what) in &self.0 {
            println!("{peer}: {what}");
        }
        println!();
    }
}
