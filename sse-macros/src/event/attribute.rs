//! `#[sse(..)]` as written on a type or a variant.

use crate::{diagnostics::Diagnostics, route::values, suggest};
use proc_macro2::{Ident, Span, TokenStream};
use std::time::Duration;
use syn::{
    Attribute, LitStr, Token, ext::IdentExt, parse::ParseStream, parse::Parser, punctuated::Punctuated,
};

/// What `#[sse(..)]` says.
#[derive(Default)]
pub(crate) struct Settings {
    /// The event's name, in place of serde's.
    pub(crate) name: Option<LitStr>,
    /// The field that the event's id is taken from.
    pub(crate) id: Option<LitStr>,
    /// When the client comes back after the stream has ended.
    pub(crate) retry: Option<Duration>,
    /// The stream ends with this event.
    pub(crate) terminal: Option<Span>,
    /// Where the runtime is.
    pub(crate) root: Option<syn::Path>,
}

/// Where an attribute stands: not everything means something everywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Enum,
    Variant,
    Struct,
}

/// The settings, and how each is written.
const FORMS: [(&str, &str); 5] = [
    ("name", r#"name = "progress""#),
    ("id", r#"id = "field""#),
    ("retry", r#"retry = "3s""#),
    ("terminal", "terminal"),
    ("crate", "crate = path::to::sse_runtime"),
];

/// Names that others use for one of them.
const SYNONYMS: [(&str, &str); 6] = [
    ("rename", "name"),
    ("event", "name"),
    ("last", "terminal"),
    ("end", "terminal"),
    ("done", "terminal"),
    ("event_id", "id"),
];

impl Settings {
    /// Reads all `#[sse(..)]` of one item.
    pub(crate) fn read(attributes: &[Attribute], place: Place, found: &mut Diagnostics) -> Self {
        let mut settings = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("sse")) {
            let list = attribute.parse_args_with(Punctuated::<Setting, Token![,]>::parse_terminated);
            let list = match list {
                Ok(list) => list,
                Err(error) => {
                    found.syntax(error);
                    continue;
                }
            };
            for setting in list {
                let name = setting.name.unraw().to_string();
                if seen.contains(&name) {
                    found.at(setting.name.span(), format!("`{name}` is set twice; remove one of the two"));
                    continue;
                }
                settings.take(&setting, &name, place, found);
                seen.push(name);
            }
        }
        settings
    }

    fn take(&mut self, setting: &Setting, name: &str, place: Place, found: &mut Diagnostics) {
        let span = setting.name.span();
        let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == name) else {
            return found.at(span, unknown(name));
        };
        match (name, place) {
            ("crate", Place::Variant) => {
                return found.at(span, "`crate` holds for the whole enum; move it there");
            }
            ("name" | "id" | "retry" | "terminal", Place::Enum) => {
                return found.at(span, format!("each variant is an event of its own; write `{form}` on one"));
            }
            _ => {}
        }
        match (name, &setting.value) {
            ("terminal", None) => self.terminal = Some(span),
            ("terminal", Some(value)) => {
                found.over(value, "`terminal` takes no value; write `terminal` alone");
            }
            (_, None) => found.at(span, format!("`{name}` has no value; write `{form}`")),
            ("crate", Some(value)) => match syn::Path::parse_mod_style.parse2(value.clone()) {
                Ok(path) => self.root = Some(path),
                Err(_) => {
                    found.over(value, format!("`crate` is the path of the runtime crate; write `{form}`"));
                }
            },
            (_, Some(value)) => match syn::parse2::<LitStr>(value.clone()) {
                Err(_) => found.over(value, format!("expected a text; write `{form}`")),
                Ok(text) => self.take_text(name, text, found),
            },
        }
    }

    fn take_text(&mut self, name: &str, text: LitStr, found: &mut Diagnostics) {
        match name {
            "name" => self.name = Some(text),
            "id" => self.id = Some(text),
            _ => match values::duration(&text.value()) {
                Ok(retry) => self.retry = Some(retry),
                Err(message) => found.at(text.span(), message),
            },
        }
    }
}

/// Reports `#[sse(..)]` where none belongs.
pub(crate) fn refuse_on_fields<'a>(fields: impl Iterator<Item = &'a syn::Field>, found: &mut Diagnostics) {
    for attribute in
        fields.flat_map(|field| &field.attrs).filter(|attribute| attribute.path().is_ident("sse"))
    {
        found.over(
            attribute,
            "`#[sse(..)]` belongs on a variant or a struct; an id is taken from a field with `#[sse(id = \"field\")]` there",
        );
    }
}

