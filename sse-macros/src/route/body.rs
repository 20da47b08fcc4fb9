//! A scan over the handler's tokens for the few things worth knowing before the compiler does.
//!
//! Not a parser: it looks for short runs of tokens, at any depth, and leaves everything else alone.

use crate::diagnostics::Diagnostics;
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::LitStr;

/// Looks through a whole body: reports mistakes, and returns the name of a nested hook.
pub(crate) fn scan(body: &Group, found: &mut Diagnostics) -> Option<Ident> {
    let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    let mut scan = Scan { found, yield_seen: false };
    scan.tokens(&tokens);
    forgotten_async(&tokens, found);
    // One that the body names itself is the body's to register.
    nested_hook(&tokens).filter(|_| mentions(&tokens) == 1)
}

/// A nested `fn on_disconnect` that is not `async` and that nothing else in the body names: meant as the hook, and never
/// called.
fn forgotten_async(tokens: &[TokenTree], found: &mut Diagnostics) {
    let hook = tokens.windows(3).enumerate().find_map(|(at, window)| match window {
        [TokenTree::Ident(function), TokenTree::Ident(name), TokenTree::Group(_)]
            if function == "fn" && name == "on_disconnect" =>
        {
            let is_async = matches!(tokens.get(..at).and_then(<[_]>::last), Some(TokenTree::Ident(word)) if word == "async");
            (!is_async).then_some(name)
        }
        _ => None,
    });
    if let Some(name) = hook {
        if mentions(tokens) == 1 {
            found.at(name.span(), "the nested hook is asynchronous; write `async fn on_disconnect`");
        }
    }
}

/// How often `on_disconnect` occurs, at any depth, other than as the name of a method.
fn mentions(tokens: &[TokenTree]) -> usize {
    let mut after_dot = false;
    let mut count = 0;
    for token in tokens {
        count += match token {
            TokenTree::Ident(word) => usize::from(word == "on_disconnect" && !after_dot),
            TokenTree::Group(group) => mentions(&group.stream().into_iter().collect::<Vec<_>>()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => 0,
        };
        after_dot = matches!(token, TokenTree::Punct(dot) if dot.as_char() == '.');
    }
    count
}

/// `async fn on_disconnect(` directly in the body, not in a block or a nested item.
fn nested_hook(tokens: &[TokenTree]) -> Option<Ident> {
    tokens.windows(4).find_map(|window| match window {
        [
            TokenTree::Ident(asynchronous),
            TokenTree::Ident(function),
            TokenTree::Ident(name),
            TokenTree::Group(_),
        ] if asynchronous == "async" && function == "fn" && name == "on_disconnect" => Some(name.clone()),
        _ => None,
    })
}

struct Scan<'a> {
    found: &'a mut Diagnostics,
    /// One handler written as a generator is one mistake, however often it yields.
    yield_seen: bool,
}

