//! `#[sse_route]`: from an attribute and a function to a function and its route.
//!
//! | file | phase | job |
//! |---|---|---|
//! | `attribute` | parse | the attribute as written: a path literal and named settings |
//! | `function` | parse | the function as written: its signature, and its body as plain tokens |
//! | `options`, `values` | validate | settings become typed options |
//! | `path` | validate | the path literal becomes a path with named parameters |
//! | `signature` | validate | what a handler may not be (generic, `unsafe`, ...) |
//! | `arguments`, `binding`, `types` | validate | each argument becomes the handle, a path parameter or an extractor |
//! | `body` | validate | a scan for a nested hook, `yield` and literals that no stream can carry |
//! | `model` | gate | what all of the above agree on; only this can be expanded |
//! | `expand`, `twin` | expand | the tokens of a valid route |
//! | `fallback` | expand | the tokens of one with mistakes |

mod arguments;
mod attribute;
mod binding;
mod body;
mod expand;
mod fallback;
mod function;
mod model;
mod options;
mod path;
mod signature;
mod twin;
mod types;
pub(crate) mod values;

#[cfg(test)]
mod snapshots;

pub(crate) use expand::duration as duration_tokens;

use self::{attribute::Attribute, function::Function};
use crate::diagnostics::Diagnostics;
use proc_macro2::TokenStream;

/// Expands one annotated function.
pub(crate) fn sse_route(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut found = Diagnostics::new();
    let attribute = Attribute::parse(attribute, &mut found);
    match Function::parse(item.clone()) {
        Err(error) => {
            found.syntax(error);
            fallback::without_route(item, found)
        }
        Ok(function) if function.reports_second_route(&mut found) => fallback::without_route(item, found),
        Ok(function) => match model::validate(&attribute, &function, &mut found) {
            Some(route) if found.is_empty() => expand::expand(&route),
            _ => fallback::with_stub(&attribute, &function, found),
        },
    }
}
