//! The `#[sse_route]` attribute and the `#[derive(SseEvent)]` of `sse-runtime`.
//!
//! Depend on `sse-runtime`, which re-exports it together with its documentation. This crate knows nothing of
//! HTTP: it reads an attribute and a function signature, and writes the call that mounts the function.
//!
//! ```text
//! tokens --parse--> syntax --validate--> model --expand--> tokens
//!                      |                   |
//!                      +---- mistakes -----+--> fallback (the function, and a stub of its route)
//! ```
//!
//! Every mistake is collected, none ends the reading early, and each is reported once, at its own token.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod diagnostics;
mod event;
mod route;
#[cfg(test)]
mod snapshot;
mod suggest;

use proc_macro::TokenStream;

// The documentation of these macros is at its re-export in `sse-runtime`: there its examples compile.
#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn sse_route(attribute: TokenStream, item: TokenStream) -> TokenStream {
    route::sse_route(attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_derive(SseEvent, attributes(sse))]
pub fn sse_event(item: TokenStream) -> TokenStream {
    event::sse_event(item.into()).into()
}
