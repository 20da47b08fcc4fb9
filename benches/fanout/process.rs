//! The servers' processes: how each is started, told what to publish, and ended.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::control;
use crate::nchan;
use crate::servers::Setup;

/// Python needs a while.
const START_LIMIT: Duration = Duration::from_secs(20);
const END_LIMIT: Duration = Duration::from_secs(3);

/// A server that can be measured.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    kind: Kind,
    /// Measured in the `idle` scenario alone, because elsewhere it hardly differs from its sibling.
    pub(crate) only_idle: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Part of this program.
    Own,
    /// `benches/peers/node`.
    Node,
    /// `benches/peers/python`.
    Python,
    /// nginx, to which events are posted.
    Nchan,
}

const fn peer(name: &'static str, kind: Kind) -> Peer {
    Peer { name, kind, only_idle: false }
}

/// In the order of the tables' columns.
pub(crate) const PEERS: &[Peer] = &[
    peer("ours", Kind::Own),
    Peer { name: "ours-axum", kind: Kind::Own, only_idle: true },
    peer("floor", Kind::Own),
    peer("hyper", Kind::Own),
    peer("axum", Kind::Own),
    peer("nchan", Kind::Nchan),
    peer("better-sse", Kind::Node),
    peer("sse-starlette", Kind::Python),
    peer("fastapi", Kind::Python),
];

/// Where the servers of other languages are.
fn peers() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))
}

fn python() -> PathBuf {
    peers().join("python/.venv/bin/python")
}

impl Peer {
    /// Why it cannot be measured, if it cannot.
    pub(crate) fn is_absent(&self) -> Option<String> {
        let is_there = match self.kind {
            Kind::Own => true,
            Kind::Node => peers().join("node/node_modules/better-sse").exists(),
            Kind::Python => python().exists(),
            Kind::Nchan => nchan::is_there(),
        };
        (!is_there).then(|| "it is not installed, which benches/peers/install would do".to_owned())
    }

    /// Part of this program.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.kind, Kind::Own)
    }

    pub(crate) fn start(&self, setup: &Setup) -> io::Result<Process> {
        let script = |path: &str| peers().join(path).to_string_lossy().into_owned();
        let keep_alive = setup.keep_alive.as_secs().to_string();
        match self.kind {
            Kind::Own => self.start_under(&[], setup),
            Kind::Node => {
                let line = ["node".to_owned(), script("node/better_sse.mjs"), keep_alive];
                Process::start_piped(self.name, &line)
            }
            Kind::Python => {
                let python = python().to_string_lossy().into_owned();
                let line = [python, script("python/server.py"), self.name.to_owned(), keep_alive];
                Process::start_piped(self.name, &line)
            }
            Kind::Nchan => Process::start_nchan(self.name, setup),
        }
    }

    /// Starts it under another program, such as `valgrind`. Of use with servers of this program alone.
    pub(crate) fn start_under(&self, program: &[String], setup: &Setup) -> io::Result<Process> {
        let mut line = program.to_vec();
        line.push(std::env::current_exe()?.to_string_lossy().into_owned());
        line.extend(["serve".to_owned(), self.name.to_owned()]);
        line.extend(setup.arguments());
        Process::start_piped(self.name, &line)
    }
}

/// Where commands go.
#[derive(Debug)]
enum Publisher {
    /// Inside of the server, at the other end of its standard input.
    Pipe(Option<ChildStdin>),
    /// A thread here, which posts the events.
    Thread(Option<mpsc::Sender<control::Command>>),
}

/// A server's process, ended when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    publisher: Publisher,
    /// What it answers, line by line.
    answers: Receiver<String>,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Process {
    /// A server that says on its standard output where it listens and takes commands on its standard input.
    fn start_piped(name: &str, line: &[String]) -> io::Result<Self> {
        let (program, arguments) = line.split_first().ok_or_else(|| io::Error::other("no program"))?;
        let log = log_of(name);
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()?;
        let publisher = Publisher::Pipe(child.stdin.take());
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let (answered, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if answered.send(line).is_err() {
                    return;
                }
            }
        });
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { child, publisher, answers, address: unknown, log };
        process.address = match process.answers.recv_timeout(START_LIMIT) {
            Ok(line) => line.parse().map_err(|_| io::Error::other(format!("said `{line}`")))?,
            Err(RecvTimeoutError::Timeout) => return Err(io::Error::other("did not start in time")),
            Err(RecvTimeoutError::Disconnected) => return Err(process.error("did not start")),
        };
        Ok(process)
    }

    fn start_nchan(name: &str, setup: &Setup) -> io::Result<Self> {
        let log = log_of(name);
        let (child, address) = nchan::start(setup, &log)?;
        let (commanded, commands) = mpsc::channel();
        let (answered, answers) = mpsc::channel();
        thread::spawn(move || {
            for command in commands {
                // The receiver is gone when the process is.
                let _ = match nchan::publish(address, command) {
                    Ok(published) => answered.send(format!("published {published}")),
                    Err(error) => answered.send(error.to_string()),
                };
            }
        });
        let process = Self { child, publisher: Publisher::Thread(Some(commanded)), answers, address, log };
        let deadline = Instant::now() + START_LIMIT;
        while std::net::TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err(process.error("did not start"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(process)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has it publish. `published` says when that is done.
    pub(crate) fn publish(&mut self, command: control::Command) -> io::Result<()> {
        let gone = || io::Error::other("the publisher has ended");
        match &mut self.publisher {
            Publisher::Pipe(input) => writeln!(input.as_mut().ok_or_else(gone)?, "{command}"),
            Publisher::Thread(sender) => sender.as_ref().ok_or_else(gone)?.send(command).map_err(|_| gone()),
        }
    }

    /// How many events the last command has published, once it is done.
    pub(crate) fn published(&self) -> Option<u64> {
        self.answers.try_recv().ok()?.strip_prefix("published ")?.parse().ok()
    }

    /// What went wrong, with the last that the server had to say.
    fn error(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("and said nothing");
        io::Error::other(format!("{what}: {last}"))
    }

    /// Lets it end by itself, when its input has ended. True if it did so in time.
    pub(crate) fn end(&mut self, limit: Duration) -> bool {
        match &mut self.publisher {
            Publisher::Pipe(input) => *input = None,
            Publisher::Thread(sender) => {
                *sender = None;
                nchan::terminate(self.child.id());
            }
        }
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.end(END_LIMIT) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        drop(fs::remove_file(&self.log));
        if let Publisher::Thread(_) = self.publisher {
            nchan::clear();
        }
    }
}

/// Where a server's standard error goes.
fn log_of(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("fanout-{}-{name}.log", std::process::id()))
}
