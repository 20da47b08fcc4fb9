//! Streams and connections as populations: who is open, and how they all end.

mod connection;
mod shutdown;
mod signal;

pub(crate) use connection::{Connection, Connections, Entry, Order};
pub use shutdown::Shutdown;
pub(crate) use shutdown::{LAST_GRACE, Registration, ServerShutdown, Shutdowns};
pub(crate) use signal::signal;
