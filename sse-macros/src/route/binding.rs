//! Path parameters against arguments, by name.
//!
//! A parameter without an argument and an argument without a parameter are one mistake if the one looks like a
//! misspelling of the other, and two if not.

use super::{options::Options, path::Path, types};
use crate::{diagnostics::Diagnostics, suggest};
use syn::{Ident, LitStr, Pat, PatType, ext::IdentExt};

/// A pattern that is nothing but a name, perhaps `mut`.
pub(crate) fn plain_name(argument: &PatType) -> Option<&Ident> {
    match pattern(argument) {
        Pat::Ident(pattern) if pattern.subpat.is_none() => Some(&pattern.ident),
        _ => None,
    }
}

/// An argument's pattern, without parentheses.
pub(crate) fn pattern(argument: &PatType) -> &Pat {
    let mut pattern = &*argument.pat;
    while let Pat::Paren(inner) = pattern {
        pattern = &inner.pat;
    }
    pattern
}

/// The path parameter that an argument is named after. `_id` is an unused `id`.
pub(crate) fn parameter_of<'p>(argument: &PatType, path: Option<&'p Path>) -> Option<&'p str> {
    let name = plain_name(argument)?.unraw().to_string();
    let find = |name: &str| path?.parameters.iter().map(String::as_str).find(|parameter| *parameter == name);
    find(&name).or_else(|| find(name.strip_prefix('_')?))
}

/// Which argument goes with which parameter.
pub(crate) struct Binding<'a, 'p> {
    /// What is left when the parameters are bound.
    pub(crate) extractors: Vec<&'a PatType>,
    /// Parameters that no argument is named after.
    unbound: Vec<&'p str>,
}

impl<'a, 'p> Binding<'a, 'p> {
    pub(crate) fn new(rest: &[&'a PatType], path: Option<&'p Path>) -> Self {
        let mut unbound: Vec<&str> =
            path.map(|path| path.parameters.iter().map(String::as_str).collect()).unwrap_or_default();
        let mut extractors = Vec::new();
        for argument in rest {
            match parameter_of(argument, path) {
                Some(name) => unbound.retain(|parameter| *parameter != name),
                None => extractors.push(*argument),
            }
        }
        Binding { extractors, unbound }
    }

    /// Reports what is left over on either side.
    pub(crate) fn report_unbound(
        &mut self,
        literal: Option<&LitStr>,
        options: Option<&Options>,
        found: &mut Diagnostics,
    ) {
        let reads_path = self.extractors.iter().any(|extractor| types::reads_path(&extractor.ty));
        self.report_misspelt(found);
        self.report_plain(reads_path, options, found);
        if reads_path {
            return;
        }
        for parameter in &self.unbound {
            let span = literal.map_or_else(proc_macro2::Span::call_site, LitStr::span);
            let argument = argument_name(parameter);
            found.at(
                span,
                format!("no argument takes `{{{parameter}}}`; add one named after it: `{argument}: String`"),
            );
        }
    }

    /// An argument and a parameter that are nearly the same are one mistake.
    ///
    /// An argument that is reported is an extractor no longer: its place among them would mean nothing.
    fn report_misspelt(&mut self, found: &mut Diagnostics) {
        let Binding { extractors, unbound } = self;
        extractors.retain(|argument| {
            let Some(name) = plain_name(argument) else { return true };
            let written = name.unraw().to_string();
            match suggest::nearest(&written, unbound.iter().copied()) {
                Some(meant) if !types::is_extractor(&argument.ty) => {
                    unbound.retain(|parameter| *parameter != meant);
                    found.over(
                        name,
                        format!("there is no path parameter `{written}`; did you mean `{meant}`?"),
                    );
                    false
                }
                _ => true,
            }
        });
    }

    /// Arguments that are no extractors for sure. Each makes a pair with a parameter that is left over.
    fn report_plain(&mut self, reads_path: bool, options: Option<&Options>, found: &mut Diagnostics) {
        let Binding { extractors, unbound } = self;
        let last = extractors.len().saturating_sub(1);
        // If the options are wrong, the route may well be meant to have a body.
        let may_have_body = !options.is_some_and(Options::only_get);
        let mut nth = 0;
        extractors.retain(|argument| {
            let is_last = nth == last;
            nth += 1;
            let Some(name) = plain_name(argument) else { return true };
            let is_string = types::name(&argument.ty).as_deref() == Some("String");
            if !types::is_plain(&argument.ty) || (is_string && is_last && may_have_body) {
                return true;
            }
            let written = name.unraw().to_string();
            if let (false, Some(free)) = (reads_path, unbound.first().copied()) {
                unbound.retain(|parameter| *parameter != free);
                found.over(
                    name,
                    format!(
                        "there is no path parameter `{written}`, and no argument for `{{{free}}}`; give both the same \
                         name"
                    ),
                );
                return false;
            }
            let body = if is_string && may_have_body { ", or move it to the end to read the body" } else { "" };
            found.over(
                argument,
                format!(
                    "there is no path parameter `{written}`; add `{{{written}}}` to the path, or take the value from \
                     an extractor such as `Query(..)`{body}"
                ),
            );
            false
        });
    }
}

/// How an argument with this name is written.
fn argument_name(parameter: &str) -> String {
    if syn::parse_str::<Ident>(parameter).is_ok() { parameter.to_owned() } else { format!("r#{parameter}") }
}
