//! Server-Sent Events for axum.

#![forbid(unsafe_code)]

pub mod wire;