fn unknown(name: &str) -> String {
    let names = FORMS.map(|(name, _)| name);
    let synonym = SYNONYMS.iter().find(|(synonym, _)| *synonym == name).map(|(_, meant)| *meant);
    let near = synonym.or_else(|| suggest::nearest(name, names));
    let form = near.and_then(|near| FORMS.iter().find(|(name, _)| *name == near));
    let meant = form.map(|(_, form)| format!("; did you mean `{form}`?")).unwrap_or_default();
    format!("there is no setting `{name}`{meant} (the settings are {})", names.join(", "))
}

/// One `name = value`, or a `name` alone.
struct Setting {
    name: Ident,
    value: Option<TokenStream>,
}

impl syn::parse::Parse for Setting {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected a setting, such as `name = \"progress\"` or `terminal`"));
        }
        let name = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            if !input.is_empty() && !input.peek(Token![,]) {
                return Err(input.error(format!("expected a comma, or `=`, after `{name}`")));
            }
            return Ok(Self { name, value: None });
        }
        input.parse::<Token![=]>()?;
        let mut value = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            value.extend([input.parse::<proc_macro2::TokenTree>()?]);
        }
        Ok(Self { name, value: (!value.is_empty()).then_some(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, place: Place) -> (Settings, Vec<String>) {
        let item: syn::ItemStruct = syn::parse_str(&format!("{text} struct S;")).unwrap();
        let mut found = Diagnostics::new();
        let settings = Settings::read(&item.attrs, place, &mut found);
        (settings, found.messages())
    }

    #[test]
    fn everything_is_read_from_one_attribute_or_several() {
        let text = r#"#[sse(name = "a b", id = "seq")] #[sse(terminal, retry = "1.5s",)]"#;
        let (settings, mistakes) = read(text, Place::Variant);
        assert_eq!(mistakes, [""; 0]);
        assert_eq!(settings.name.unwrap().value(), "a b");
        assert_eq!(settings.id.unwrap().value(), "seq");
        assert_eq!(settings.retry, Some(Duration::from_millis(1500)));
        assert!(settings.terminal.is_some());
        assert!(read("#[sse(crate = ::my::sse)]", Place::Enum).0.root.is_some());
    }

    #[test]
    fn each_mistake_is_told_with_what_to_write() {
        for (text, place, hint) in [
            (r#"#[sse(nmae = "a")]"#, Place::Variant, "did you mean `name = \"progress\"`"),
            (r#"#[sse(rename = "a")]"#, Place::Variant, "did you mean `name"),
            (r#"#[sse(colour = "a")]"#, Place::Variant, "there is no setting `colour` (the settings are"),
            (r#"#[sse(name = "a", name = "b")]"#, Place::Variant, "set twice"),
            ("#[sse(name)]", Place::Variant, "has no value; write `name = \"progress\"`"),
            ("#[sse(name = )]", Place::Variant, "has no value"),
            ("#[sse(name = 3)]", Place::Variant, "expected a text"),
            (r#"#[sse(retry = "3")]"#, Place::Struct, "has no unit"),
            ("#[sse(terminal = true)]", Place::Variant, "`terminal` alone"),
            ("#[sse(terminal)]", Place::Enum, "on one"),
            ("#[sse(crate = a::b)]", Place::Variant, "the whole enum"),
            ("#[sse(\"a\")]", Place::Variant, "expected a setting"),
            ("#[sse(terminal name)]", Place::Variant, "expected a comma"),
        ] {
            let (_, mistakes) = read(text, place);
            assert_eq!(mistakes.len(), 1, "{text}: {mistakes:?}");
            assert!(mistakes[0].contains(hint), "{text}: {mistakes:?}");
        }
    }
}
