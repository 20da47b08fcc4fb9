//! This very program as another process: one test of it, which sees in its environment that it is not to test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The variable that says where the log is.
const FILE: &str = "SSE_TESTS_REDB";

/// The file, if this is that other process.
pub(super) fn file_given() -> Option<PathBuf> {
    env::var_os(FILE).map(PathBuf::from)
}

/// What it prints for its parent begins with this: the test harness prints, too.
pub(super) fn say(line: &str) {
    println!("\nsaid {line}");
}

pub(super) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the test of this name, of this module's parent.
    pub(super) fn start(test: &str, file: &Path) -> Self {
        let mut command = Command::new("bash");
        // A file that must not grow is to be an error, not the end. What is ignored is inherited.
        command
            .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
            .arg(env::current_exe().expect("this program"));
        command
            .args(["--exact", &format!("redb::{test}"), "--nocapture", "--test-threads=1"])
            .env(FILE, file);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = spawned.expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// What it says next; none when it has ended.
    pub(super) async fn next(&mut self) -> Option<String> {
        let next = async {
            loop {
                let line = self.lines.next_line().await.expect("text")?;
                if let Some(said) = line.strip_prefix("said ") {
                    return Some(said.to_owned());
                }
            }
        };
        sse_tests::within_limit("a line", next).await
    }

    /// SIGKILL; what it had said until then can still be read.
    pub(super) async fn kill(&mut self) {
        self.child.kill().await.expect("it was running");
    }

    pub(super) async fn end(mut self) -> ExitStatus {
        while self.next().await.is_some() {}
        sse_tests::within_limit("its end", self.child.wait()).await.expect("it can be waited for")
    }
}
