//! What is emitted for a handler with mistakes: their messages, and enough of the rest that nothing else
//! breaks. The function stays, so the editor goes on to complete and to check its body; its route stays too,
//! in name, so that `routes![..]` does not complain about it a second time.

use super::{attribute::Attribute, function::Function, model::Root, twin::Twin};
use crate::diagnostics::Diagnostics;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

/// The item as it came: it is no function, so there is no route to stand in for.
pub(crate) fn without_route(item: TokenStream, found: Diagnostics) -> TokenStream {
    let mut tokens = item;
    tokens.extend(found.into_compile_errors());
    tokens
}

/// The function as it came, and a route that is never called.
pub(crate) fn with_stub(attribute: &Attribute, function: &Function, found: Diagnostics) -> TokenStream {
    let errors = found.into_compile_errors();
    if function.signature.receiver().is_some() {
        // A method: a type beside it, inside an `impl`, would be one more mistake. The errors may stand there.
        return quote! {
            #function
            #errors
        };
    }
    let twin = Twin::of(function);
    let root = Root::parse(attribute).unwrap_or(Root::Named).at(twin.span);
    let stub = twin.emit(&quote_spanned! {twin.span=>
        pub fn route<__S>() -> #root::Route<__S>
        where
            __S: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            #root::__private::stub()
        }

        #root::__private::operation! {}
    });
    quote! {
        #function
        #stub
        #errors
    }
}
