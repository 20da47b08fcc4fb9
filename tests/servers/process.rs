//! A server as a process of its own: on a free port of this machine, in a temporary folder, and killed, stopped and started
//! again there as a test wants it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long a server may take until it answers, also after a crash and beside other tests.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How a server is started, from its port and its folder.
type Recipe = Box<dyn Fn(u16, &Path) -> Command + Send + Sync>;

pub(crate) struct Process {
    recipe: Recipe,
    port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Process {
    /// A server that has not been started. The folder belongs to `owner`, if it has one, as the server runs in its name.
    pub(crate) fn new(
        owner: Option<u32>,
        recipe: impl Fn(u16, &Path) -> Command + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        if owner.is_some() {
            chown(folder.path(), owner, owner).expect("root may give a folder away");
        }
        Self { recipe: Box::new(recipe), port: free_port(), folder, child: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, the first time or again, and waits until `answers` says that it does.
    pub(crate) async fn start<A>(&mut self, answers: impl Fn(SocketAddr) -> A)
    where
        A: Future<Output = io::Result<bool>>,
    {
        assert!(self.child.is_none(), "it runs already");
        let command = (self.recipe)(self.port, self.folder.path());
        let program = PathBuf::from(command.get_program());
        let output = self.output();
        self.child = Some(spawn(command, output));
        let mut said = Ok(false);
        let ready = async {
            loop {
                said = answers(self.address()).await;
                if matches!(said, Ok(true)) {
                    return;
                }
                if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().expect("ours")) {
                    panic!("{} ended at once, {status}:\n{}", program.display(), self.printed());
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(START_LIMIT, ready).await.is_err() {
            panic!(
                "{} does not answer after {START_LIMIT:?} ({said:?}):\n{}",
                program.display(),
                self.printed()
            );
        }
    }

    /// SIGKILL, for it and for all that it has started, as when the machine kills them. Returns when nothing of them is left.
    pub(crate) async fn kill(&mut self) {
        let left = self.kill_at_once();
        let gone = async {
            while left.iter().any(|&pid| lives(pid)) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        sse_tests::within_limit("the end of what was killed", gone).await;
    }

    /// SIGSTOP: it keeps its connections and the port, and says nothing any more.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        // The kernel stops one thread after the other, and the rest may still answer.
        let first = pid(self.child.as_ref().expect("it runs").id());
        let end = Instant::now() + START_LIMIT;
        for stopping in std::iter::once(first).chain(started_by(first)) {
            while !is_stopped(stopping) {
                // One that was begun just then has not heard of it.
                let _ended_meanwhile = kill_process(stopping, Signal::STOP);
                assert!(Instant::now() < end, "it does not stop");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// SIGCONT: it goes on where it was.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// The last that it printed.
    pub(crate) fn printed(&self) -> String {
        let printed = fs::read(self.folder.path().join("printed")).unwrap_or_default();
        let tail = printed.len().saturating_sub(4000);
        String::from_utf8_lossy(&printed[tail..]).into_owned()
    }

    fn output(&self) -> File {
        let path = self.folder.path().join("printed");
        OpenOptions::new().create(true).append(true).open(path).expect("the folder is ours")
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        // The first one first: it starts no others then.
        let first = pid(child.id());
        kill_process(first, signal).expect("it runs");
        for other in started_by(first) {
            let _ended_meanwhile = kill_process(other, signal);
        }
    }

    /// Those that it had started, which may need a moment.
    fn kill_at_once(&mut self) -> Vec<Pid> {
        let Some(mut child) = self.child.take() else { return Vec::new() };
        let first = pid(child.id());
        // Stopped, it does not see the others end.
        let _has_ended = kill_process(first, Signal::STOP);
        let others = started_by(first);
        for &other in &others {
            let _ended_meanwhile = kill_process(other, Signal::KILL);
        }
        let _has_ended = child.kill();
        child.wait().expect("it is our child");
        others
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_at_once();
    }
}

/// The folder of programs that hold what is not on everybody's path.
pub(crate) fn program(name: &str, folders: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(folders.iter().map(PathBuf::from));
    let mut programs = folders.map(|folder| folder.join(name));
    programs.find(|program| program.is_file()).unwrap_or_else(|| {
        panic!("there is no program `{name}` on this machine: `.ci/packages` installs what the tests need")
    })
}

/// Starts a program that ends with this one, however this one ends. A thread that never ends does it: the kernel takes
/// the end of the thread for that of the parent.
fn spawn(mut command: Command, output: File) -> Child {
    type Job = (Command, Sender<io::Result<Child>>);
    static STARTER: LazyLock<Mutex<Sender<Job>>> = LazyLock::new(|| {
        let (jobs, taken) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, started) in taken {
                let _nobody_waits = started.send(command.spawn());
            }
        });
        Mutex::new(jobs)
    });
    let program = PathBuf::from(command.get_program());
    command.stdin(Stdio::null()).stdout(output.try_clone().expect("a file")).stderr(output);
    let (send, started) = mpsc::channel();
    STARTER.lock().expect("no panic").send((command, send)).expect("it never ends");
    let started = started.recv().expect("it never ends");
    started.unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// What runs a program, in the name of another user if there is one, so that it ends with this process.
pub(crate) fn command(program: &Path, user: Option<u32>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups");
    }
    command.arg("--").arg(program);
    command
}

/// A port where nobody listens. Not one of those that the system gives to whoever connects somewhere: it has to be free again
/// when the server comes back.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let of_this_process = std::process::id().wrapping_mul(61);
    for _ in 0..20_000 {
        let next = of_this_process.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + next % 20_000).expect("below 30,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("every port is taken");
}

fn pid(id: u32) -> Pid {
    i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id is positive")
}

/// The processes that this one has started and that have not ended.
fn started_by(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    pids.filter(|&pid| matches!(stat(pid), Some((_, of)) if of == parent.as_raw_nonzero().get())).collect()
}

/// Whether all threads of a process are stopped, or have ended.
fn is_stopped(pid: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    threads.into_iter().flatten().filter_map(Result::ok).all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z', 'X']))
    })
}

fn lives(pid: Pid) -> bool {
    matches!(stat(pid), Some((state, _)) if state != 'Z')
}

/// What state a process is in, and whose child it is.
fn stat(pid: Pid) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in parentheses before it may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
