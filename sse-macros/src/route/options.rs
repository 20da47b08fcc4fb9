//! Settings become typed options, or mistakes at their values.

use super::{
    attribute::{Attribute, Key, Setting},
    values::{self, Method, Slow},
};
use crate::diagnostics::Diagnostics;
use proc_macro2::TokenStream;
use std::time::Duration;
use syn::{
    Expr, ExprArray, LitInt, LitStr,
    parse::{Parse, ParseStream, Parser},
};

/// A duration that `"off"` can switch off.
pub(crate) type Limit = Option<Duration>;

/// The options of a valid route. `None` is one that was not given: its default is the runtime's to choose.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) methods: Option<Vec<Method>>,
    pub(crate) keep_alive: Option<Limit>,
    pub(crate) retry: Option<Duration>,
    pub(crate) open_after: Option<Limit>,
    pub(crate) send_timeout: Option<Limit>,
    pub(crate) max_age: Option<Limit>,
    pub(crate) end: Option<LitStr>,
    pub(crate) max_event: Option<usize>,
    pub(crate) max_streams: Option<usize>,
    pub(crate) slow: Option<Slow>,
    pub(crate) run: Option<Run>,
    pub(crate) max_reply: Option<usize>,
    pub(crate) inbox: Option<usize>,
    pub(crate) bare: bool,
}

/// The options of a handler that outlives its connection.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Run {
    pub(crate) time: Duration,
    pub(crate) idle: Option<Limit>,
    pub(crate) keep: Option<Duration>,
    pub(crate) events: Option<u64>,
    pub(crate) bytes: Option<usize>,
    pub(crate) most: Option<usize>,
}

impl Options {
    /// A value that was refused leaves its option unset.
    pub(crate) fn validate(attribute: &Attribute, found: &mut Diagnostics) -> Self {
        let mut options = Options::default();
        let mut run = Run::default();
        for setting in &attribute.settings {
            match setting.key {
                Key::Methods => options.methods = methods(setting, found),
                Key::KeepAlive => options.keep_alive = limit(setting, Zero::Refused, found),
                Key::Retry => options.retry = retry(setting, found),
                Key::OpenAfter => options.open_after = limit(setting, Zero::Allowed, found),
                Key::SendTimeout => options.send_timeout = limit(setting, Zero::Refused, found),
                Key::MaxAge => options.max_age = limit(setting, Zero::Refused, found),
                Key::End => options.end = end(setting, found),
                Key::MaxEvent => options.max_event = max_event(setting, found),
                Key::MaxStreams => options.max_streams = count(setting, "streams may be open", found),
                Key::Run => run.time = positive(setting, found).unwrap_or_default(),
                Key::RunIdle => run.idle = limit(setting, Zero::Refused, found),
                Key::RunKeep => run.keep = text(setting, found, values::duration),
                Key::RunEvents => run.events = events(setting, found),
                Key::RunBytes => run.bytes = max_event(setting, found),
                Key::MaxRuns => run.most = count(setting, "runs may go on", found),
                Key::MaxReply => options.max_reply = max_event(setting, found),
                Key::Inbox => options.inbox = inbox(setting, found),
                Key::Slow => options.slow = text(setting, found, values::slow),
                Key::Bare => options.bare = bare(setting, found),
                // Needed whether or not the rest is valid: see `model::root`.
                Key::Crate => {}
            }
        }
        options.run(attribute, run, found);
        if options.bare {
            for setting in &attribute.settings {
                let why = match setting.key {
                    Key::End => "sends an event at the end",
                    Key::Retry => "is sent in an event",
                    _ => continue,
                };
                let name = setting.key.name();
                found.at(
                    setting.name.span(),
                    format!(
                        "`{name}` {why}, but a `bare` route adds no event of its own; remove one of the two"
                    ),
                );
            }
        }
        options
    }

    /// What is said of a run needs one.
    fn run(&mut self, attribute: &Attribute, run: Run, found: &mut Diagnostics) {
        if attribute.setting(Key::Run).is_some() {
            self.run = Some(run);
            return;
        }
        let of_runs = [Key::RunIdle, Key::RunKeep, Key::RunEvents, Key::RunBytes, Key::MaxRuns];
        let settings = attribute.settings.iter().filter(|setting| of_runs.contains(&setting.key));
        for setting in settings {
            let (name, form) = (setting.key.name(), Key::Run.form());
            found.at(
                setting.name.span(),
                format!(
                    "`{name}` is an option of a handler that goes on when its client leaves; add `{form}`, or remove it"
                ),
            );
        }
    }

