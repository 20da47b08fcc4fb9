//! The command line.

use std::io;
use std::time::Duration;

use crate::process::PEERS;
use crate::scenarios::SCENARIOS;
use crate::servers::Setup;

/// How often a server pings a stream on which nothing happens, unless a scenario wants otherwise.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) enum Mode {
    /// Be one of the servers.
    Serve(String, Setup),
    /// Count instructions, allocations and system calls.
    Counts { check: bool },
    /// Measure CPU time and memory.
    Measure,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) quick: bool,
    /// How often the servers take turns.
    pub(crate) rounds: usize,
    servers: Vec<&'static str>,
    scenarios: Vec<&'static str>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> io::Result<Self> {
        let mut options =
            Self { mode: Mode::Measure, quick: false, rounds: 0, servers: Vec::new(), scenarios: Vec::new() };
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                // `cargo bench` passes this one.
                "--bench" => {}
                "serve" => {
                    let name = arguments.next().unwrap_or_default().to_owned();
                    options.mode = Mode::Serve(name, Setup::parse(arguments)?);
                    break;
                }
                "counts" => options.mode = Mode::Counts { check: false },
                "--check" => match &mut options.mode {
                    Mode::Counts { check } => *check = true,
                    _ => return Err(io::Error::other("`--check` comes after `counts`")),
                },
                "--quick" => options.quick = true,
                "--rounds" => {
                    options.rounds = arguments
                        .next()
                        .and_then(|rounds| rounds.parse().ok())
                        .ok_or_else(|| io::Error::other("`--rounds` needs a number"))?;
                }
                name => options.filter(name)?,
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 1 } else { 3 };
        }
        Ok(options)
    }

    fn filter(&mut self, name: &str) -> io::Result<()> {
        if let Some(peer) = PEERS.iter().find(|peer| peer.name == name) {
            self.servers.push(peer.name);
        } else if let Some(scenario) = SCENARIOS.iter().find(|scenario| **scenario == name) {
            self.scenarios.push(scenario);
        } else {
            let servers: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
            return Err(io::Error::other(format!(
                "`{name}` is neither an option (counts, --check, --quick, --rounds N), nor a server ({}), nor a \
                 scenario ({})",
                servers.join(", "),
                SCENARIOS.join(", "),
            )));
        }
        Ok(())
    }

    /// Whether this server was named, or none was.
    pub(crate) fn wants_server(&self, name: &str) -> bool {
        !self.names_any_server() || self.names_server(name)
    }

    pub(crate) fn names_any_server(&self) -> bool {
        !self.servers.is_empty()
    }

    pub(crate) fn names_server(&self, name: &str) -> bool {
        self.servers.contains(&name)
    }

    /// Whether this scenario was named, or none was.
    pub(crate) fn wants_scenario(&self, name: &str) -> bool {
        self.scenarios.is_empty() || self.names_scenario(name)
    }

    pub(crate) fn names_scenario(&self, name: &str) -> bool {
        self.scenarios.contains(&name)
    }
}
