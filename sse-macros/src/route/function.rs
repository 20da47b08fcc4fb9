//! The annotated function as it was written: its signature read, its body not.
//!
//! The body stays a token group. Parsing it would cost time, fail on syntax newer than our parser, and
//! change nothing: it is emitted as it came.

use crate::diagnostics::Diagnostics;
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

    /// Refuses a function that is annotated twice. The other attribute makes its route.
    pub(crate) fn reports_second_route(&self, found: &mut Diagnostics) -> bool {
        let is_route = |attribute: &&Attribute| {
            attribute.path().segments.last().is_some_and(|segment| segment.ident == "sse_route")
        };
        let second = self.attributes.iter().find(is_route);
        if let Some(attribute) = second {
            found.over(attribute, "a handler has one route; write a second handler for a second path");
        }
        second.is_some()
    }

    /// The same function with `statement` at the head of its body, and nothing else changed.
    ///
    /// Items that stand there stay in front of it: they take no part in the order of statements, and clippy wants
    /// them first.
    pub(crate) fn with_first_statement(&self, statement: &TokenStream) -> TokenStream {
        let mut tokens: Vec<TokenTree> = self.tokens.clone().into_iter().collect();
        tokens.pop();
        let mut items: Vec<TokenTree> = self.body.stream().into_iter().collect();
        let rest = items.split_off(leading_items(&items));
        let mut body =
            Group::new(Delimiter::Brace, items.into_iter().chain(statement.clone()).chain(rest).collect());
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

/// How many tokens at the head of a body are items and inner attributes.
fn leading_items(body: &[TokenTree]) -> usize {
    let mut end = 0;
    let mut rest = body;
    loop {
        let length = match rest {
            // `#![..]`: complete in itself.
            [TokenTree::Punct(hash), TokenTree::Punct(bang), TokenTree::Group(_), ..]
                if hash.as_char() == '#' && bang.as_char() == '!' =>
            {
                3
            }
            _ => match item_length(rest) {
                Some(length) => length,
                None => return end,
            },
        };
        let Some(behind) = rest.get(length..) else { return end };
        end += length;
        rest = behind;
    }
}

/// How many tokens the item at the head of `tokens` has, its `#[..]` attributes included.
fn item_length(tokens: &[TokenTree]) -> Option<usize> {
    if let [TokenTree::Punct(hash), TokenTree::Group(_), rest @ ..] = tokens {
        return if hash.as_char() == '#' { item_length(rest).map(|length| length + 2) } else { None };
    }
    let word = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(word)) => word.to_string(),
        _ => String::new(),
    };
    let is_semicolon = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
    let is_block =
        |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let last = match (word(0).as_str(), word(1).as_str()) {
        ("async" | "const" | "unsafe", "fn") | ("fn" | "struct" | "enum" | "trait" | "impl" | "mod", _) => {
            tokens.iter().position(|token| is_semicolon(token) || is_block(token))
        }
        // `const { .. }` is an expression.
        ("const", "") => None,
        ("use" | "const" | "static" | "type", _) => tokens.iter().position(is_semicolon),
        _ => None,
    };
    last.map(|last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    /// Where the statement ends up, shown by what stands before it.
    fn before_the_statement(body: &str) -> String {
        let function = Function::parse(format!("async fn f() {{ {body} }}").parse().unwrap()).unwrap();
        let changed = function.with_first_statement(&quote! { first(); }).to_string();
        let body = changed.strip_prefix("async fn f () {").expect("the head is the same");
        body.split_once("first () ;").expect("the statement is there").0.trim().to_owned()
    }

    #[test]
    fn a_statement_goes_behind_items_and_before_statements() {
        for (items, statements) in [
            ("", ""),
            ("", "work();"),
            ("", "let x = 1; async fn on_disconnect() {}"),
            ("async fn on_disconnect() {}", "work();"),
            ("#[allow(unused)] async fn on_disconnect(x: [u8; 3]) {}", "work();"),
            ("use a::{b, c}; const N: usize = { 3 }; struct S(u8); fn g() {} impl S {}", "let x = N;"),
            ("const fn g() {}", "const { 1 };"),
            ("", "async { 1 }.await;"),
            ("", "unsafe { g() }"),
            ("", "#[cfg(unix)] work();"),
            ("", "if x { 1 } else { 2 }"),
        ] {
            let expected = items.parse::<TokenStream>().unwrap().to_string();
            assert_eq!(
                before_the_statement(&format!("{items} {statements}")),
                expected,
                "{items} | {statements}"
            );
        }
    }

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
