//! Streams and connections as populations: who may open one, who has, and how they all end.

mod admission;
#[cfg(feature = "http2")]
mod carrier;
mod connection;
#[cfg(feature = "inspector")]
mod enlisted;
mod mounted;
mod registry;
mod shutdown;
mod signal;

pub use admission::{Admission, ProxyError};
pub(crate) use admission::{Full, Limit, Pace, Permit, Rate};
#[cfg(feature = "http2")]
pub(crate) use carrier::{Carrier, Place, SIGN_OF_LIFE};
pub(crate) use connection::{Connection, Connections, Entry, Order};
#[cfg(feature = "inspector")]
pub(crate) use enlisted::Enlisted;
pub(crate) use mounted::Mounted;
#[cfg(feature = "inspector")]
pub(crate) use mounted::mounted;
pub use registry::{Registry, StreamId, StreamInfo};
pub use shutdown::Shutdown;
pub(crate) use shutdown::{LAST_GRACE, Registration, Shutdowns, pick};
pub(crate) use signal::signal;
