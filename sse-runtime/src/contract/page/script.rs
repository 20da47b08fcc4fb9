//! The page's one script: Scalar, as its crate embeds it, with what starts it behind it.
//!
//! It is 5 MB of text. What is kept of it in memory is its compressed copy, made when the first browser asks.

use std::io::{self, Write as _};
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::{Compression, Crc, write::GzEncoder};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

/// Within 4 % of the smallest, in half the time; a build without optimization needs half a second.
const LEVEL: u32 = 3;

/// The script as it is.
pub(super) fn plain() -> Vec<u8> {
    // Embedded when the crate was compiled, in every profile (rust-embed's feature `debug-embed`).
    let mut script = scalar_api_reference::get_asset("scalar.js").expect("Scalar is embedded by its crate");
    script.extend_from_slice(b"\n;\n");
    script.extend_from_slice(include_bytes!("page.js"));
    script
}

/// Names this very content: part of the script's address, which may so be cached for ever.
pub(super) fn fingerprint() -> &'static str {
    static FINGERPRINT: LazyLock<String> = LazyLock::new(|| checksum(&plain()));
    &FINGERPRINT
}

/// The script compressed, or nothing if that cannot be.
pub(super) async fn gzipped() -> Option<Bytes> {
    static GZIPPED: OnceCell<Bytes> = OnceCell::const_new();
    let compressed = GZIPPED.get_or_try_init(|| async { spawn_blocking(compress).await? });
    compressed
        .await
        .inspect_err(|error| tracing::warn!("the page's script goes out uncompressed: {error}"))
        .ok()
        .cloned()
}

fn compress() -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    encoder.write_all(&plain())?;
    Ok(encoder.finish()?.into())
}

/// CRC-32: whoever could forge the content is the program itself.
pub(super) fn checksum(content: &[u8]) -> String {
    let mut crc = Crc::new();
    crc.update(content);
    format!("{:08x}", crc.sum())
}
