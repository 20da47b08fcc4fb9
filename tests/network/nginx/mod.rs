//! Streams behind a real nginx, and compressed streams with and without it: every way that an event may take is taken, one
//! event at a time.

mod app;
mod client;
mod program;
mod reload;
mod streams;
mod ways;
