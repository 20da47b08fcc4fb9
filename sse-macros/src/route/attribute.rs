//! The attribute as it was written: `"/path", name = value, flag`.
//!
//! Reads leniently: each item between two commas stands for itself, so one that makes no sense hides no
//! other. What a value means is decided later, in `options`.

use crate::{diagnostics::Diagnostics, suggest};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::LitStr;

/// Declares the options once: their names, and how each is written.
macro_rules! keys {
    ($($key:ident $name:literal $form:literal,)*) => {
        /// The name of an option.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Key { $($key,)* }

        impl Key {
            const ALL: &[Key] = &[$(Key::$key,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Key::$key => $name,)* }
            }

            /// How the option is written, for messages.
            pub(crate) fn form(self) -> &'static str {
                match self { $(Key::$key => $form,)* }
            }
        }
    };
}

keys! {
    Methods "methods" r#"methods = ["GET", "POST"]"#,
    KeepAlive "keep_alive" r#"keep_alive = "15s""#,
    Retry "retry" r#"retry = "3s""#,
    OpenAfter "open_after" r#"open_after = "1s""#,
    SendTimeout "send_timeout" r#"send_timeout = "30s""#,
    MaxAge "max_age" r#"max_age = "10m""#,
    End "end" r#"end = "end""#,
    MaxEvent "max_event" r#"max_event = "256KiB""#,
    MaxStreams "max_streams" r#"max_streams = 1000"#,
    Slow "slow" r#"slow = "skip""#,
    Run "run" r#"run = "15m""#,
    RunIdle "run_idle" r#"run_idle = "1m""#,
    RunKeep "run_keep" r#"run_keep = "10m""#,
    RunEvents "run_events" r#"run_events = 100_000"#,
    RunBytes "run_bytes" r#"run_bytes = "16MiB""#,
    MaxRuns "max_runs" r#"max_runs = 100"#,
    MaxReply "max_reply" r#"max_reply = "64KiB""#,
    Inbox "inbox" "inbox = 16",
    Bare "bare" "bare",
    Crate "crate" "crate = path::to::sse_runtime",
}

/// Names that other frameworks, or common sense, use for one of our options.
const SYNONYMS: [(&str, Key); 11] = [
    ("method", Key::Methods),
    ("ping", Key::KeepAlive),
    ("heartbeat", Key::KeepAlive),
    ("interval", Key::KeepAlive),
    ("reconnect", Key::Retry),
    ("timeout", Key::SendTimeout),
    ("max_duration", Key::MaxAge),
    ("max_size", Key::MaxEvent),
    ("raw", Key::Bare),
    ("background", Key::Run),
    ("resumable", Key::Run),
];

impl Key {
    fn find(name: &str) -> Option<Key> {
        Key::ALL.iter().copied().find(|key| key.name() == name)
    }

    fn likely(name: &str) -> Option<Key> {
        let synonym = SYNONYMS.iter().find(|(synonym, _)| *synonym == name).map(|(_, key)| *key);
        synonym.or_else(|| suggest::nearest(name, Key::ALL.iter().map(|key| key.name())).and_then(Key::find))
    }
}

/// One `name = value`, or a `name` alone.
pub(crate) struct Setting {
    pub(crate) key: Key,
    /// The name as written, for its span.
    pub(crate) name: Ident,
    /// What stands behind the `=`; never empty.
    pub(crate) value: Option<TokenStream>,
}

/// The attribute's items, each name at most once.
pub(crate) struct Attribute {
    /// Absent only if that has been reported.
    pub(crate) path: Option<LitStr>,
    pub(crate) settings: Vec<Setting>,
}

impl Attribute {
    pub(crate) fn parse(tokens: TokenStream, found: &mut Diagnostics) -> Self {
        let mut reader = Reader { path: None, path_reported: false, settings: Vec::new(), found };
        if tokens.is_empty() {
            reader.no_path(Span::call_site());
        }
        for (position, item) in split_at_commas(tokens, reader.found).into_iter().enumerate() {
            reader.item(&item, position == 0);
        }
        if reader.path.is_none() {
            let first = reader.settings.first().map_or_else(Span::call_site, |setting| setting.name.span());
            reader.no_path(first);
        }
        Attribute { path: reader.path, settings: reader.settings }
    }

