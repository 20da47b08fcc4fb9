//! The path literal: axum 0.8's syntax, stricter.
//!
//! axum takes `/a?b`, `{id:u32}`, `<id>` and a repeated `{id}` as they stand, and then never matches, or
//! binds the wrong one; the rest it refuses when the program starts. Here all of that is a compile error.
//!
//! ```text
//! path     = "/" [ segment { "/" segment } ]
//! segment  = { char | "{{" | "}}" } [ "{" name "}" | "{*" name "}" ]     the last form in the last segment only
//! ```

use proc_macro2::Ident;
use syn::{ext::IdentExt, parse::Parser};

/// The matcher behind axum numbers the parameters of a path with the letters of the alphabet, and panics
/// after the last.
const MOST_PARAMETERS: usize = 25;

/// A path that axum accepts and every `{parameter}` of which can be an argument.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// In the order in which they stand; without `r#`.
    pub(crate) parameters: Vec<String>,
}

impl Path {
    /// Every mistake is reported, at most one a segment.
    pub(crate) fn parse(text: &str) -> Result<Path, Vec<String>> {
        let mut mistakes = Vec::new();
        match start(text) {
            Ok(()) => {}
            Err(Start::Relative(message)) => mistakes.push(message),
            Err(Start::Other(message)) => return Err(vec![message]),
        }
        let (text, tail) = without_query(text.strip_prefix('/').unwrap_or(text));
        mistakes.extend(tail.map(|tail| match tail.starts_with('?') {
            true => format!(
                "`{tail}` is a query, which is no part of a path; remove it and add a `Query(..)` argument"
            ),
            false => format!("`{tail}` is a fragment, which browsers never send; remove it"),
        }));
        let mut parameters: Vec<String> = Vec::new();
        let segments: Vec<&str> = text.split('/').collect();
        for (position, segment) in segments.iter().enumerate() {
            match read_segment(segment) {
                Ok(None) => {}
                Ok(Some(Parameter { name, rest: true })) if position + 1 < segments.len() => {
                    mistakes.push(format!("`{{*{name}}}` takes the rest of the path, so it must be its end"));
                }
                Ok(Some(Parameter { name, .. })) if parameters.contains(&name) => {
                    mistakes
                        .push(format!("`{{{name}}}` appears twice; give each parameter a name of its own"));
                }
                Ok(Some(Parameter { name, .. })) => parameters.push(name),
                Err(Mistake::Unclosed(message)) => {
                    // What follows is inside the brace as likely as not.
                    mistakes.push(message);
                    break;
                }
                Err(Mistake::Other(message)) => mistakes.push(message),
            }
        }
        if parameters.len() > MOST_PARAMETERS {
            mistakes.push(format!(
                "a path can have {MOST_PARAMETERS} parameters; this one has {}",
                parameters.len()
            ));
        }
        if mistakes.is_empty() { Ok(Path { parameters }) } else { Err(mistakes) }
    }
}

#[derive(Debug)]
struct Parameter {
    name: String,
    /// `{*name}`: takes the rest of the path.
    rest: bool,
}

enum Mistake {
    Unclosed(String),
    Other(String),
}

impl From<String> for Mistake {
    fn from(message: String) -> Self {
        Mistake::Other(message)
    }
}

/// What can be wrong with a path's beginning.
enum Start {
    /// The rest can be read as if the `/` were there.
    Relative(String),
    Other(String),
}

fn start(text: &str) -> Result<(), Start> {
    if text.is_empty() {
        return Err(Start::Other("the path is empty; write \"/\" for the root".to_owned()));
    }
    if let Some((_, rest)) = text.split_once("://") {
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
        return Err(Start::Other(format!("this is a URL; write its path alone: \"{path}\"")));
    }
    if !text.starts_with('/') {
        let path = text.trim_start_matches("./");
        return Err(Start::Relative(format!("a path starts with `/`; write \"/{path}\"")));
    }
    Ok(())
}

/// Cuts at the first `?` or `#` that stands outside of braces.
fn without_query(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '?' | '#' if depth == 0 => {
                return text.split_at_checked(at).map_or((text, None), |(path, tail)| (path, Some(tail)));
            }
            _ => {}
        }
    }
    (text, None)
}