    /// Whether the route answers GET alone, and so never sees a body.
    pub(crate) fn only_get(&self) -> bool {
        self.methods.as_deref().is_none_or(|methods| methods == [Method::Get])
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Zero {
    Allowed,
    Refused,
}

/// Reads the value as a `T`, or says how it is written.
fn value<T: Parse>(setting: &Setting, found: &mut Diagnostics) -> Option<T> {
    let tokens = setting.value.clone()?;
    match syn::parse2(tokens.clone()) {
        Ok(value) => Some(value),
        Err(_) => {
            let name = setting.key.name();
            let what = match setting.key {
                Key::End => "the name of an event, in quotes".to_owned(),
                Key::MaxEvent => "a size in quotes, or a number of bytes".to_owned(),
                Key::MaxStreams | Key::MaxRuns | Key::RunEvents => "a number".to_owned(),
                Key::Inbox => "a number".to_owned(),
                Key::RunBytes | Key::MaxReply => "a size in quotes, or a number of bytes".to_owned(),
                Key::Slow => format!("{}, in quotes", Slow::LIST),
                _ => "a duration in quotes, with its unit".to_owned(),
            };
            let form = match likely_text(setting.key, &tokens) {
                Some(text) => format!("{name} = \"{text}\""),
                None => setting.key.form().to_owned(),
            };
            found.over(tokens, format!("`{name}` is {what}; write `{form}`"));
            None
        }
    }
}

/// The text that was probably meant by a value that is no string.
fn likely_text(key: Key, value: &TokenStream) -> Option<String> {
    match key {
        Key::End | Key::MaxEvent | Key::MaxStreams => None,
        Key::RunEvents | Key::RunBytes | Key::MaxRuns | Key::MaxReply | Key::Inbox => None,
        // A word without its quotes, or the variant of an enum: `skip`, `Slow::Skip`.
        Key::Slow => value
            .clone()
            .into_iter()
            .last()
            .and_then(|last| Slow::likely(&last.to_string()))
            .map(str::to_owned),
        // A bare number is a duration without quotes and unit, in seconds as likely as not.
        _ => {
            let number = syn::parse2::<LitInt>(value.clone()).ok()?;
            number.suffix().is_empty().then(|| format!("{number}s"))
        }
    }
}

/// Hands the text of a string value to `read`, and its refusal back to the user.
fn text<T>(
    setting: &Setting,
    found: &mut Diagnostics,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let literal: LitStr = value(setting, found)?;
    refuse_at(&literal, found, read(&literal.value()))
}

fn refuse_at<T>(literal: &LitStr, found: &mut Diagnostics, result: Result<T, String>) -> Option<T> {
    result.map_err(|message| found.at(literal.span(), message)).ok()
}

fn limit(setting: &Setting, zero: Zero, found: &mut Diagnostics) -> Option<Limit> {
    text(setting, found, |text| match text {
        "off" => Ok(None),
        text => match values::duration(text)? {
            Duration::ZERO if zero == Zero::Refused => {
                let name = setting.key.name();
                Err(format!("`{name}` must be positive; to switch it off, write `{name} = \"off\"`"))
            }
            duration => Ok(Some(duration)),
        },
    })
}

fn retry(setting: &Setting, found: &mut Diagnostics) -> Option<Duration> {
    text(setting, found, |text| match text {
        "off" => Err("a client always has a delay before it reconnects; to leave it to the client, remove \
                      `retry`"
            .to_owned()),
        text => match values::duration(text)? {
            Duration::ZERO => {
                Err("`retry` must be positive: clients would reconnect without a pause".to_owned())
            }
            duration => Ok(duration),
        },
    })
}

fn end(setting: &Setting, found: &mut Diagnostics) -> Option<LitStr> {
    let name: LitStr = value(setting, found)?;
    refuse_at(&name, found, values::end_event(&name.value())).map(|()| name)
}

fn bare(setting: &Setting, found: &mut Diagnostics) -> bool {
    if let Some(value) = &setting.value {
        found.over(value, "`bare` takes no value; write `bare` alone");
    }
    true
}

/// `"256KiB"`, or a plain number of bytes.
enum Size {
    Text(LitStr),
    Bytes(LitInt),
}

impl Parse for Size {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitInt) { input.parse().map(Size::Bytes) } else { input.parse().map(Size::Text) }
    }
}

/// A time that is not zero.
fn positive(setting: &Setting, found: &mut Diagnostics) -> Option<Duration> {
    let (name, form) = (setting.key.name(), setting.key.form());
    text(setting, found, |text| match text {
        "off" => Err(format!("`{name}` says how long a run may take at most: `{form}`")),
        text => match values::duration(text)? {
            Duration::ZERO => Err(format!("`{name}` must be positive: `{form}`")),
            duration => Ok(duration),
        },
    })
}

