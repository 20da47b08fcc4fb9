//! The texts inside option values: `"15s"`, `"256KiB"`, `"GET"`.
//!
//! Pure functions on strings; each refuses with a message that says what to write instead.

use crate::suggest;
use std::time::Duration;

/// A duration such as `500ms`, `15s`, `1.5s`, `2m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a whole number and a unit (ms, s, m or h), such as \"15s\"";
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split).unwrap_or((text, ""));
    if number.is_empty() {
        return Err(format!("\"{text}\" is not a duration; {FORM}"));
    }
    let unit_millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" => return Err(format!("\"{text}\" has no unit; write \"{number}s\" or \"{number}ms\"")),
        _ => {
            let meant = match unit.trim().trim_end_matches('s') {
                "sec" | "second" | "" | "S" => "s",
                "min" | "minute" | "M" => "m",
                "hour" | "hr" | "H" => "h",
                "milli" | "msec" | "millisecond" | "m" => "ms",
                _ => return Err(format!("\"{text}\" has no unit we know; {FORM}")),
            };
            return Err(format!("\"{text}\" is not a duration; write \"{number}{meant}\""));
        }
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let out_of_range = || format!("\"{text}\" is longer than anybody will wait");
    let malformed = || format!("\"{text}\" is not a duration; {FORM}");
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(malformed());
    }
    let whole: u64 = whole.parse().map_err(|_| out_of_range())?;
    let mut millis = whole.checked_mul(unit_millis).ok_or_else(out_of_range)?;
    let mut weight = unit_millis;
    for digit in fraction.chars().filter_map(|c| c.to_digit(10)) {
        if digit > 0 && weight % 10 != 0 {
            return Err(format!("\"{text}\" is finer than a millisecond; write it in whole milliseconds"));
        }
        weight /= 10;
        millis = millis.checked_add(weight * u64::from(digit)).ok_or_else(out_of_range)?;
    }
    Ok(Duration::from_millis(millis))
}

/// A size in bytes such as `512B`, `64KiB` or `1MiB`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split).unwrap_or((text, ""));
    let form = "write a whole number and a unit (B, KiB or MiB), such as \"256KiB\"";
    if number.is_empty() {
        return Err(format!("\"{text}\" is not a size; {form}"));
    }
    let factor: usize = match unit {
        "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "" => return Err(format!("\"{text}\" has no unit; write \"{number}KiB\", or {number} for bytes")),
        _ => {
            let meant = match unit.trim().to_ascii_lowercase().as_str() {
                "k" | "kb" | "kib" => "KiB",
                "m" | "mb" | "mib" => "MiB",
                "b" | "byte" | "bytes" => "B",
                _ => return Err(format!("\"{text}\" has no unit we know; {form}")),
            };
            return Err(format!("\"{text}\" is not a size; write \"{number}{meant}\""));
        }
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(factor));
    match bytes {
        Some(0) => Err("a size must be positive: no event fits into 0 bytes".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err(format!("\"{text}\" is more memory than there is")),
    }
}

/// An HTTP method that can open a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
}

impl Method {
    const ALL: [Method; 4] = [Method::Get, Method::Post, Method::Put, Method::Patch];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
        }
    }
}

/// A method by its upper-case name.
pub(crate) fn method(text: &str) -> Result<Method, String> {
    if let Some(method) = Method::ALL.into_iter().find(|method| method.name() == text) {
        return Ok(method);
    }
    let upper = text.to_ascii_uppercase();
    if Method::ALL.iter().any(|method| method.name() == upper) {
        return Err(format!("methods are upper-case; write \"{upper}\""));
    }
    match upper.as_str() {
        "HEAD" => Err("every route answers HEAD by itself; remove \"HEAD\"".to_owned()),
        "DELETE" | "OPTIONS" | "TRACE" | "CONNECT" => {
            Err(format!("a {upper} request opens no stream; write \"GET\", \"POST\", \"PUT\" or \"PATCH\""))
        }
        _ => {
            let near = suggest::nearest(text, Method::ALL.map(Method::name));
            let near = near.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
            Err(format!("there is no method \"{text}\"{near} (GET, POST, PUT and PATCH can open a stream)"))
        }
    }
}

/// What happens to a client that is too slow for the topic it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    Disconnect,
    Skip,
    Latest,
}

impl Slow {
    /// Every value as it is written, for messages.
    pub(crate) const LIST: &str = "\"disconnect\", \"skip\" or \"latest\"";

    const ALL: [Slow; 3] = [Slow::Disconnect, Slow::Skip, Slow::Latest];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Slow::Disconnect => "disconnect",
            Slow::Skip => "skip",
            Slow::Latest => "latest",
        }
    }

    /// The name of the runtime's variant.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Slow::Disconnect => "Disconnect",
            Slow::Skip => "Skip",
            Slow::Latest => "Latest",
        }
    }

    /// The value that was probably meant.
    pub(crate) fn likely(text: &str) -> Option<&'static str> {
        suggest::nearest(text, Slow::ALL.map(Slow::name))
    }
}

