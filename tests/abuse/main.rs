//! What clients do that mean harm, or are broken beyond belief, against our server over real sockets. Each test says
//! what it allows as a constant with its reason, and prints what it measured:
//! `cargo test -p sse-tests --test abuse -- --show-output`.

mod admission;
mod connects;
mod head_requests;
mod http1_forms;
mod http2;
mod http2_frames;
mod injection;
mod large_heads;
mod last_event_ids;
mod never_reads;
mod oversize;
mod peer;
mod preface;
mod reconnects;
mod smuggling;
mod strangers_topics;
mod target;
mod unfinished;
mod witness;
