//! The examples, used by the clients that they are for: the SDKs that people install, run as their users run them.

mod mcp;
mod vendored;
