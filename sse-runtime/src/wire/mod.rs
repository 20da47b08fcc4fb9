//! The wire format of Server-Sent Events: pure, no I/O.