impl Scan<'_> {
    fn tokens(&mut self, tokens: &[TokenTree]) {
        let mut rest = tokens;
        while let Some((first, behind)) = rest.split_first() {
            match first {
                TokenTree::Ident(word) if word == "yield" && !self.yield_seen => {
                    self.yield_seen = true;
                    self.found
                        .at(word.span(), "a handler has no `yield`; send each event: `sse.send(..).await`");
                }
                TokenTree::Ident(_) => {
                    let before = tokens.get(..tokens.len() - rest.len()).unwrap_or_default();
                    if !is_foreign(before) {
                        self.constructor(rest);
                    }
                }
                TokenTree::Group(group) => self.group(group),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            rest = match behind {
                // `stream! { .. }` and its kind have a `yield` of their own.
                [TokenTree::Punct(bang), TokenTree::Group(group), after @ ..]
                    if bang.as_char() == '!' && matches!(first, TokenTree::Ident(_)) =>
                {
                    let outside = std::mem::replace(&mut self.yield_seen, true);
                    self.group(group);
                    self.yield_seen = outside;
                    after
                }
                _ => behind,
            };
        }
    }

    fn group(&mut self, group: &Group) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        self.tokens(&tokens);
    }

    /// At the head of `tokens` an event, name or id under construction, whose literals the wire cannot carry. Only that:
    /// the methods of other types may be called `id` too.
    fn constructor(&mut self, tokens: &[TokenTree]) {
        let [
            TokenTree::Ident(ty),
            TokenTree::Punct(first),
            TokenTree::Punct(second),
            TokenTree::Ident(function),
            TokenTree::Group(arguments),
            rest @ ..,
        ] = tokens
        else {
            return;
        };
        if first.as_char() != ':' || second.as_char() != ':' {
            return;
        }
        match (ty.to_string().as_str(), function.to_string().as_str()) {
            ("Event", "new") => {
                self.argument(Field::Name, arguments);
                self.setters(rest);
            }
            ("Event", "default") => self.setters(rest),
            ("EventName", "new" | "from_static") => self.argument(Field::Name, arguments),
            ("EventId", "new" | "from_static") => self.argument(Field::Id, arguments),
            _ => {}
        }
    }

    /// The setters that are chained to an event's constructor.
    fn setters(&mut self, mut tokens: &[TokenTree]) {
        loop {
            tokens = match tokens {
                [TokenTree::Punct(question), rest @ ..] if question.as_char() == '?' => rest,
                [TokenTree::Punct(dot), TokenTree::Ident(method), TokenTree::Group(arguments), rest @ ..]
                    if dot.as_char() == '.' =>
                {
                    if method == "id" {
                        self.argument(Field::Id, arguments);
                    }
                    rest
                }
                _ => return,
            };
        }
    }

    fn argument(&mut self, field: Field, arguments: &Group) {
        if arguments.delimiter() != Delimiter::Parenthesis {
            return;
        }
        if let Some(literal) = only_literal(arguments.stream()) {
            if let Some(message) = field.refuse(&literal.value()) {
                self.found.at(literal.span(), message);
            }
        }
    }
}

/// Whether a type's name that follows `before` is another crate's, as in `calendar::Event`.
fn is_foreign(before: &[TokenTree]) -> bool {
    match before {
        [.., TokenTree::Ident(krate), TokenTree::Punct(_), TokenTree::Punct(colon)]
            if colon.as_char() == ':' =>
        {
            krate != "sse_runtime"
        }
        _ => false,
    }
}

#[derive(Clone, Copy)]
enum Field {
    Name,
    Id,
}

/// The longest id that the runtime sends: many clients lose longer ones.
const LONGEST_ID: usize = 128;

impl Field {
    /// What the runtime would refuse, or panic about, when the handler runs.
    fn refuse(self, text: &str) -> Option<String> {
        let name = match self {
            Field::Name => "an event name",
            Field::Id => "an event id",
        };
        let line_end = match text.chars().find(|c| matches!(c, '\r' | '\n' | '\0')) {
            Some('\r') => Some("a carriage return (`\\r`)"),
            Some('\n') => Some("a newline (`\\n`)"),
            Some(_) => Some("NUL (`\\0`)"),
            None => None,
        };
        if let Some(character) = line_end {
            return Some(format!(
                "{name} is one line of text, so it cannot contain {character}; put it into the data"
            ));
        }
        match self {
            Field::Name if text.is_empty() => {
                Some("an event name cannot be empty; for an event without one, send its text itself".to_owned())
            }
            Field::Id if text.len() > LONGEST_ID => Some(format!(
                "an event id has at most {LONGEST_ID} bytes, and this one {}: clients send it back in a header",
                text.len()
            )),
            Field::Id if text.chars().any(|c| !matches!(c, ' '..='~')) || text.trim() != text => Some(
                "an event id is printable ASCII, without a space at either end: clients send it back in a header"
                    .to_owned(),
            ),
            Field::Name | Field::Id => None,
        }
    }
}