    pub(crate) fn setting(&self, key: Key) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }
}

struct Reader<'a> {
    path: Option<LitStr>,
    /// Something stood in the path's place and was refused: that is one mistake, not two.
    path_reported: bool,
    settings: Vec<Setting>,
    found: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn item(&mut self, item: &[TokenTree], first: bool) {
        if let Some((literal, rest)) = leading_string(item) {
            self.path(literal, first);
            self.missing_comma(rest);
            return;
        }
        match item {
            [TokenTree::Ident(name)] => self.setting(name, None, first, item),
            [TokenTree::Ident(name), TokenTree::Punct(equals), value @ ..] if equals.as_char() == '=' => {
                // `retry = "3s" max_age = "10m"`: two settings that lack a comma.
                let next = value.iter().zip(value.iter().skip(1)).position(|pair| {
                    matches!(pair, (TokenTree::Ident(_), TokenTree::Punct(equals)) if equals.as_char() == '=')
                });
                let (value, rest) = match next {
                    Some(at) if at > 0 => value.split_at_checked(at).unwrap_or((value, &[])),
                    _ => (value, &[][..]),
                };
                self.setting(name, Some(value.iter().cloned().collect()), first, item);
                self.missing_comma(rest);
            }
            [TokenTree::Ident(name), TokenTree::Group(_)] if Key::find(&name.to_string()).is_some() => {
                let form = Key::find(&name.to_string()).map_or("", Key::form);
                self.found.over(collect(item), format!("write this option as `{form}`"));
            }
            _ if first => self.not_a_literal(item),
            _ => self.found.over(
                collect(item),
                format!("expected an option, such as `{}`; {}", Key::KeepAlive.form(), list_of_options()),
            ),
        }
    }

    fn path(&mut self, literal: LitStr, first: bool) {
        if self.path.is_some() {
            self.found.at(literal.span(), "a route has one path; write a second handler for a second path");
            return;
        }
        if !first && !self.path_reported {
            let message = format!("the path comes first: `#[sse_route({}, ..)]`", literal.to_token_stream());
            self.found.at(literal.span(), message);
        }
        self.path = Some(literal);
    }

    fn setting(&mut self, name: &Ident, value: Option<TokenStream>, first: bool, item: &[TokenTree]) {
        let written = name.to_string();
        let Some(key) = Key::find(&written) else {
            return match (&value, Key::likely(&written)) {
                (Some(value), None)
                    if first && matches!(written.as_str(), "path" | "route" | "url" | "uri") =>
                {
                    self.found.over(
                        collect(item),
                        format!("write the path without a name: `#[sse_route({value})]`"),
                    );
                    self.path_reported = true;
                    self.path = syn::parse2(value.clone()).ok();
                }
                (None, None) if first => self.not_a_literal(item),
                (_, likely) => {
                    let near =
                        likely.map(|key| format!("; did you mean `{}`?", key.form())).unwrap_or_default();
                    let known = list_of_options();
                    self.found.at(name.span(), format!("there is no option `{written}`{near} ({known})"));
                }
            };
        };
        if self.settings.iter().any(|earlier| earlier.key == key) {
            self.found.at(name.span(), format!("`{written}` is set twice; remove one of the two"));
            return;
        }
        let value = match value {
            Some(value) if value.is_empty() => {
                self.found.at(name.span(), format!("`{written}` has no value; write `{}`", key.form()));
                return;
            }
            None if key != Key::Bare => {
                self.found.at(name.span(), format!("`{written}` has no value; write `{}`", key.form()));
                return;
            }
            value => value,
        };
        self.settings.push(Setting { key, name: name.clone(), value });
    }

    /// Reads on after a forgotten comma, as if it were there.
    fn missing_comma(&mut self, rest: &[TokenTree]) {
        if let Some(token) = rest.first() {
            self.found.at(token.span(), format!("a comma is missing before `{token}`"));
            self.item(rest, false);
        }
    }

    fn not_a_literal(&mut self, item: &[TokenTree]) {
        self.path_reported = true;
        self.found.over(
            collect(item),
            "the path must be a plain string literal, such as \"/jobs/{id}\": its parameters are bound to \
             arguments at compile time",
        );
    }

    fn no_path(&mut self, span: Span) {
        if !self.path_reported {
            self.found.at(span, "the path is missing; it comes first: `#[sse_route(\"/events\")]`");
            self.path_reported = true;
        }
    }
}

