//! Engines on the servers that they are for. The tests start these themselves, kill them, stop them and start them again:
//! `cargo test -p sse-tests --test servers -- --show-output`.

mod client;
mod engines;
mod log;
mod nats;
mod node;
mod postgres;
mod process;
mod redis;
mod server;
mod started;
mod suite;
mod turns;
