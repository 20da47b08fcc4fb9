//! One example as a process of its own, on a free port: what a reader of README starts, with its
//! signals, its log and its exit status.

use std::{
    collections::HashMap,
    env,
    net::{SocketAddr, TcpListener},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::{self, ExitStatus, Stdio},
    sync::OnceLock,
};

use rustix::{
    io::{FdFlags, dup, fcntl_setfd},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};

use crate::within_limit;

/// A running example. It is killed when dropped.
#[derive(Debug)]
pub struct Example {
    child: Child,
    address: SocketAddr,
    printed: watch::Receiver<Vec<String>>,
}

impl Example {
    /// Builds the examples if they are out of date and starts one on a free port.
    ///
    /// # Panics
    /// When it does not build, does not start, or prints no address.
    pub async fn start(name: &str) -> Self {
        Self::start_on(name, 0).await
    }

    /// The same with variables in its environment.
    ///
    /// # Panics
    /// As [`Example::start`].
    pub async fn start_with(name: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program(name));
        command.env("PORT", "0").env_remove("LISTEN_FDS").envs(variables.iter().copied());
        Self::launch(command).await
    }

    /// The same on a given port, to take the place of one that has ended.
    ///
    /// # Panics
    /// As [`Example::start`], and when the port is taken.
    pub async fn start_on(name: &str, port: u16) -> Self {
        let mut command = Command::new(program(name));
        command.env("PORT", port.to_string()).env_remove("LISTEN_FDS");
        // Of those that have a second port.
        command.env("TLS_PORT", "0").env("PAGE_PORT", "0");
        Self::launch(command).await
    }

    /// The same on a socket that it inherits, as from systemd: the third file descriptor, announced in its
    /// environment.
    ///
    /// # Panics
    /// As [`Example::start`].
    #[cfg(unix)]
    pub async fn start_inheriting(name: &str, listener: &TcpListener) -> Self {
        Self::start_program_inheriting(program(name), &[], &[], listener).await
    }

    /// The same of another program, which prints its address as the examples do.
    ///
    /// # Panics
    /// As [`Example::start`].
    #[cfg(unix)]
    pub async fn start_program_inheriting(
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
        listener: &TcpListener,
    ) -> Self {
        // A copy that the child keeps; its number is not the one that the convention wants, and the process id is
        // known in the child only: a shell sees to both.
        let inherited = dup(listener).expect("a copy of the socket");
        fcntl_setfd(&inherited, FdFlags::empty()).expect("a flag of the copy");
        let mut command = Command::new("bash");
        command
            .args(["-c", r#"exec 3<&"$FD"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@""#])
            .arg(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .env("FD", inherited.as_raw_fd().to_string())
            // Taken already: a program that binds it itself ends here.
            .env("PORT", listener.local_addr().expect("an address").port().to_string());
        Self::launch(command).await
    }

    async fn launch(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));

        let (print, printed) = watch::channel(Vec::new());
        tokio::spawn(collect(child.stdout.take().expect("stdout is piped"), print.clone()));
        tokio::spawn(collect(child.stderr.take().expect("stderr is piped"), print));

        let mut example = Self { child, address: ([127, 0, 0, 1], 0).into(), printed };
        let line = example.wait_for_line(|line| line.contains("http://")).await;
        let (_, address) = line.split_once("http://").expect("the line was chosen for it");
        example.address = address.trim().parse().unwrap_or_else(|error| panic!("{line:?}: {error}"));
        example
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of one of its paths.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it has printed so far, on stdout and stderr.
    pub fn printed(&self) -> Vec<String> {
        self.printed.borrow().clone()
    }

    /// Waits for a line on stdout or stderr, past or future, and returns it.
    ///
    /// # Panics
    /// When the example ends without printing it, or takes longer than [`LIMIT`](crate::LIMIT).
    pub async fn wait_for_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut printed = self.printed.clone();
        let found = |lines: &Vec<String>| lines.iter().find(|line| wanted(line)).cloned();
        let outcome = within_limit("waiting for a printed line", async {
            printed.wait_for(|lines| found(lines).is_some()).await.ok().and_then(|lines| found(&lines))
        });
        outcome.await.unwrap_or_else(|| panic!("ended without the expected line: {:#?}", self.printed()))
    }

    /// How many files, sockets among them, it holds open.
    ///
    /// # Panics
    /// When it has ended.
    #[cfg(target_os = "linux")]
    pub fn open_files(&self) -> usize {
        let id = self.child.id().expect("the example is still running");
        std::fs::read_dir(format!("/proc/{id}/fd")).expect("the process is ours").count()
    }

    /// Asks it to end, as a service manager does (SIGTERM), and waits until it has, and until the last it had
    /// to say has been read.
    ///
    /// # Panics
    /// When it has ended before, or does not end in time.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.end_by(Signal::TERM).await
    }

    /// The same with the signal that Ctrl-C sends (SIGINT).
    ///
    /// # Panics
    /// As [`Example::terminate`].
    pub async fn interrupt(&mut self) -> ExitStatus {
        self.end_by(Signal::INT).await
    }

    /// Ends it without a word (SIGKILL).
    ///
    /// # Panics
    /// As [`Example::terminate`].
    pub async fn kill(&mut self) -> ExitStatus {
        self.end_by(Signal::KILL).await
    }

    async fn end_by(&mut self, signal: Signal) -> ExitStatus {
        let id = self.child.id().expect("the example is still running");
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id is positive");
        kill_process(pid, signal).expect("the process is ours");
        within_limit("waiting for the example to end", async {
            let status = self.child.wait().await.expect("it can be waited for");
            // Closed when both pipes are.
            while self.printed.changed().await.is_ok() {}
            status
        })
        .await
    }
}

/// The program of an example.
fn program(name: &str) -> &'static PathBuf {
    built().get(name).unwrap_or_else(|| panic!("there is no example {name:?}"))
}

/// Keeps every line that the example prints, until it closes the pipe.
async fn collect(pipe: impl AsyncRead + Unpin, print: watch::Sender<Vec<String>>) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        print.send_modify(|all| all.push(line));
    }
}

/// The program of each example, built once for each test binary.
///
/// `cargo test --workspace` has built them already and this costs a look at their age; after
/// `cargo test -p sse-tests`, or an edit, they would be missing or old. The whole workspace is named so
/// that cargo unifies features as it did for the tests, and has nothing to build twice.
fn built() -> &'static HashMap<String, PathBuf> {
    static BUILT: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = process::Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--workspace",
                "--all-features",
                "--examples",
                "--message-format=json",
            ])
            .args(["--profile", &profile()])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "the examples do not build");
        String::from_utf8_lossy(&output.stdout).lines().filter_map(example_in).collect()
    })
}

/// The example that one of cargo's JSON messages announces, with the path of its program.
fn example_in(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_example = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "example");
    let program = message["executable"].as_str()?;
    let name = message["target"]["name"].as_str()?;
    is_example.then(|| (name.to_owned(), program.into()))
}

/// The profile of the running tests, from where their binary lies (`target/<profile>/deps`).
fn profile() -> String {
    let test = env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).and_then(|folder| folder.file_name());
    match folder.and_then(|name| name.to_str()) {
        Some("debug") | None => "dev".to_owned(),
        Some(named) => named.to_owned(),
    }
}
