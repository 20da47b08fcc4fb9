//! Instructions, allocations and system calls per delivery. They repeat where times do not, so that limits can be set.
//!
//! A server runs on one thread under valgrind's callgrind, and again under strace, each twice, with fewer and with more
//! events. What the second run has more is what the additional deliveries cost; starting, connecting and ending are in
//! both.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Swarm;
use crate::control;
use crate::limits::{AtMost, Count, LIMITS};
use crate::measure;
use crate::options::{KEEP_ALIVE, Options};
use crate::process::{PEERS, Peer};
use crate::servers::Setup;
use crate::table::{Table, figure};

const SUBSCRIBERS: usize = 100;
const BYTES: usize = 100;
const BURSTS: [u64; 2] = [1, 16];
/// How often something is published: the fewer and the more.
const FEWER: u64 = 5;
const MORE: u64 = 25;
/// Long enough for a burst to reach everybody at the speed of valgrind.
const PAUSE: Duration = Duration::from_millis(120);
const LIMIT: Duration = Duration::from_secs(60);

/// Per delivery.
#[derive(Clone, Copy, Debug)]
struct Counts {
    instructions: f64,
    allocations: f64,
    syscalls: f64,
}

impl Counts {
    fn of(&self, count: Count) -> f64 {
        match count {
            Count::Instructions => self.instructions,
            Count::Allocations => self.allocations,
            Count::Syscalls => self.syscalls,
        }
    }
}

struct Row {
    peer: &'static str,
    burst: u64,
    counts: Counts,
}