fn events(setting: &Setting, found: &mut Diagnostics) -> Option<u64> {
    let number: LitInt = value(setting, found)?;
    match number.base10_parse() {
        Ok(events) if events > 0 && matches!(number.suffix(), "" | "u64" | "usize") => Some(events),
        _ => {
            let form = setting.key.form();
            found.at(number.span(), format!("write how many events a run may have: `{form}`"));
            None
        }
    }
}

fn inbox(setting: &Setting, found: &mut Diagnostics) -> Option<usize> {
    let number: LitInt = value(setting, found)?;
    match number.base10_parse() {
        Ok(replies) if replies > 0 && matches!(number.suffix(), "" | "usize") => Some(replies),
        _ => {
            let form = setting.key.form();
            found.at(number.span(), format!("write how many replies may wait for the handler: `{form}`"));
            None
        }
    }
}

/// Zero too: a route that is closed for the moment.
fn count(setting: &Setting, of_what: &str, found: &mut Diagnostics) -> Option<usize> {
    let number: LitInt = value(setting, found)?;
    match number.base10_parse() {
        Ok(streams) if matches!(number.suffix(), "" | "usize") => Some(streams),
        _ => {
            let form = setting.key.form();
            found.at(number.span(), format!("write how many {of_what} at a time: `{form}`"));
            None
        }
    }
}

fn max_event(setting: &Setting, found: &mut Diagnostics) -> Option<usize> {
    match value(setting, found)? {
        Size::Text(literal) => refuse_at(&literal, found, values::size(&literal.value())),
        Size::Bytes(number) => match number.base10_parse::<usize>() {
            Ok(bytes) if bytes > 0 && matches!(number.suffix(), "" | "usize") => Some(bytes),
            _ => {
                let form = setting.key.form();
                found.at(number.span(), format!("write a positive number of bytes, or a size: `{form}`"));
                None
            }
        },
    }
}

fn methods(setting: &Setting, found: &mut Diagnostics) -> Option<Vec<Method>> {
    let tokens = setting.value.clone()?;
    let form = Key::Methods.form();
    let Ok(array) = ExprArray::parse_list.parse2(tokens.clone()) else {
        match syn::parse2::<LitStr>(tokens.clone()) {
            Ok(literal) => {
                let name = literal.value().to_ascii_uppercase();
                found.over(tokens, format!("`methods` is a list; write `methods = [\"{name}\"]`"));
            }
            Err(_) => found.over(tokens, format!("`methods` is a list of strings; write `{form}`")),
        }
        return None;
    };
    if array.elems.is_empty() {
        found.over(tokens, format!("`methods` is empty, so no request would match; write `{form}`"));
        return None;
    }
    let mut methods = Vec::new();
    let mut complete = true;
    for element in &array.elems {
        let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(literal), .. }) = element else {
            found.over(element, format!("write each method as a string: `{form}`"));
            complete = false;
            continue;
        };
        match refuse_at(literal, found, values::method(&literal.value())) {
            Some(method) if methods.contains(&method) => {
                found.at(
                    literal.span(),
                    format!("\"{}\" is listed twice; remove one of the two", method.name()),
                );
                complete = false;
            }
            Some(method) => methods.push(method),
            None => complete = false,
        }
    }
    complete.then_some(methods)
}

