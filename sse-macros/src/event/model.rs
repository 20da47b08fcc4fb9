//! The events of one type, without mistakes: the only thing that can be expanded.

use super::{
    attribute::{self, Place, Settings},
    case::Case,
    names,
    serde::Said,
};
use crate::diagnostics::Diagnostics;
use proc_macro2::{Ident, Span};
use std::time::Duration;
use syn::{Attribute, Fields, Generics, Index, Item, LitStr, Member, ext::IdentExt, spanned::Spanned};

/// A type whose values are events.
pub(crate) struct Events<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) generics: &'a Generics,
    pub(crate) root: Option<syn::Path>,
    /// Whether to speak of it, or of a part of it, is deprecated.
    pub(crate) deprecated: bool,
    pub(crate) kind: Kind<'a>,
}

pub(crate) enum Kind<'a> {
    /// Each variant is an event.
    Enum(Vec<Variant<'a>>),
    /// All values are events of one name.
    Struct(Event),
}

pub(crate) struct Variant<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) event: Event,
}

/// One event.
pub(crate) struct Event {
    pub(crate) name: String,
    /// The field that holds the id, at the place where the attribute names it.
    pub(crate) id: Option<Member>,
    pub(crate) retry: Option<Duration>,
    pub(crate) terminal: bool,
    /// Never serialized: sending one is serde's error.
    pub(crate) skipped: bool,
}

/// Checks everything there is to check. `None` only if something was reported and the type can be no event type.
pub(crate) fn validate<'a>(item: &'a Item, found: &mut Diagnostics) -> Option<Events<'a>> {
    match item {
        Item::Enum(item) => {
            let settings = Settings::read(&item.attrs, Place::Enum, found);
            let said = Said::read(&item.attrs);
            refuse_untagged(&said, found);
            if item.variants.is_empty() {
                found.at(item.ident.span(), "each variant is an event, and this enum has none; add one");
            }
            let mut variants: Vec<Variant<'a>> = Vec::new();
            for variant in &item.variants {
                let settings = Settings::read(&variant.attrs, Place::Variant, found);
                attribute::refuse_on_fields(variant.fields.iter(), found);
                let own = Said::read(&variant.attrs);
                refuse_untagged(&own, found);
                let event = event(&settings, &own, said.rename_all, &variant.ident, &variant.fields, found);
                refuse_doubled(&event, &settings, &own, &variants, &variant.ident, found);
                variants.push(Variant { ident: &variant.ident, event });
            }
            let kind = Kind::Enum(variants);
            let parts = item.variants.iter().flat_map(|variant| {
                variant.attrs.iter().chain(variant.fields.iter().flat_map(|field| &field.attrs))
            });
            let deprecated = is_deprecated(item.attrs.iter().chain(parts));
            Some(Events {
                name: &item.ident,
                generics: &item.generics,
                root: settings.root,
                deprecated,
                kind,
            })
        }
        Item::Struct(item) => {
            let settings = Settings::read(&item.attrs, Place::Struct, found);
            attribute::refuse_on_fields(item.fields.iter(), found);
            let said = Said::read(&item.attrs);
            // A struct's `rename_all` is for its fields.
            let event = event(&settings, &said, None, &item.ident, &item.fields, found);
            let kind = Kind::Struct(event);
            let parts = item.fields.iter().flat_map(|field| &field.attrs);
            let deprecated = is_deprecated(item.attrs.iter().chain(parts));
            Some(Events {
                name: &item.ident,
                generics: &item.generics,
                root: settings.root,
                deprecated,
                kind,
            })
        }
        other => {
            found.at(other.span(), "events are an enum, a variant for each, or a struct; this is neither");
            None
        }
    }
}

fn is_deprecated<'a>(mut attributes: impl Iterator<Item = &'a Attribute>) -> bool {
    attributes.any(|attribute| attribute.path().is_ident("deprecated"))
}

fn refuse_untagged(said: &Said, found: &mut Diagnostics) {
    if let Some(span) = said.untagged {
        found.at(
            span,
            "the data of an untagged event does not say which event it is, so typed clients cannot tell them apart; write \
             `tag = \"type\"` on the enum instead",
        );
    }
}

fn event(
    settings: &Settings,
    said: &Said,
    rename_all: Option<Case>,
    ident: &Ident,
    fields: &Fields,
    found: &mut Diagnostics,
) -> Event {
    let (name, place) = match (&settings.name, &said.rename) {
        (Some(name), _) | (None, Some(name)) => (name.value(), name.span()),
        (None, None) => {
            let plain = ident.unraw().to_string();
            (rename_all.map_or_else(|| plain.clone(), |case| case.of_variant(&plain)), ident.span())
        }
    };
    // What is never sent may be called as it likes.
    if let Some(message) = names::refuse(&name).filter(|_| !said.skipped) {
        found.at(place, message);
    }
    if let (Some(span), Some(_)) = (settings.terminal, &settings.id) {
        found.at(
            span,
            "a terminal event has an id that the runtime gives it, by which it knows a client that has seen the end; remove \
             `id` or `terminal`",
        );
    }
    let id = settings.id.as_ref().and_then(|field| member(field, ident, fields, found));
    Event { name, id, retry: settings.retry, terminal: settings.terminal.is_some(), skipped: said.skipped }
}

/// The field that `id` names, with the place of its name.
fn member(field: &LitStr, ident: &Ident, fields: &Fields, found: &mut Diagnostics) -> Option<Member> {
    let wanted = field.value();
    let known: Vec<String> = fields
        .members()
        .map(|member| match member {
            Member::Named(name) => name.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        })
        .collect();
    let at = known.iter().position(|name| *name == wanted);
    let Some(member) = at.and_then(|at| fields.members().nth(at)) else {
        let has = if known.is_empty() { "no fields".to_owned() } else { format!("`{}`", known.join("`, `")) };
        found.at(
            field.span(),
            format!("`{}` has no field `{wanted}` to take the id from; it has {has}", ident.unraw()),
        );
        return None;
    };
    Some(match member {
        Member::Named(mut name) => {
            name.set_span(field.span());
            Member::Named(name)
        }
        Member::Unnamed(index) => Member::Unnamed(Index { index: index.index, span: field.span() }),
    })
}

fn refuse_doubled(
    event: &Event,
    settings: &Settings,
    said: &Said,
    earlier: &[Variant<'_>],
    ident: &Ident,
    found: &mut Diagnostics,
) {
    let is_twin = |earlier: &&Variant<'_>| earlier.event.name == event.name && !earlier.event.skipped;
    let Some(twin) = earlier.iter().find(is_twin).filter(|_| !event.skipped) else { return };
    let place = settings.name.as_ref().or(said.rename.as_ref()).map_or_else(|| ident.span(), LitStr::span);
    found.at(
        place,
        format!(
            "`{}` is called \"{}\" already, and a client could not tell the two apart; give one of them another name: \
             `#[sse(name = \"..\")]`",
            twin.ident.unraw(),
            event.name
        ),
    );
}

impl Events<'_> {
    /// The events that can be sent, in order.
    pub(crate) fn sent(&self) -> Vec<&Event> {
        match &self.kind {
            Kind::Enum(variants) => {
                variants.iter().map(|variant| &variant.event).filter(|event| !event.skipped).collect()
            }
            Kind::Struct(event) => vec![event],
        }
    }

    pub(crate) fn span(&self) -> Span {
        Span::mixed_site().located_at(self.name.span())
    }
}
