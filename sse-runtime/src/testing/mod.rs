//! What tests of streams need (feature `testing`).

mod parser;

pub use parser::{Item, Parser, ReceivedEvent};
