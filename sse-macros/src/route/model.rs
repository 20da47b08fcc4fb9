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
use proc_macro2::{Ident, Span};
use syn::{LitStr, parse::Parser};

/// All that the expansion needs to know.
pub(crate) struct Route<'a> {
    pub(crate) function: &'a Function,
    pub(crate) path: &'a LitStr,
    pub(crate) options: Options,
    pub(crate) arguments: Arguments<'a>,
    /// The handle and the nested hook to register on it.
    pub(crate) hook: Option<(&'a Ident, Ident)>,
    /// The path to the runtime crate.
    pub(crate) root: syn::Path,
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
    let root = root(attribute).map_err(|error| found.syntax(error)).ok();
    signature::validate(function, found);
    // A list of methods that was refused tells nothing about bodies.
    let known = options.methods.is_some() || attribute.setting(Key::Methods).is_none();
    let arguments =
        arguments::validate(&function.signature, literal, path.as_ref(), known.then_some(&options), found);
    let hook = body::scan(&function.body, found);
    let arguments = arguments?;
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

/// The runtime crate: `crate = ..`, or its own name.
pub(crate) fn root(attribute: &Attribute) -> syn::Result<syn::Path> {
    let Some(value) = attribute.setting(Key::Crate).and_then(|setting| setting.value.clone()) else {
        return Ok(default_root());
    };
    let message = format!("write the path of the runtime crate: `{}`", Key::Crate.form());
    syn::Path::parse_mod_style.parse2(value.clone()).map_err(|_| syn::Error::new_spanned(value, message))
}

pub(crate) fn default_root() -> syn::Path {
    let name = Ident::new("sse_runtime", Span::call_site());
    syn::Path {
        leading_colon: Some(syn::token::PathSep::default()),
        segments: [syn::PathSegment::from(name)].into_iter().collect(),
    }
}
