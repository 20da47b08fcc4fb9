//! The log on NATS: the contract, and what only NATS does.

mod by_hand;
mod contract;
mod history;
mod limits;
mod lost;
mod quiet;
mod refused;
mod tls;

use std::time::Duration;

/// Looks again and again, for as long as a test may take.
async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let holding = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    sse_tests::within_limit(what, holding).await;
}
