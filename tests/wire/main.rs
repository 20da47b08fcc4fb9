//! What is written is what is read, whatever is written: arbitrary events go through the encoder and come back
//! through three readers that share no code with it or with each other. Two are what Rust clients use
//! (`eventsource-stream`, `sse-stream` with unknown fields refused), the third follows the HTML standard.

mod derived_names;
mod events;
mod ids;
mod limits;
mod readers;
mod values;
