//! A test that measures its process runs in one of its own: what the others allocate and open is not its business.

use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Runs a test of the calling file again, in a process of its own, and repeats what that printed. Whether this is that
/// process: only then is the test to do anything.
///
/// # Panics
/// When the test fails there.
#[must_use]
pub fn is_alone(test: &str) -> bool {
    const ALONE: &str = "SSE_TESTS_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let this = std::env::current_exe().expect("the test's own file");
    let mut again = Command::new(this);
    let output = again.args(["--exact", test, "--show-output"]).env(ALONE, "1").output().expect("it starts");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let figures = said.lines().skip_while(|line| !line.ends_with(" stdout ----")).skip(1);
    for figure in figures.take_while(|line| !line.is_empty()) {
        println!("{figure}");
    }
    false
}

/// How many bytes of this process are in memory now.
///
/// # Panics
/// Where there is no `/proc`, as outside of Linux.
#[must_use]
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * rustix::param::page_size()
}

/// How many files, sockets among them, this process has open.
///
/// # Panics
/// As [`resident`].
#[must_use]
pub fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// Lets this process, and those that it starts, have as many files open as the system allows: the common limit is 1024, and a
/// stream is one file here and one there.
///
/// # Panics
/// When the system does not allow what it says that it does.
pub fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the maximum is allowed");
}
