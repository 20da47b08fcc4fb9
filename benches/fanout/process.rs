//! The servers' processes: how each is started, told what to publish, and ended.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::control;
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
}

const fn peer(name: &'static str, kind: Kind) -> Peer {
    Peer { name, kind, only_idle: false }
}

/// In the order of the tables' columns.
pub(crate) const PEERS: &[Peer] =
    &[peer("floor", Kind::Own), peer("hyper", Kind::Own), peer("axum", Kind::Own)];

impl Peer {
    /// Why it cannot be measured, if it cannot.
    pub(crate) fn is_absent(&self) -> Option<String> {
        match self.kind {
            Kind::Own => None,
        }
    }

    /// Part of this program.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.kind, Kind::Own)
    }

    pub(crate) fn start(&self, setup: &Setup) -> io::Result<Process> {
        self.start_under(&[], setup)
    }

    /// Starts it under another program, such as `valgrind`.
    pub(crate) fn start_under(&self, program: &[String], setup: &Setup) -> io::Result<Process> {
        match self.kind {
            Kind::Own => {
                let mut line = program.to_vec();
                line.push(std::env::current_exe()?.to_string_lossy().into_owned());
                line.extend(["serve".to_owned(), self.name.to_owned()]);
                line.extend(setup.arguments());
                Process::start_piped(self.name, &line)
            }
        }
    }
}

/// A server's process, ended when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    /// What it answers, line by line.
    answers: Receiver<String>,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Process {
    /// A server that says on its standard output where it listens and takes commands on its standard input.
    fn start_piped(name: &str, line: &[String]) -> io::Result<Self> {
        let (program, arguments) = line.split_first().ok_or_else(|| io::Error::other("no program"))?;
        let log = std::env::temp_dir().join(format!("fanout-{}-{name}.log", std::process::id()));
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()?;
        let input = child.stdin.take();
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
        let mut process = Self { child, input, answers, address: unknown, log };
        process.address = match process.answers.recv_timeout(START_LIMIT) {
            Ok(line) => line.parse().map_err(|_| io::Error::other(format!("said `{line}`")))?,
            Err(RecvTimeoutError::Timeout) => return Err(io::Error::other("did not start in time")),
            Err(RecvTimeoutError::Disconnected) => return Err(process.error("did not start")),
        };
        Ok(process)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has it publish. `published` says when that is done.
    pub(crate) fn publish(&mut self, command: control::Command) -> io::Result<()> {
        let input = self.input.as_mut().ok_or_else(|| io::Error::other("no pipe"))?;
        writeln!(input, "{command}")
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

    /// Lets it end by itself, which it does when its input ends. True if it did so in time.
    pub(crate) fn end(&mut self, limit: Duration) -> bool {
        self.input = None;
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
    }
}
