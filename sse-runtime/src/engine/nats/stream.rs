//! The stream that holds the log: which log it is, what it has to be, and how its sequence becomes our numbers.
//!
//! Its one subject says which log it is: `<stream>.<epoch>-<birth>.>`, both hexadecimal, birth in microseconds since 1970.
//! So a node that has not noticed yet that there is another stream of the same name cannot publish into that: nobody
//! listens on its subject any more. (The settings that a stream has for such words, its metadata, need a server of
//! 2.10.)
//!
//! | a node whose hub has the epoch | numbers a record by |
//! |---|---|
//! | of the stream | its sequence |
//! | of the stream, which ends with `-again` | birth + sequence |
//! | of another stream, which was there before | birth + sequence |
//!
//! The second and the third are for a log that was lost under a hub that runs, whose epoch cannot change. All nodes then add
//! the same, without having spoken, and it is more than any number they have given out: there are fewer than a million
//! events a second. A node that finds no stream makes one `-again`, with its own epoch; one that starts makes a fresh
//! one.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::api::{Api, code, number};
use super::error::NatsError;
use super::{Options, Storage};

/// A name of a stream that has been seen: which log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) epoch: u64,
    /// When it was made, in microseconds since 1970.
    birth: u64,
    /// In place of another one, under hubs that ran.
    again: bool,
}

/// A stream that is a log, and what it has.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) identity: Identity,
    /// The oldest sequence that is there, or the one after the last.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) replicas: u64,
    config: Value,
}

impl Identity {
    pub(super) fn fresh(epoch: u64) -> Self {
        Self { epoch, birth: now(), again: false }
    }

    /// In place of a log that is gone, of which this number was given out.
    pub(super) fn again(epoch: u64, known: u64) -> Self {
        Self { epoch, birth: now().max(known.saturating_add(1)), again: true }
    }

    /// What a hub with this epoch adds to a sequence.
    pub(super) fn offset(self, epoch: u64) -> u64 {
        if epoch == self.epoch && !self.again { 0 } else { self.birth }
    }

    /// What its subjects begin with.
    pub(super) fn prefix(self, stream: &str) -> String {
        let Self { epoch, birth, again } = self;
        format!("{stream}.{epoch:x}-{birth:x}{}.", if again { "-again" } else { "" })
    }

    fn parse(subject: &str, stream: &str) -> Option<Self> {
        let token = subject.strip_prefix(stream)?.strip_prefix('.')?.strip_suffix(".>")?;
        let mut parts = token.split('-');
        let hexadecimal =
            |part: Option<&str>| u64::from_str_radix(part?, 16).ok().filter(|&number| number > 0);
        let (epoch, birth) = (hexadecimal(parts.next())?, hexadecimal(parts.next())?);
        let again = match parts.next() {
            None => false,
            Some("again") => true,
            Some(_) => return None,
        };
        let identity = Self { epoch, birth, again };
        // As it is written, and no other way.
        (identity.prefix(stream).strip_suffix('.') == subject.strip_suffix(".>")).then_some(identity)
    }
}

