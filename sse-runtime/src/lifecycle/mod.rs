//! Streams and connections as populations: who is open, and how they all end.

#[cfg(feature = "http2")]
mod carrier;
mod connection;
mod shutdown;
mod signal;

#[cfg(feature = "http2")]
pub(crate) use carrier::{Carrier, Place, SIGN_OF_LIFE};
pub(crate) use connection::{Connection, Connections, Entry, Order};
pub use shutdown::Shutdown;
pub(crate) use shutdown::{LAST_GRACE, Registration, Shutdowns};
pub(crate) use signal::signal;
