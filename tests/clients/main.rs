//! The examples, used by the clients that they are for: the SDKs that people install, run as their users run them.

mod hey_api;
#[path = "../sample.rs"]
mod sample;
mod sse_client;
