//! An export that takes a quarter of an hour: its progress in the page, whether that stays open or not, and a link at the end.
//!
//! ```text
//! cargo run --example long_export
//! curl -N -X POST http://127.0.0.1:3000/exports
//! curl -N 'http://127.0.0.1:3000/exports?run=<what the header sse-run said>'
//! ```
//!
//! Open <http://127.0.0.1:3000>, begin an export, close the tab, have lunch, and open it again: there is the link. Nobody
//! needs to look for it to go on (`run_idle = "off"`), it can be cancelled, and who does not know its id gets neither its
//! progress nor its file. For those who cannot wait, `EXPORT_SECONDS=20 cargo run --example long_export`.

mod export;

use std::{env, time::Duration};

use sse_runtime::{Result, listen, serve};

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let seconds = env::var("EXPORT_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(15 * 60);
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, export::app(Duration::from_secs(seconds))).await?;
    Ok(())
}