pub(crate) fn run(options: &Options, check: bool) -> io::Result<ExitCode> {
    for program in ["valgrind", "strace"] {
        let there =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_err() {
            return Err(io::Error::other(format!("counting needs `{program}`, which is not installed")));
        }
    }
    measure::raise_open_files();
    // Servers that are not ours are for instructions beside axum's, on demand.
    let wanted = |name| {
        if options.names_any_server() { options.names_server(name) } else { ["ours", "axum"].contains(&name) }
    };
    let mut rows = Vec::new();
    for peer in PEERS.iter().filter(|peer| peer.is_own() && wanted(peer.name)) {
        for burst in BURSTS {
            eprintln!("  {}, bursts of {burst}", peer.name);
            rows.push(Row { peer: peer.name, burst, counts: count(peer, burst)? });
        }
    }
    print(&rows);
    if !check {
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if keeps_limits(&rows)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(peer: &Peer, burst: u64) -> io::Result<Counts> {
    let deliveries = ((MORE - FEWER) * burst) as f64 * SUBSCRIBERS as f64;
    // The two runs of a tool go side by side: neither counts the other.
    let both = |tool: fn(&Path) -> Vec<String>| {
        thread::scope(|scope| {
            let fewer = scope.spawn(|| run_under(peer, tool, burst, FEWER));
            let more = run_under(peer, tool, burst, MORE)?;
            let fewer = fewer.join().map_err(|_| io::Error::other("a run panicked"))??;
            Ok::<_, io::Error>((fewer, more))
        })
    };
    let (fewer, more) = both(callgrind)?;
    let each = |fewer: u64, more: u64| (more as f64 - fewer as f64) / deliveries;
    let instructions = each(instructions(&fewer)?, instructions(&more)?);
    let allocations = each(allocations(&fewer), allocations(&more));
    let (fewer, more) = both(strace)?;
    Ok(Counts { instructions, allocations, syscalls: each(syscalls(&fewer)?, syscalls(&more)?) })
}

fn callgrind(output: &Path) -> Vec<String> {
    let output = format!("--callgrind-out-file={}", output.display());
    ["valgrind", "--quiet", "--tool=callgrind", "--compress-strings=no", &output].map(str::to_owned).to_vec()
}

fn strace(output: &Path) -> Vec<String> {
    let output = output.display().to_string();
    ["strace", "-f", "-c", "-o", &output].map(str::to_owned).to_vec()
}

/// Runs the server under the tool, and returns what the tool wrote.
fn run_under(peer: &Peer, tool: fn(&Path) -> Vec<String>, burst: u64, count: u64) -> io::Result<String> {
    let name = format!("fanout-{}-{}-{burst}-{count}.counts", std::process::id(), peer.name);
    let output = TemporaryFile(std::env::temp_dir().join(name));
    let setup = Setup { keep_alive: KEEP_ALIVE, current_thread: true };
    let mut process = peer.start_under(&tool(&output.0), &setup)?;
    let mut swarm = Swarm::connect(process.address, SUBSCRIBERS)?;
    process.publish(control::Command::Bursts { bytes: BYTES, burst, pause: PAUSE, count })?;
    let expected = burst * count * SUBSCRIBERS as u64;
    if !swarm.read_until(Instant::now() + LIMIT, |totals| totals.events >= expected)? {
        return Err(io::Error::other(format!("not every event of {} arrived", peer.name)));
    }
    if !process.end(LIMIT) {
        return Err(io::Error::other(format!("{} did not end", peer.name)));
    }
    fs::read_to_string(&output.0)
}

struct TemporaryFile(PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// The `summary` line of callgrind's output.
fn instructions(profile: &str) -> io::Result<u64> {
    let summary = profile.lines().find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok());
    summary.ok_or_else(|| io::Error::other("callgrind has written no summary"))
}

/// How often callgrind saw the C library's allocating functions called from outside of them. `cfn=` names the function
/// that is called, and the line after it how often.
fn allocations(profile: &str) -> u64 {
    const ALLOCATING: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];
    let (mut caller_allocates, mut allocates, mut sum) = (false, false, 0);
    for line in profile.lines() {
        if let Some(caller) = line.strip_prefix("fn=") {
            caller_allocates = ALLOCATING.contains(&caller);
        } else if let Some(called) = line.strip_prefix("cfn=") {
            allocates = ALLOCATING.contains(&called) && !caller_allocates;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let calls = calls.split(' ').next().and_then(|calls| calls.parse::<u64>().ok());
            sum += if allocates { calls.unwrap_or(0) } else { 0 };
        }
    }
    sum
}

/// The last line of strace's table: share, seconds, microseconds per call, calls, errors, `total`.
fn syscalls(table: &str) -> io::Result<u64> {
    let total = table.lines().find(|line| line.ends_with(" total"));
    let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    calls.ok_or_else(|| io::Error::other("strace has written no total"))
}

fn print(rows: &[Row]) {
    println!("\n### Counts per delivery: {SUBSCRIBERS} subscribers, {BYTES} B, one thread\n");
    let mut table = Table::new([
        "",
        "events",
        "instructions",
        "allocations",
        "system calls",
        "instructions, times axum's",
    ]);
    for Row { peer, burst, counts } in rows {
        let events = if *burst == 1 { "single".to_owned() } else { format!("bursts of {burst}") };
        let axum = find(rows, "axum", *burst).map(|axum| counts.instructions / axum.instructions);
        table.row([
            (*peer).to_owned(),
            events,
            figure(counts.instructions),
            figure(counts.allocations),
            figure(counts.syscalls),
            axum.map_or_else(|| "-".to_owned(), figure),
        ]);
    }
    println!("{table}");
}

fn find(rows: &[Row], peer: &str, burst: u64) -> Option<Counts> {
    rows.iter().find(|row| row.peer == peer && row.burst == burst).map(|row| row.counts)
}

/// True if every limit is kept. Says of each whether it is.
fn keeps_limits(rows: &[Row]) -> io::Result<bool> {
    let counts = |peer: &str, burst| {
        find(rows, peer, burst)
            .ok_or_else(|| io::Error::other(format!("nothing to check: `{peer}` was not counted")))
    };
    let mut all_kept = true;
    for limit in LIMITS {
        let ours = counts("ours", limit.burst)?.of(limit.count);
        let (value, most, unit) = match limit.at_most {
            AtMost::Each(most) => (ours, most, "per delivery"),
            AtMost::OfAxums(most) => (ours / counts("axum", limit.burst)?.of(limit.count), most, "of axum's"),
        };
        let kept = value <= most;
        all_kept &= kept;
        let verdict = if kept { "kept    " } else { "EXCEEDED" };
        println!(
            "{verdict} {:?}, bursts of {}: {value:.4} {unit}, at most {most:.4}",
            limit.count, limit.burst
        );
    }
    Ok(all_kept)
}
