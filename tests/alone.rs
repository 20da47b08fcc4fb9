//! Tests that measure their own process.

use std::process::Command;

/// How much of this process is in memory now, in bytes.
///
/// # Panics
/// When this is not Linux.
#[must_use]
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * rustix::param::page_size()
}

/// Runs a test again, in a process of its own: what the others allocate is not its business. Whether this is that process.
/// What it prints there is printed here.
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
    let arguments = ["--exact", test, "--nocapture"];
    let output = Command::new(this).args(arguments).env(ALONE, "1").output().expect("it starts");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    println!("{said}");
    false
}
