//! `#[derive(SseEvent)]`: from an enum, or a struct, to the events that its values are.
//!
//! | file | phase | job |
//! |---|---|---|
//! | `attribute` | parse | `#[sse(..)]` as written |
//! | `serde` | parse | what `#[serde(..)]` says of names and tags; all else in it is serde's business |
//! | `case` | validate | `rename_all`, as serde applies it |
//! | `names` | validate | what an event may be called |
//! | `model` | gate | the events of a type, each with a name that no other has; only this can be expanded |
//! | `expand` | expand | the tokens |
//!
//! The data of an event is what serde writes. Nothing here serializes.

mod attribute;
mod case;
mod expand;
mod model;
mod names;
mod serde;

#[cfg(test)]
mod snapshots;

use crate::diagnostics::Diagnostics;
use proc_macro2::TokenStream;
use syn::Item;

/// Expands one derive.
pub(crate) fn sse_event(item: TokenStream) -> TokenStream {
    let mut found = Diagnostics::new();
    match syn::parse2::<Item>(item) {
        Err(error) => found.syntax(error),
        Ok(item) => match model::validate(&item, &mut found) {
            Some(events) if found.is_empty() => return expand::expand(&events),
            Some(events) => {
                // What the events are called may be wrong; that they are events is not, and one mistake is enough.
                let mut tokens = expand::stub(&events);
                tokens.extend(found.into_compile_errors());
                return tokens;
            }
            None => {}
        },
    }
    found.into_compile_errors()
}
