//! The annotated function as it was written: its signature read, its body not.
//!
//! The body stays a token group. Parsing it would cost time, fail on syntax newer than our parser, and
//! change nothing: it is emitted as it came.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Signature, Token, Visibility,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

/// A function item.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
    /// All tokens of the item, verbatim.
    tokens: TokenStream,
}

impl Function {
    /// # Errors
    ///
    /// If the item is no function, at its keyword.
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Function> {
        let Parts { attributes, visibility, signature, body } = syn::parse2(item.clone())?;
        Ok(Function { attributes, visibility, signature, body, tokens: item })
    }

    /// The same function with `statement` at the head of its body, and nothing else changed.
    pub(crate) fn with_first_statement(&self, statement: &TokenStream) -> TokenStream {
        let mut tokens: Vec<TokenTree> = self.tokens.clone().into_iter().collect();
        tokens.pop();
        let (attributes, statements) = inner_attributes(self.body.stream());
        let mut body = Group::new(
            Delimiter::Brace,
            attributes.into_iter().chain(statement.clone()).chain(statements).collect(),
        );
        body.set_span(self.body.span());
        tokens.push(body.into());
        tokens.into_iter().collect()
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.clone());
    }
}

struct Parts {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: Group,
}

impl Parse for Parts {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !starts_a_function(input) {
            return Err(
                input.error("`#[sse_route]` belongs on a function: `async fn events(sse: Sse) { .. }`")
            );
        }
        let signature = input.parse()?;
        if input.peek(Token![;]) {
            return Err(input.error("a handler needs a body: write `{ .. }` instead of the `;`"));
        }
        let mut body: TokenTree = input.parse()?;
        loop {
            match body {
                // A `$body:block` of a `macro_rules!` macro comes in an invisible group.
                TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                    body = syn::parse2(group.stream())?;
                }
                TokenTree::Group(body) => return Ok(Parts { attributes, visibility, signature, body }),
                other => return Err(syn::Error::new(other.span(), "expected the body of the function")),
            }
        }
    }
}

fn starts_a_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while let Ok(word) = ahead.call(proc_macro2::Ident::parse_any) {
        match word.to_string().as_str() {
            "fn" => return true,
            "const" | "async" | "unsafe" | "safe" | "gen" => {}
            "extern" => {
                // The ABI may be left out.
                let _abi: Option<syn::LitStr> = ahead.parse().ok();
            }
            _ => return false,
        }
    }
    false
}

/// Splits off the `#![..]` attributes, which must stay first.
fn inner_attributes(body: TokenStream) -> (Vec<TokenTree>, Vec<TokenTree>) {
    let mut statements: Vec<TokenTree> = body.into_iter().collect();
    let mut end = 0;
    while let Some([TokenTree::Punct(hash), TokenTree::Punct(bang), TokenTree::Group(_)]) =
        statements.get(end..end + 3)
    {
        if hash.as_char() != '#' || bang.as_char() != '!' {
            break;
        }
        end += 3;
    }
    let rest = statements.split_off(end);
    (statements, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn a_statement_goes_behind_inner_attributes() {
        let function = Function::parse(quote! { async fn f() { #![allow(unused)] work(); } }).unwrap();
        let changed = function.with_first_statement(&quote! { first(); });
        assert_eq!(
            changed.to_string(),
            quote! { async fn f() { #![allow(unused)] first(); work(); } }.to_string()
        );
    }

    #[test]
    fn the_body_need_not_parse() {
        assert!(Function::parse(quote! { pub async fn f(sse: Sse) -> X { from the future !! } }).is_ok());
    }

    #[test]
    fn only_a_function_will_do() {
        for item in
            [quote! { struct S; }, quote! { mod m {} }, quote! { const X: u8 = 1; }, quote! { impl S {} }]
        {
            let error = Function::parse(item.clone()).err().map(|error| error.to_string());
            assert!(
                error.as_ref().is_some_and(|error| error.contains("belongs on a function")),
                "{item}: {error:?}"
            );
        }
        assert!(Function::parse(quote! { pub unsafe extern "C" fn f() {} }).is_ok());
    }
}
