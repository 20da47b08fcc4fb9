//! What clients are told about the routes.

#[cfg(feature = "docs")]
pub(crate) mod page;