fn leading_string(item: &[TokenTree]) -> Option<(LitStr, &[TokenTree])> {
    let (first, rest) = item.split_first()?;
    // A path passed through a `macro_rules!` macro arrives in an invisible group; syn looks into it.
    let literal = syn::parse2::<LitStr>(first.to_token_stream()).ok()?;
    Some((literal, rest))
}

fn split_at_commas(tokens: TokenStream, found: &mut Diagnostics) -> Vec<Vec<TokenTree>> {
    let mut items = Vec::new();
    let mut item = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                if item.is_empty() {
                    found.at(comma.span(), "nothing stands before this comma; remove it");
                } else {
                    items.push(std::mem::take(&mut item));
                }
            }
            token => item.push(token),
        }
    }
    if !item.is_empty() {
        items.push(item);
    }
    items
}

fn collect(item: &[TokenTree]) -> TokenStream {
    item.iter().cloned().collect()
}

fn list_of_options() -> String {
    let names: Vec<_> = Key::ALL.iter().map(|key| key.name()).collect();
    format!("the options are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Attribute, Vec<String>) {
        let mut found = Diagnostics::new();
        let attribute = Attribute::parse(text.parse().unwrap(), &mut found);
        let messages = found.messages();
        (attribute, messages)
    }

    #[test]
    fn a_path_and_settings_are_read_in_order() {
        let (attribute, messages) = read(r#""/a", retry = "3s", bare, crate = ::my::sse,"#);
        assert!(messages.is_empty(), "{messages:?}");
        assert_eq!(attribute.path.unwrap().value(), "/a");
        let keys: Vec<_> = attribute.settings.iter().map(|setting| setting.key).collect();
        assert_eq!(keys, [Key::Retry, Key::Bare, Key::Crate]);
    }

    #[test]
    fn every_mistake_in_one_attribute_is_found() {
        let (_, messages) =
            read(r#"keepalive = "1s", retry, retry = "1s", retry = "2s", "/late", colour = 3"#);
        assert_eq!(messages.len(), 5, "{messages:?}");
        assert!(messages[0].contains("did you mean `keep_alive = \"15s\"`"));
        assert!(messages[1].contains("has no value; write `retry = \"3s\"`"));
        assert!(messages[2].contains("set twice"));
        assert!(messages[3].contains("the path comes first: `#[sse_route(\"/late\", ..)]`"));
        assert!(messages[4].contains("no option `colour`"));
    }

    #[test]
    fn a_forgotten_comma_hides_nothing() {
        let (attribute, messages) = read(r#""/a" retry = "3s" max_age = "1m""#);
        assert_eq!(messages, ["a comma is missing before `retry`", "a comma is missing before `max_age`"]);
        assert_eq!(attribute.settings.len(), 2);
    }

    #[test]
    fn a_path_that_is_no_literal_is_one_mistake() {
        for text in ["PATH", "concat!(\"/a\", \"/b\")", "b\"/a\"", "PATH, retry = \"3s\"", "paths::JOBS"] {
            let (_, messages) = read(text);
            assert_eq!(messages.len(), 1, "{text}: {messages:?}");
            assert!(messages[0].contains("plain string literal"), "{text}: {messages:?}");
        }
    }

    #[test]
    fn a_missing_path_is_one_mistake() {
        for text in ["", "bare", "retry = \"3s\"", "path = \"/a\""] {
            assert_eq!(read(text).1.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_name_from_another_framework_finds_ours() {
        let (_, messages) = read(r#""/a", heartbeat = "1s""#);
        assert!(messages[0].contains("did you mean `keep_alive"), "{messages:?}");
    }
}
