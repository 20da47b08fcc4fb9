//! What it costs a server to send one event to many subscribers, with other servers beside it in the same run.
//!
//! ```text
//! cargo bench -p sse-benches --bench fanout                       everything, some five minutes
//! cargo bench -p sse-benches --bench fanout -- --quick            less of it, below a minute
//! cargo bench -p sse-benches --bench fanout -- axum floor idle    these servers, this scenario
//! cargo bench -p sse-benches --bench fanout -- counts             exact counts instead of times
//! cargo bench -p sse-benches --bench fanout -- counts --check     and fail if a limit is exceeded
//! ```
//!
//! Every server is a process of its own. The publisher sits inside it and is told over a pipe what to publish; this
//! process holds the subscribers' sockets and counts what arrives. Servers that are not part of this package are
//! measured when `benches/peers/install` has installed them.

mod client;
mod control;
mod counts;
mod limits;
mod measure;
mod nchan;
mod options;
mod payload;
mod process;
mod scenarios;
mod servers;
mod table;

use std::io;
use std::process::ExitCode;

use options::{Mode, Options};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Options::parse(&arguments).and_then(|options| run(&options)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fanout: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<ExitCode> {
    match &options.mode {
        Mode::Serve(name, setup) => servers::run(name, setup).map(|()| ExitCode::SUCCESS),
        Mode::Counts { check } => counts::run(options, *check),
        Mode::Measure => scenarios::run(options).map(|()| ExitCode::SUCCESS),
    }
}
