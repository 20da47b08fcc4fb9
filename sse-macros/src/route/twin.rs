//! The type that carries a route under the handler's own name.
//!
//! A function lives in the value namespace, an empty enum of the same name in the type namespace; so one
//! `use`, `pub use` or rename carries both.

use super::function::Function;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Visibility, spanned::Spanned};

/// What the twin takes over from its function.
pub(crate) struct Twin<'a> {
    function: &'a Function,
    name: Ident,
    visibility: TokenStream,
    /// The handler's name in the user's file, but marked as the macro's: what the compiler has to say about the
    /// twin stands at the name, and lints about our code, such as that the enum is never used, stay silent.
    pub(crate) span: Span,
}

impl<'a> Twin<'a> {
    pub(crate) fn of(function: &'a Function) -> Self {
        let mut name = function.signature.ident.clone();
        let span = Span::mixed_site().located_at(name.span());
        name.set_span(span);
        Twin { function, name, visibility: respan(&function.visibility, span), span }
    }

    /// The enum, and `route` as its associated function.
    pub(crate) fn emit(&self, route: &TokenStream) -> TokenStream {
        let Twin { name, visibility, span, .. } = self;
        let conditions = self.attributes(|name| name == "cfg");
        let lints = self.lints();
        let deprecated = self.attributes(|name| name == "deprecated");
        let allow_deprecated = (!deprecated.is_empty()).then(|| quote!(#[allow(deprecated)]));
        quote_spanned! {*span=>
            #conditions
            #[doc(hidden)]
            #[allow(non_camel_case_types)]
            #lints
            #deprecated
            #visibility enum #name {}

            #conditions
            #lints
            #allow_deprecated
            impl #name {
                #route
            }
        }
    }

    fn attributes(&self, wanted: impl Fn(&str) -> bool) -> TokenStream {
        let is_wanted = |attribute: &&Attribute| {
            attribute.path().get_ident().is_some_and(|name| wanted(&name.to_string()))
        };
        self.function.attributes.iter().filter(is_wanted).map(ToTokens::to_token_stream).collect()
    }

    /// The levels that the user set for the function hold for what is made of it. An expectation is met by
    /// the function itself; here it only allows.
    fn lints(&self) -> TokenStream {
        let mut lints = TokenStream::new();
        for attribute in &self.function.attributes {
            match attribute.path().get_ident().map(ToString::to_string).as_deref() {
                Some("allow" | "warn" | "deny" | "forbid") => attribute.to_tokens(&mut lints),
                Some("expect") => {
                    if let syn::Meta::List(list) = &attribute.meta {
                        let expected = &list.tokens;
                        lints.extend(quote_spanned!(attribute.span()=> #[allow(#expected)]));
                    }
                }
                _ => {}
            }
        }
        lints
    }
}

/// The same visibility, at another place.
fn respan(visibility: &Visibility, span: Span) -> TokenStream {
    // What is between the parentheses stays as it is: it may be a path.
    visibility
        .to_token_stream()
        .into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}
