//! A route without mistakes: the only thing that can be expanded.

use super::{
    arguments::{self, Arguments},
    attribute::{Attribute, Key},
    body,
    function::Function,
    options::Options,
    path::Path,
    signature,
};
use crate::diagnostics::Diagnostics;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{LitStr, parse::Parser};

/// All that the expansion needs to know.
pub(crate) struct Route<'a> {
    pub(crate) function: &'a Function,
    pub(crate) path: &'a LitStr,
    pub(crate) options: Options,
    pub(crate) arguments: Arguments<'a>,
    /// The handle and the nested hook to register on it.
    pub(crate) hook: Option<(&'a Ident, Ident)>,
    pub(crate) root: Root,
}

/// Checks everything there is to check. `None` only if something was reported.
pub(crate) fn validate<'a>(
    attribute: &'a Attribute,
    function: &'a Function,
    found: &mut Diagnostics,
) -> Option<Route<'a>> {
    let literal = attribute.path.as_ref();
    let path = literal.and_then(|literal| parse_path(literal, found));
    let options = Options::validate(attribute, found);
    let root = Root::parse(attribute).map_err(|error| found.syntax(error)).ok();
    signature::validate(function, found);
    // A list of methods that was refused tells nothing about bodies.
    let known = options.methods.is_some() || attribute.setting(Key::Methods).is_none();
    let arguments =
        arguments::validate(&function.signature, literal, path.as_ref(), known.then_some(&options), found);
    let hook = body::scan(&function.body, found);
    let arguments = arguments?;
    if arguments.replies().is_none() {
        for key in [Key::MaxReply, Key::Inbox] {
            if let Some(setting) = attribute.setting(key) {
                let name = key.name();
                found.at(
                    setting.name.span(),
                    format!(
                        "`{name}` is about replies, and no argument takes any; add `mut replies: Replies<T>`, or remove it"
                    ),
                );
            }
        }
    }
    let hook = match (hook, arguments.handle.name) {
        (Some(hook), Some(handle)) => Some((handle, hook)),
        (Some(hook), None) => {
            found.at(
                hook.span(),
                "this hook is registered on the handle, so the handle needs a name; write `sse: Sse` as the first argument",
            );
            None
        }
        (None, _) => None,
    };
    Some(Route { function, path: literal?, options, arguments, hook, root: root? })
}

fn parse_path(literal: &LitStr, found: &mut Diagnostics) -> Option<Path> {
    match Path::parse(&literal.value()) {
        Ok(path) => Some(path),
        Err(mistakes) => {
            for message in mistakes {
                found.at(literal.span(), message);
            }
            None
        }
    }
}

/// Where the runtime crate is.
pub(crate) enum Root {
    /// Under its own name.
    Named,
    /// Under the path that `crate = ..` gives.
    Given(syn::Path),
}

impl Root {
    pub(crate) fn parse(attribute: &Attribute) -> syn::Result<Self> {
        let Some(value) = attribute.setting(Key::Crate).and_then(|setting| setting.value.clone()) else {
            return Ok(Root::Named);
        };
        syn::Path::parse_mod_style.parse2(value.clone()).map(Root::Given).map_err(|_| {
            let path = match syn::parse2::<LitStr>(value.clone()) {
                Ok(text) => format!("crate = {}", text.value()),
                Err(_) => Key::Crate.form().to_owned(),
            };
            syn::Error::new_spanned(
                value,
                format!("`crate` is the path of the runtime crate; write `{path}`"),
            )
        })
    }

    /// The path's tokens. A name stands wherever it is told to; a path that was given stays in its own place, so
    /// that one that leads nowhere is one mistake.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match self {
            Root::Named => quote_spanned!(span=> ::sse_runtime),
            Root::Given(path) => path.to_token_stream(),
        }
    }
}
