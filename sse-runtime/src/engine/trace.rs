//! Which request an event comes from, for those who trace.

use std::fmt;
use std::str::FromStr;

/// The span that published an event, as W3C Trace Context writes it: `traceparent`.
///
/// Whatever it was made from, it is 55 characters of lowercase hexadecimal and `-`.
///
/// ```
/// use sse_runtime::engine::{InvalidTraceParent, TraceParent};
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let trace: TraceParent = text.parse()?;
/// assert_eq!(trace.to_string(), text);
/// assert!("00-4bf92f35-00f067aa-01".parse::<TraceParent>().is_err());
/// # Ok::<(), InvalidTraceParent>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent([u8; LENGTH]);

const LENGTH: usize = 55;

/// A text is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a traceparent: it is `00-<32 digits>-<16 digits>-<2 digits>`, in lowercase hexadecimal, neither id all zeros"
)]
pub struct InvalidTraceParent(());

impl TraceParent {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().map_err(|_| InvalidTraceParent(()))?;
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let is_hexadecimal =
                |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            parts.next().filter(|part| part.len() == digits).filter(is_hexadecimal)
        };
        let (version, trace, span, flags) = (part(2), part(32), part(16), part(2));
        let is_id = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|byte| byte != b'0'));
        // 255 is forbidden. Versions to come begin like this one.
        let is_valid = version.is_some_and(|version| version != "ff") && is_id(trace) && is_id(span);
        (is_valid && flags.is_some()).then_some(Self(bytes)).ok_or(InvalidTraceParent(()))
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceParent").field(&self.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_traceparent_is_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(good.parse::<TraceParent>().map(|trace| trace.to_string()), Ok(good.to_owned()));
        assert!(good.replacen("00", "01", 1).parse::<TraceParent>().is_ok(), "a version to come");
        let bad = [
            String::new(),
            good.to_uppercase(),
            format!("{good} "),
            format!("{good}-more"),
            good.replacen("00", "ff", 1),
            good.replace('-', "\n"),
            good.replace("-01", "-0\r"),
            good.replace("-01", "-0x"),
            good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            good.replace("00-4bf9", "0-04bf9"),
            good.replace("-01", "é1"),
        ];
        for text in bad {
            assert!(text.parse::<TraceParent>().is_err(), "{text:?}");
        }
    }
}
