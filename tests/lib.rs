//! What the tests of this package share: an example as a running program, and a client that shows the
//! bytes as they came over the socket. Every wait here has a limit, so that a missing event fails a
//! test instead of hanging it.

use std::time::Duration;

mod alone;
mod client_program;
mod example;
mod socket;

pub use alone::{allow_many_files, is_alone, open_files, resident};
pub use client_program::{node, python};
pub use example::Example;
pub use socket::{Event, Response, get, get_with, post, post_json};

/// How long anything may take before the test that waits for it fails.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Runs one step of a test, which fails with `what` when it takes longer than [`LIMIT`].
///
/// # Panics
/// When the time is up.
pub async fn within_limit<T>(what: &str, step: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, step).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: nothing after {LIMIT:?}"),
    }
}