/// A fate of slow clients by its name.
pub(crate) fn slow(text: &str) -> Result<Slow, String> {
    Slow::ALL.into_iter().find(|slow| slow.name() == text).ok_or_else(|| {
        let near = Slow::likely(text).map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
        format!("`slow` cannot be \"{text}\"{near} (it is {})", Slow::LIST)
    })
}

/// The name of the event that ends a stream.
pub(crate) fn end_event(name: &str) -> Result<(), String> {
    match name {
        "" => Err("the end event needs a name; write `end = \"end\"`".to_owned()),
        "open" | "error" => Err(format!(
            "EventSource fires `{name}` events of its own, so pages could not tell yours from them; write \
             another name, such as \"end\""
        )),
        _ if name.contains(['\r', '\n', '\0']) => {
            Err("an event name is one line: it cannot contain CR, LF or NUL".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, millis) in [
            ("500ms", 500),
            ("15s", 15_000),
            ("1.5s", 1_500),
            ("0.25s", 250),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1.5h", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_wrong_duration_is_answered_with_the_right_one() {
        for (text, hint) in [
            ("15", "\"15s\""),
            ("15 s", "\"15s\""),
            ("15sec", "\"15s\""),
            ("2min", "\"2m\""),
            ("5S", "\"5s\""),
            ("-5s", "such as \"15s\""),
            ("", "such as \"15s\""),
            (".5s", "such as \"15s\""),
            ("1.2.3s", "such as \"15s\""),
            ("3 fortnights", "such as \"15s\""),
            ("0.0005s", "whole milliseconds"),
            ("99999999999999999999s", "longer than"),
            ("18446744073709551615h", "longer than"),
        ] {
            let message = duration(text).unwrap_err();
            assert!(message.contains(hint), "{text}: {message}");
        }
    }

    #[test]
    fn sizes_are_read_in_binary_units() {
        assert_eq!(size("512B"), Ok(512));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1MiB"), Ok(1_048_576));
    }

    #[test]
    fn a_wrong_size_is_answered_with_the_right_one() {
        for (text, hint) in [
            ("64", "\"64KiB\", or 64 for bytes"),
            ("64KB", "\"64KiB\""),
            ("64 kib", "\"64KiB\""),
            ("1M", "\"1MiB\""),
            ("0B", "positive"),
            ("big", "such as \"256KiB\""),
            ("64parsec", "such as \"256KiB\""),
            ("99999999999999999999MiB", "more memory"),
        ] {
            let message = size(text).unwrap_err();
            assert!(message.contains(hint), "{text}: {message}");
        }
    }

    #[test]
    fn methods_are_upper_case() {
        assert_eq!(method("PATCH"), Ok(Method::Patch));
        assert!(method("get").unwrap_err().contains("write \"GET\""));
        assert!(method("GTE").unwrap_err().contains("did you mean \"GET\"?"));
        assert!(method("HEAD").unwrap_err().contains("by itself"));
        assert!(method("DELETE").unwrap_err().contains("opens no stream"));
        assert!(method("BREW").unwrap_err().contains("no method \"BREW\""));
    }

    #[test]
    fn a_slow_client_has_three_fates() {
        for (text, value) in
            [("disconnect", Slow::Disconnect), ("skip", Slow::Skip), ("latest", Slow::Latest)]
        {
            assert_eq!(slow(text), Ok(value));
            assert_eq!(value.variant().to_lowercase(), text);
            assert!(Slow::LIST.contains(&format!("\"{text}\"")), "{text}");
        }
    }

    #[test]
    fn a_wrong_fate_is_answered_with_the_right_ones() {
        for (text, near) in [
            ("Skip", "did you mean \"skip\"?"),
            ("skpi", "did you mean \"skip\"?"),
            ("lastest", "did you mean \"latest\"?"),
            ("dis_connect", "did you mean \"disconnect\"?"),
            ("buffer", "cannot be \"buffer\" ("),
            ("off", "cannot be \"off\" ("),
            ("", "cannot be \"\" ("),
        ] {
            let message = slow(text).unwrap_err();
            assert!(message.contains(near), "{text}: {message}");
            assert!(message.ends_with("(it is \"disconnect\", \"skip\" or \"latest\")"), "{text}: {message}");
        }
    }

    #[test]
    fn an_end_event_needs_a_name_of_its_own() {
        assert_eq!(end_event("end"), Ok(()));
        for name in ["", "open", "error", "a\nb", "a\rb", "a\0b"] {
            assert!(end_event(name).is_err(), "{name:?}");
        }
    }
}