fn only_literal(arguments: TokenStream) -> Option<LitStr> {
    let mut tokens = arguments.into_iter();
    let first = tokens.next()?;
    match tokens.next() {
        None => {}
        Some(TokenTree::Punct(comma)) if comma.as_char() == ',' => {}
        Some(_) => return None,
    }
    syn::parse2(first.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_text(text: &str) -> (Option<String>, Vec<String>) {
        let mut found = Diagnostics::new();
        let body = Group::new(Delimiter::Brace, text.parse().unwrap());
        let hook = scan(&body, &mut found).map(|hook| hook.to_string());
        (hook, found.messages())
    }

    #[test]
    fn a_nested_hook_is_found_only_at_the_top() {
        let hook = "async fn on_disconnect(gone: Disconnect) {}";
        assert_eq!(scan_text(&format!("use x; {hook} work();")).0.as_deref(), Some("on_disconnect"));
        assert_eq!(scan_text(&format!("{{ {hook} }} work();")).0, None);
        assert_eq!(scan_text(&format!("{hook} sse.on_disconnect(on_disconnect);")).0, None);
        assert!(scan_text(&format!("{hook} sse.on_disconnect(|gone| async {{}});")).0.is_some());
        assert_eq!(scan_text("fn on_disconnect() {}").0, None);
        assert_eq!(scan_text("sse.on_disconnect(|gone| async {});").0, None);
    }

    #[test]
    fn a_nested_hook_that_forgot_async_is_a_mistake_unless_it_is_used() {
        let hook = "fn on_disconnect(gone: Disconnect) {}";
        assert_eq!(scan_text(hook).1.len(), 1);
        assert_eq!(scan_text(&format!("{hook} sse.on_disconnect(on_disconnect);")).1, [""; 0]);
        assert_eq!(scan_text("async fn on_disconnect(gone: Disconnect) {}").1, [""; 0]);
    }

    #[test]
    fn yield_is_one_mistake_unless_a_macro_has_its_own() {
        assert_eq!(scan_text("loop { yield 1; yield 2; }").1.len(), 1);
        assert_eq!(scan_text("let s = stream! { yield 1; }; yield 2;").1.len(), 1);
        assert_eq!(scan_text("let s = async_stream::stream! { for i in x { yield i; } };").1.len(), 0);
        assert_eq!(scan_text("let yields = r#yield;").1.len(), 0);
    }

    #[test]
    fn names_and_ids_of_several_lines_are_refused() {
        for text in [
            r#"sse.send(Event::new("a\nb")).await;"#,
            r#"Event::new("a\rb");"#,
            r#"sse_runtime::Event::new("a\0b", );"#,
            r#"Event::new("");"#,
            r#"Event::default().id("1\n2");"#,
            r#"EventName::from_static("a\nb");"#,
            r#"EventId::new("a\nb");"#,
            r#"EventId::from_static("größe");"#,
            r#"Event::new("x").json(&v)?.id(" 7");"#,
            &format!("Event::default().data(x).id({:?})", "7".repeat(129)),
            r#"if x { vec![Event::new("ok").id("a\nb")] }"#,
            "Event::new(r\"a\nb\");",
        ] {
            assert_eq!(scan_text(text).1.len(), 1, "{text}");
        }
    }

    #[test]
    fn other_literals_are_left_alone() {
        for text in [
            r#"Event::new("name").id("7").data("a\nb");"#,
            r#"Other::new("a\nb");"#,
            r#"Event::new(name("a\nb"));"#,
            r#"Event::new("a\nb".trim());"#,
            r#"Event::default().id("");"#,
            r#"row.id("größe"); calendar::Event::new("a\nb");"#,
            r#"Event::new("x").data(row.id("a b ")).id("7");"#,
        ] {
            assert_eq!(scan_text(text).1, [""; 0], "{text}");
        }
    }
}
