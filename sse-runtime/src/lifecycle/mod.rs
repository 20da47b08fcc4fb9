//! Streams and connections as populations: who is open, and how they all end.

mod connection;
mod shutdown;
mod signal;

pub(crate) use connection::{Connection, Connections, Entry, Order};
#[cfg(feature = "http2")]
pub(crate) use shutdown::ServerShutdown;
pub use shutdown::Shutdown;
pub(crate) use shutdown::{LAST_GRACE, Registration, Shutdowns};
pub(crate) use signal::signal;
