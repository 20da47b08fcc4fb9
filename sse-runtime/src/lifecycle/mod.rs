//! Streams and connections as populations: who is open, and how they all end.

mod connection;
mod shutdown;
mod signal;

pub(crate) use connection::{Connection, Connections, Entry, Order};
pub use shutdown::Shutdown;
#[cfg(feature = "http2")]
pub(crate) use shutdown::ServerShutdown;
pub(crate) use shutdown::{LAST_GRACE, Registration, Shutdowns};
pub(crate) use signal::signal;