/// The stream, if there is one.
pub(super) async fn find(api: &Api, options: &Options) -> Result<Option<Found>, NatsError> {
    match api.ask("say what the stream has", "STREAM.INFO", &json!({})).await {
        Ok(info) => identify(&info, &options.stream).map(Some),
        Err(NatsError::Refused { code: code::NO_STREAM, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes it, unless somebody else was faster.
pub(super) async fn create(api: &Api, options: &Options, identity: Identity) -> Result<Found, NatsError> {
    let mut config = json!({
        "name": options.stream,
        "description": "events for browsers, by sse-runtime",
        "subjects": [format!("{}>", identity.prefix(&options.stream))],
        "retention": "limits",
        "discard": "old",
        "max_consumers": -1,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_bytes": 1_u64 << 30,
        "max_age": nanoseconds(Duration::from_secs(24 * 3600)),
        "storage": "file",
        "num_replicas": 1,
    });
    change(&mut config, options);
    match api.ask("make the stream", "STREAM.CREATE", &config).await {
        Ok(_) | Err(NatsError::Refused { code: code::NAME_IN_USE, .. }) => {}
        Err(error) => return Err(error),
    }
    let gone =
        NatsError::Refused { doing: "make the stream", code: 0, reason: "it is gone again".to_owned() };
    find(api, options).await?.ok_or(gone)
}

/// Brings a stream that was there to the limits that this program asks for.
pub(super) async fn limit(api: &Api, options: &Options, found: &Found) -> Result<(), NatsError> {
    if let Some(storage) = options.storage {
        let has = found.config.get("storage").and_then(Value::as_str).unwrap_or_default();
        if has != storage.word() {
            let reason = format!("its storage is {has}, which cannot be changed to {}", storage.word());
            return Err(foreign(&options.stream, reason));
        }
    }
    let mut config = found.config.clone();
    change(&mut config, options);
    if config == found.config {
        return Ok(());
    }
    api.ask("change the stream's limits", "STREAM.UPDATE", &config).await.map(drop)
}

/// Writes what was asked for into a stream's settings; the rest stays.
fn change(config: &mut Value, options: &Options) {
    let limits = &options.limits;
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config[name] = value;
        }
    };
    set("max_age", limits.age.map(|age| nanoseconds(age).into()));
    set("max_bytes", limits.bytes.map(Into::into));
    set("max_msgs", limits.events.map(Into::into));
    set("num_replicas", limits.replicas.map(Into::into));
    set("storage", options.storage.map(|storage| storage.word().into()));
    set("duplicate_window", options.dedupe_window.map(|window| nanoseconds(window).into()));
    // The server wants it so.
    let age = number(config, "max_age").filter(|&age| age > 0).unwrap_or(u64::MAX);
    let window = number(config, "duplicate_window").unwrap_or(nanoseconds(Duration::from_secs(120)));
    config["duplicate_window"] = window.min(age).into();
}

fn identify(info: &Value, stream: &str) -> Result<Found, NatsError> {
    let refuse = |reason: String| Err(foreign(stream, reason));
    let nothing = Value::Null;
    let (config, state) = (info.get("config").unwrap_or(&nothing), info.get("state").unwrap_or(&nothing));
    let subjects = config.get("subjects").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let identity = match subjects {
        [Value::String(subject)] => Identity::parse(subject, stream),
        _ => None,
    };
    let Some(identity) = identity else {
        return refuse(format!("its subjects are {}", Value::from(subjects.to_vec())));
    };
    let word = |name| config.get(name).and_then(Value::as_str).unwrap_or_default();
    if word("retention") != "limits" {
        return refuse(format!("it keeps events by {:?}, not by limits", word("retention")));
    }
    if config.get("max_msgs_per_subject").and_then(Value::as_i64).is_some_and(|most| most > 0) {
        return refuse("it has a limit for each subject, so that nobody can tell what is missing".to_owned());
    }
    if config.get("no_ack").and_then(Value::as_bool) == Some(true) {
        return refuse("it does not say what it has stored".to_owned());
    }
    let (Some(first), Some(last)) = (number(state, "first_seq"), number(state, "last_seq")) else {
        return refuse("the server does not say what it has".to_owned());
    };
    let replicas = number(config, "num_replicas").unwrap_or(1);
    Ok(Found { identity, first, last, replicas, config: config.clone() })
}

fn foreign(stream: &str, reason: String) -> NatsError {
    NatsError::Foreign { stream: stream.to_owned(), reason }
}

impl Storage {
    fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Memory => "memory",
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    // As the server has it: up to 292 years.
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs())
}

/// In microseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_says_which_log_it_is() {
        for identity in [Identity::fresh(7), Identity::again(0xabc, 5)] {
            let subject = format!("{}>", identity.prefix("s-1"));
            assert_eq!(Identity::parse(&subject, "s-1"), Some(identity), "{subject}");
            assert_eq!(Identity::parse(&subject, "s"), None);
        }
        for other in [
            "s.>",
            "s.orders.>",
            "s.7.>",
            "s.7-8",
            "s.7-8.a.>",
            "s.07-8.>",
            "s.7-8-x.>",
            "s.0-8.>",
            "s.7-A.>",
        ] {
            assert_eq!(Identity::parse(other, "s"), None, "{other}");
        }
    }

    #[test]
    fn numbers_go_on_above_those_of_a_log_that_is_gone() {
        let fresh = Identity::fresh(7);
        assert_eq!(fresh.offset(7), 0);
        let again = Identity::again(7, 1000);
        assert!(again.offset(7) > 1000 && again.offset(7) == again.offset(8));
        let known = u64::MAX / 2;
        assert_eq!(Identity::again(7, known).offset(7), known + 1, "a clock that is behind");
        // What another node made, which knew nothing of this epoch.
        assert!(fresh.offset(8) > 1_700_000_000_000_000);
    }
}