fn read_segment(segment: &str) -> Result<Option<Parameter>, Mistake> {
    if let Some(name) = segment.strip_prefix(':') {
        return Err(format!("`{segment}` is the syntax of older routers; write `{{{name}}}`").into());
    }
    if let Some(name) = segment.strip_prefix('*') {
        let name = if name.is_empty() { "rest" } else { name };
        return Err(format!(
            "`{segment}` is the syntax of older routers; for the rest of the path, write `{{*{name}}}`"
        )
        .into());
    }
    if let Some((_, inner)) = segment.split_once('<') {
        if let Some((inner, _)) = inner.split_once('>') {
            let name = inner.rsplit(':').next().unwrap_or(inner);
            let meant =
                name.strip_suffix("..").map_or_else(|| format!("{{{name}}}"), |rest| format!("{{*{rest}}}"));
            return Err(format!("`<{inner}>` is the syntax of other frameworks; write `{meant}`").into());
        }
    }
    let mut rest = segment.chars();
    while let Some(character) = rest.next() {
        let doubled = rest.as_str().starts_with(character);
        match character {
            '{' | '}' if doubled => {
                rest.next();
            }
            '{' => return read_parameter(rest.as_str()).map(Some),
            '}' => {
                return Err("`}` closes nothing; write `}}` if the path contains a brace".to_owned().into());
            }
            ' ' | '\t' | '\r' | '\n' => {
                return Err(
                    format!("`{segment}` contains white space; requests encode a space as `%20`").into()
                );
            }
            character if character.is_control() => {
                return Err(format!("{segment:?} contains a control character, which no request can").into());
            }
            character if !character.is_ascii() => {
                let encoded: String =
                    character.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")).collect();
                return Err(format!("requests encode `{character}`; write `{encoded}`").into());
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Reads on behind the opening brace, up to the end of the segment.
fn read_parameter(text: &str) -> Result<Parameter, Mistake> {
    let Some((inner, after)) = text.split_once('}') else {
        let name = text.split([':', '{']).next().unwrap_or_default();
        return Err(Mistake::Unclosed(format!("`{{{text}` is never closed; write `{{{name}}}`")));
    };
    if let Some((name, kind)) = inner.split_once(':') {
        // A pattern may bring braces of its own, so nothing behind the colon is looked at.
        let (name, kind) = (name.trim(), kind.trim());
        let kind = if is_identifier(kind) { kind } else { "String" };
        return Err(format!(
            "the path only names a parameter, its argument gives the type; write `{{{name}}}` and the argument \
             `{name}: {kind}`"
        )
        .into());
    }
    if inner.contains('{') {
        return Err(format!("`{{{inner}}}` nests braces; a parameter is written `{{name}}`").into());
    }
    if after.starts_with('}') {
        return Err(format!("`{{{inner}}}{after}` has more closing braces than opening ones").into());
    }
    let (name, rest) = inner.strip_prefix('*').map_or((inner, false), |name| (name, true));
    let name = name_of_argument(name)?;
    if after.is_empty() {
        return Ok(Parameter { name, rest });
    }
    let parameter = format!("{{{inner}}}");
    Err(if after.contains('{') {
        format!("one parameter a segment: put a `/` behind `{parameter}`, or take both as one and split it in the handler")
    } else {
        format!("nothing can follow `{parameter}` in its segment; remove `{after}`, or let the handler check it")
    }
    .into())
}

/// Refuses names that no argument can carry.
fn name_of_argument(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("a parameter needs a name, such as `{id}`".to_owned());
    }
    if let Some(plain) = name.strip_prefix("r#") {
        return Err(format!("write `{{{plain}}}`; the argument is then `{name}`"));
    }
    if matches!(name, "_" | "self" | "Self" | "super" | "crate") {
        return Err(format!("no argument can be named `{name}`; give this parameter another name"));
    }
    if let Some(optional) = name.strip_suffix('?') {
        return Err(format!(
            "`{{{name}}}`: no parameter is optional; write `{{{optional}}}`, and a second route without it"
        ));
    }
    if is_identifier(name) {
        return Ok(name.to_owned());
    }
    let mut meant: String = name.trim().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    if meant.starts_with(|c: char| c.is_numeric()) {
        meant.insert(0, '_');
    }
    Err(match is_identifier(&meant) {
        true => format!("no argument can be named `{name}`; write `{{{meant}}}` and the argument `{meant}`"),
        false => format!("no argument can be named `{name}`; a parameter is written like `{{id}}`"),
    })
}

fn is_identifier(name: &str) -> bool {
    name.chars().all(|c| c == '_' || c.is_alphanumeric()) && Ident::parse_any.parse_str(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(path: &str) -> Vec<String> {
        Path::parse(path).unwrap_or_else(|mistakes| panic!("{path}: {mistakes:?}")).parameters
    }

    fn mistake(path: &str) -> String {
        let mistakes = Path::parse(path).expect_err(path);
        assert_eq!(mistakes.len(), 1, "{path}: {mistakes:?}");
        mistakes.into_iter().next().unwrap()
    }

    #[test]
    fn axum_paths_are_read() {
        assert_eq!(parameters("/"), [""; 0]);
        assert_eq!(parameters("/jobs/events/"), [""; 0]);
        assert_eq!(parameters("/jobs/{id}/events"), ["id"]);
        assert_eq!(parameters("/{a}/{b}"), ["a", "b"]);
        assert_eq!(parameters("/user-{id}"), ["id"]);
        assert_eq!(parameters("/files/{*rest}"), ["rest"]);
        assert_eq!(parameters("/{match}/{größe}"), ["match", "größe"]);
        assert_eq!(parameters("/caf%C3%A9/a:b/a*b"), [""; 0]);
    }

    #[test]
    fn doubled_braces_are_text() {
        assert_eq!(parameters("/{{id}}"), [""; 0]);
        assert_eq!(parameters("/{{x}}-{id}"), ["id"]);
    }

    #[test]
    fn a_path_is_absolute() {
        assert!(mistake("").contains("write \"/\""));
        assert!(mistake("jobs/{id}").contains("write \"/jobs/{id}\""));
        assert!(mistake("./jobs").contains("write \"/jobs\""));
        assert!(mistake("http://example.com/jobs").contains("alone: \"/jobs\""));
    }

    #[test]
    fn parameters_of_other_routers_are_translated() {
        assert!(mistake("/jobs/:id/events").contains("write `{id}`"));
        assert!(mistake("/jobs/<id>").contains("write `{id}`"));
        assert!(mistake("/jobs/<int:id>").contains("write `{id}`"));
        assert!(mistake("/files/<rest..>").contains("write `{*rest}`"));
        assert!(mistake("/files/*rest").contains("write `{*rest}`"));
        assert!(mistake("/files/*").contains("write `{*rest}`"));
    }

    #[test]
    fn a_parameter_has_no_type() {
        assert!(mistake("/jobs/{id:u32}").contains("write `{id}` and the argument `id: u32`"));
        assert!(mistake("/jobs/{id:[0-9]{3}}").contains("write `{id}` and the argument `id: String`"));
    }

    #[test]
    fn braces_are_balanced() {
        assert!(mistake("/jobs/{id").contains("never closed; write `{id}`"));
        assert!(mistake("/jobs/{id/events}").contains("never closed"));
        assert!(mistake("/jobs/id}").contains("closes nothing"));
        assert!(mistake("/jobs/{a{b}}").contains("nests"));
        assert!(mistake("/jobs/{id}}").contains("more closing"));
        assert!(mistake("/jobs/{}").contains("needs a name"));
        assert!(mistake("/jobs/{*}").contains("needs a name"));
    }

    #[test]
    fn a_parameter_ends_its_segment() {
        assert!(mistake("/{a}-{b}").contains("one parameter a segment"));
        assert!(mistake("/{a}{b}").contains("one parameter a segment"));
        assert!(mistake("/{id}.json").contains("remove `.json`"));
        assert!(mistake("/{*rest}/events").contains("must be its end"));
    }

    #[test]
    fn a_parameter_name_can_be_an_argument() {
        assert!(mistake("/{job-id}").contains("write `{job_id}`"));
        assert!(mistake("/{1st}").contains("write `{_1st}`"));
        assert!(mistake("/{ id }").contains("write `{id}`"));
        assert!(mistake("/{self}").contains("another name"));
        assert!(mistake("/{r#match}").contains("write `{match}`"));
        assert!(mistake("/{id?}").contains("optional"));
        assert!(mistake("/{id}/{id}").contains("appears twice"));
    }

    #[test]
    fn what_no_request_path_contains_is_refused() {
        assert!(mistake("/jobs?page=1").contains("`Query(..)`"));
        assert!(mistake("/jobs#top").contains("fragment"));
        assert!(mistake("/my jobs").contains("%20"));
        assert!(mistake("/café").contains("write `%C3%A9`"));
        assert!(mistake("/a\u{7}").contains("control character"));
    }

    #[test]
    fn each_segment_reports_its_own_mistake() {
        let mistakes = Path::parse("/:a/<b>/{c:u8}?d").unwrap_err();
        assert_eq!(mistakes.len(), 4, "{mistakes:?}");
    }

    #[test]
    fn more_parameters_than_the_router_can_number_are_refused() {
        let path: String = (0..26).map(|n| format!("/{{p{n}}}")).collect();
        assert!(mistake(&path).contains("25 parameters"));
    }
}
