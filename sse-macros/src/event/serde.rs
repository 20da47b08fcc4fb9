//! What `#[serde(..)]` says of names and tags.
//!
//! Reads leniently: what it does not know, or what is wrong in it, is serde's to judge, which sees the same attributes.

use super::case::Case;
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, LitStr, Meta};

/// What is of interest here.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) rename: Option<LitStr>,
    pub(crate) rename_all: Option<Case>,
    pub(crate) untagged: Option<Span>,
    /// Never serialized, so never sent.
    pub(crate) skipped: bool,
}

impl Said {
    /// Reads all `#[serde(..)]` of one item.
    pub(crate) fn read(attributes: &[Attribute]) -> Self {
        let mut said = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            if let Meta::List(list) = &attribute.meta {
                for item in items(list.tokens.clone()) {
                    said.take(&item);
                }
            }
        }
        said
    }

    fn take(&mut self, item: &[TokenTree]) {
        let Some((TokenTree::Ident(key), value)) = item.split_first() else { return };
        match key.to_string().as_str() {
            "rename" => self.rename = text(value).or(self.rename.take()),
            "rename_all" => {
                self.rename_all = text(value).and_then(|rule| Case::named(&rule.value())).or(self.rename_all);
            }
            "untagged" => self.untagged = Some(key.span()),
            "skip" | "skip_serializing" => self.skipped = true,
            // `tag`, `content` and `rename_all_fields` change the data, which serde writes.
            _ => {}
        }
    }
}

/// The text of `= ".."`, or of `(serialize = "..")`.
fn text(value: &[TokenTree]) -> Option<LitStr> {
    match value {
        [TokenTree::Punct(equals), value] if equals.as_char() == '=' => {
            syn::parse2(value.to_token_stream()).ok()
        }
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
            items(group.stream()).iter().find_map(|item| match item.split_first() {
                Some((TokenTree::Ident(key), value)) if key == "serialize" => text(value),
                _ => None,
            })
        }
        _ => None,
    }
}

fn items(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut items = vec![Vec::new()];
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => items.push(Vec::new()),
            token => {
                if let Some(item) = items.last_mut() {
                    item.push(token);
                }
            }
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Said {
        let item: syn::ItemStruct = syn::parse_str(&format!("{text} struct S;")).unwrap();
        Said::read(&item.attrs)
    }

    #[test]
    fn the_serializing_side_counts() {
        let said = read(
            r#"#[serde(tag = "type", rename(deserialize = "x", serialize = "y"), rename_all(serialize = "UPPERCASE"))]"#,
        );
        assert_eq!(said.rename.unwrap().value(), "y");
        assert_eq!(said.rename_all, Some(Case::Upper));
        assert!(read(r#"#[serde(rename(deserialize = "x"))]"#).rename.is_none());
    }

    #[test]
    fn what_is_not_understood_is_left_to_serde() {
        let said =
            read(r#"#[serde(rename_all = "sPoNgE", bound = "T: X<Y, Z>", rename, 3)] #[other(untagged)]"#);
        assert!(said.rename.is_none() && said.rename_all.is_none() && said.untagged.is_none());
        assert!(read("#[serde(untagged)]").untagged.is_some());
        assert!(read("#[serde(skip_serializing)]").skipped && read("#[serde(skip)]").skipped);
    }
}