/// `ExprArray` has no parser of its own in syn; a full expression has to be asked.
trait ParseList: Sized {
    fn parse_list(input: ParseStream<'_>) -> syn::Result<Self>;
}

impl ParseList for ExprArray {
    fn parse_list(input: ParseStream<'_>) -> syn::Result<Self> {
        match input.parse()? {
            Expr::Array(array) => Ok(array),
            // An expression handed through a `macro_rules!` macro.
            Expr::Group(group) => match *group.expr {
                Expr::Array(array) => Ok(array),
                other => Err(syn::Error::new_spanned(other, "expected a list")),
            },
            other => Err(syn::Error::new_spanned(other, "expected a list")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(text: &str) -> (Options, Vec<String>) {
        let mut found = Diagnostics::new();
        let attribute = Attribute::parse(format!("\"/a\", {text}").parse().unwrap(), &mut found);
        let options = Options::validate(&attribute, &mut found);
        let messages = found.messages();
        (options, messages)
    }

    #[test]
    fn every_option_has_a_meaning() {
        let (options, messages) = validate(
            r#"methods = ["GET", "POST"], keep_alive = "off", retry = "3s", open_after = "0s",
               send_timeout = "30s", max_age = "off", end = "done", max_event = 1024, max_streams = 500,
               slow = "latest", run = "15m", run_idle = "off", run_keep = "0s", run_events = 10,
               run_bytes = "1KiB", max_runs = 3, max_reply = "2KiB", inbox = 8"#,
        );
        assert!(messages.is_empty(), "{messages:?}");
        assert_eq!(options.methods, Some(vec![Method::Get, Method::Post]));
        assert_eq!(options.keep_alive, Some(None));
        assert_eq!(options.retry, Some(Duration::from_secs(3)));
        assert_eq!(options.open_after, Some(Some(Duration::ZERO)));
        assert_eq!(options.send_timeout, Some(Some(Duration::from_secs(30))));
        assert_eq!(options.max_age, Some(None));
        assert_eq!(options.end.unwrap().value(), "done");
        assert_eq!(options.max_event, Some(1024));
        assert_eq!(options.max_streams, Some(500));
        assert_eq!(options.slow, Some(Slow::Latest));
        let run = Run {
            time: Duration::from_secs(900),
            idle: Some(None),
            keep: Some(Duration::ZERO),
            events: Some(10),
            bytes: Some(1024),
            most: Some(3),
        };
        assert_eq!(options.run, Some(run));
        assert_eq!((options.max_reply, options.inbox), (Some(2048), Some(8)));
        assert!(!options.bare);
    }

    #[test]
    fn what_is_said_of_a_run_needs_one() {
        let (options, messages) = validate(r#"run_idle = "1m", max_runs = 3"#);
        assert_eq!((options.run, messages.len()), (None, 2), "{messages:?}");
        assert!(messages[0].starts_with("`run_idle` is an option of a handler that goes on"), "{messages:?}");
        assert!(messages[1].ends_with("add `run = \"15m\"`, or remove it"), "{messages:?}");
    }

    #[test]
    fn a_bare_route_contradicts_end_and_retry() {
        let (_, messages) = validate(r#"bare, end = "end", retry = "3s", keep_alive = "1s""#);
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].starts_with("`end` sends an event"));
        assert!(messages[1].starts_with("`retry` is sent"));
    }

    #[test]
    fn a_bare_route_can_treat_slow_clients() {
        let (options, messages) = validate(r#"bare, slow = "skip""#);
        assert!(messages.is_empty(), "{messages:?}");
        assert!(options.bare);
        assert_eq!(options.slow, Some(Slow::Skip));
    }

    #[test]
    fn an_option_that_is_not_given_stays_the_runtimes_to_choose() {
        let (options, messages) = validate("");
        assert!(messages.is_empty(), "{messages:?}");
        assert_eq!(options.slow, None);
    }

    #[test]
    fn wrong_values_are_refused_with_the_form() {
        for (text, hint) in [
            ("keep_alive = 15", "write `keep_alive = \"15s\"`"),
            ("keep_alive = \"0s\"", "keep_alive = \"off\""),
            ("retry = \"off\"", "remove `retry`"),
            ("retry = \"0s\"", "positive"),
            ("methods = \"get\"", "write `methods = [\"GET\"]`"),
            ("methods = []", "is empty"),
            ("methods = [GET]", "as a string"),
            ("methods = GET", "a list of strings"),
            ("methods = [\"GET\", \"GET\"]", "listed twice"),
            ("bare = true", "takes no value"),
            ("end = end", "write `end = \"end\"`"),
            ("end = 3", "write `end = \"end\"`"),
            ("end = \"error\"", "of its own"),
            ("max_event = 0", "positive"),
            ("max_event = 1u8", "positive number of bytes"),
            ("max_event = 1.5", "write `max_event = \"256KiB\"`"),
            ("max_streams = \"1000\"", "write `max_streams = 1000`"),
            ("max_streams = 1k", "write how many streams"),
            ("max_streams = -1", "write how many streams"),
            ("inbox = 0", "how many replies may wait"),
            ("inbox = \"8\"", "write `inbox = 16`"),
            ("max_reply = 1.5", "write `max_reply = \"64KiB\"`"),
            ("run = \"off\"", "at most: `run = \"15m\"`"),
            ("run = \"0s\"", "must be positive"),
            ("run = 15", "write `run = \"15s\"`"),
            ("run = \"1m\", run_events = 0", "how many events a run may have"),
            ("run = \"1m\", run_bytes = true", "write `run_bytes = \"16MiB\"`"),
            ("run = \"1m\", max_runs = \"3\"", "write `max_runs = 100`"),
            ("run = \"1m\", run_idle = \"0s\"", "run_idle = \"off\""),
            ("slow = \"skp\"", "did you mean \"skip\"?"),
            ("slow = 3", "write `slow = \"skip\"`"),
            ("slow = true", "write `slow = \"skip\"`"),
            ("slow = latest", "write `slow = \"latest\"`"),
            ("slow = Slow::Disconnect", "write `slow = \"disconnect\"`"),
        ] {
            let (_, messages) = validate(text);
            assert_eq!(messages.len(), 1, "{text}: {messages:?}");
            assert!(messages[0].contains(hint), "{text}: {messages:?}");
        }
    }
}
