//! The `#[sse_route]` attribute of `sse-runtime`.
