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
    pub(crate) name: Ident,
    pub(crate) visibility: TokenStream,
}

impl<'a> Twin<'a> {
    pub(crate) fn of(function: &'a Function) -> Self {
        let ident = &function.signature.ident;
        let mut name = ident.clone();
        // In the user's place, but marked as the macro's: lints about the enum's name, or that it is never
        // used, are about our code and stay silent.
        name.set_span(Span::mixed_site().located_at(ident.span()));
        Twin { function, name, visibility: respan(&function.visibility) }
    }

    /// The enum and its `route`, which has `generics`, `bounds` and a `body`.
    pub(crate) fn emit(&self, route: &TokenStream) -> TokenStream {
        let Twin { name, visibility, .. } = self;
        let conditions = self.attributes(|name| name == "cfg");
        let lints = self.lints();
        let deprecated = self.attributes(|name| name == "deprecated");
        let allow_deprecated = (!deprecated.is_empty()).then(|| quote!(#[allow(deprecated)]));
        quote! {
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

/// A copy of the visibility that lints take for the macro's.
fn respan(visibility: &Visibility) -> TokenStream {
    visibility
        .to_token_stream()
        .into_iter()
        .map(|mut token| {
            token.set_span(token.span().resolved_at(Span::mixed_site()));
            token
        })
        .collect()
}
