//! Streams as a population: who is open, and how they all end.

mod connection;
mod shutdown;

pub(crate) use connection::Connection;
pub use shutdown::Shutdown;
pub(crate) use shutdown::{Registration, signal};
