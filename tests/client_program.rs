//! A real client, run as its users run it: a script in `tests/clients`, by Node.js or Python.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::within_limit;

/// Runs a script of `tests/clients` with Node.js, and returns what it printed, one entry for each line.
///
/// Further arguments come after the script's name.
///
/// # Panics
/// When it fails (its output is in the message), or takes longer than [`LIMIT`](crate::LIMIT).
pub async fn node(script: &str, arguments: &[&str]) -> Vec<String> {
    run(&folder().join("node_modules/node/bin/node"), script, arguments).await
}

/// The same with Python.
///
/// # Panics
/// As [`node`].
pub async fn python(script: &str, arguments: &[&str]) -> Vec<String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients-python/bin/python");
    run(&program, script, arguments).await
}

async fn run(program: &Path, script: &str, arguments: &[&str]) -> Vec<String> {
    assert!(program.exists(), "{} is missing: run `.ci/clients`", program.display());
    let running = Command::new(program)
        .arg(script)
        .args(arguments)
        .current_dir(folder())
        // What the machine says of proxies and keys is not what is tested.
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("OPENAI_API_KEY")
        .env_remove("ANTHROPIC_API_KEY")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within_limit(script, running).await.expect("the client starts");
    let (printed, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} {arguments:?}: {}\n{printed}\n{errors}", output.status);
    printed.lines().map(str::to_owned).collect()
}

/// Where the scripts are, and what they import.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}
