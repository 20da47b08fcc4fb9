//! An engine from one line of text, as a program's configuration has it.
//!
//! A scheme for each engine. Those whose feature is off are known by name all the same, so that the error can say what
//! is missing.

use super::{Engine, Memory};

/// Every scheme, and the feature that brings it.
const SCHEMES: [(&str, Option<&str>); 8] = [
    ("memory", None),
    ("redb", Some("redb")),
    ("nats", Some("nats")),
    ("postgres", Some("postgres")),
    ("redis", Some("redis")),
    ("rediss", Some("redis")),
    ("redis+unix", Some("redis")),
    ("unix", Some("redis")),
];

/// Why a text names no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// There is no colon in it.
    #[error("\"{url}\" does not say which engine: it begins with one of {}", known())]
    NoScheme {
        /// The text.
        url: String,
    },
    /// No engine has this scheme.
    #[error("there is no engine \"{scheme}:\"; there are {}", known())]
    UnknownScheme {
        /// What is before the colon.
        scheme: String,
    },
    /// There is such an engine, and this program was built without it.
    #[error(
        "the engine \"{scheme}:\" is not part of this program: build it with the feature `{feature}` of sse-runtime"
    )]
    MissingFeature {
        /// What is before the colon.
        scheme: String,
        /// The feature of this crate.
        feature: &'static str,
    },
    /// What follows the colon is not what this engine needs.
    #[error("\"{url}\": {reason}")]
    Malformed {
        /// The text.
        url: String,
        /// What it should be.
        reason: &'static str,
    },
}

/// The engine that a text names, with its defaults. Nothing is opened or connected before the hub starts.
///
/// | text | engine |
/// |---|---|
/// | `memory:` | [`Memory`] |
/// | `redb:events.redb`, `redb:/var/lib/app/events.redb` | `Redb` on this file, with the feature `redb` |
/// | `nats://host:4222`, `tls://user:password@a,tls://b` | `Nats` on this server or this cluster, with the feature `nats` |
/// | `postgres://user@host/database`, or `postgresql:` | `Postgres` on this database, with the feature `postgres` |
/// | `redis://user:password@host:6379/0`, `rediss://..` | `Redis` on this server, with the feature `redis` |
/// | `unix:///run/redis.sock`, `redis+unix:///run/redis.sock` | the same, over a socket of this machine |
///
/// `?prefix=shop` at the end of one of `Redis` names the log, of several on one server.
///
/// [`Hub::connect`](crate::Hub::connect) makes a hub of it.
///
/// ```
/// use sse_runtime::engine::{UrlError, from_url};
///
/// assert!(from_url("memory:").is_ok());
/// let error = from_url("carrier-pigeon:").unwrap_err();
/// assert_eq!(error, UrlError::UnknownScheme { scheme: "carrier-pigeon".to_owned() });
/// ```
///
/// # Errors
/// If it names none, or one that is not part of this program. The error says which there are.
pub fn from_url(url: &str) -> Result<Box<dyn Engine>, UrlError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(UrlError::NoScheme { url: url.to_owned() });
    };
    let malformed = |reason| UrlError::Malformed { url: url.to_owned(), reason };
    match scheme {
        "memory" if rest.is_empty() => Ok(Box::new(Memory::new())),
        "memory" => Err(malformed("nothing follows `memory:`")),
        #[cfg(feature = "redb")]
        "redb" => match rest {
            "" => Err(malformed("the path of a file follows `redb:`")),
            // Not the host of a URL, and hardly a file at the root.
            _ if rest.starts_with("//") && !rest.starts_with("///") => {
                Err(malformed("the path follows `redb:` without slashes of its own: `redb:events.redb`"))
            }
            path => Ok(Box::new(super::Redb::open(path))),
        },
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "redis+unix" | "unix" => match super::Redis::from_url(url) {
            Ok(engine) => Ok(Box::new(engine)),
            // Without what stands there: it may be a password.
            Err(reason) => Err(UrlError::Malformed { url: format!("{scheme}:.."), reason }),
        },
        #[cfg(feature = "nats")]
        "nats" | "tls" => {
            // Without the rest, which may have a password.
            let malformed = |reason| UrlError::Malformed { url: format!("{scheme}:.."), reason };
            match super::Nats::connect(url).checked() {
                Ok(engine) if rest.starts_with("//") => Ok(Box::new(engine)),
                Ok(_) => Err(malformed("a host follows, and perhaps its port: `nats://host:4222`")),
                Err(reason) => Err(malformed(reason)),
            }
        }
        #[cfg(not(feature = "nats"))]
        "tls" => Err(UrlError::MissingFeature { scheme: scheme.to_owned(), feature: "nats" }),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" if super::Postgres::is_address(url) => {
            Ok(Box::new(super::Postgres::connect(url)))
        }
        // It may hold a password.
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Err(UrlError::Malformed {
            url: format!("{scheme}:.."),
            reason: "that is no address of a PostgreSQL server: `postgres://user:password@host:5432/database`",
        }),
        #[cfg(not(feature = "postgres"))]
        "postgresql" => Err(UrlError::MissingFeature { scheme: scheme.to_owned(), feature: "postgres" }),
        _ => Err(match SCHEMES.iter().find(|(known, _)| *known == scheme) {
            Some(&(_, Some(feature))) => UrlError::MissingFeature { scheme: scheme.to_owned(), feature },
            _ => UrlError::UnknownScheme { scheme: scheme.to_owned() },
        }),
    }
}

/// The schemes, for people who have to choose another one.
fn known() -> String {
    let described = SCHEMES.map(|(scheme, feature)| match feature {
        Some(feature) => format!("`{scheme}:` (feature `{feature}`)"),
        None => format!("`{scheme}:`"),
    });
    described.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_engine_is_told_which_there_are() {
        let text = |url| from_url(url).map(drop).expect_err(url).to_string();
        let known = known();
        assert!(known.starts_with("`memory:`, `redb:` (feature `redb`), "), "{known}");
        assert_eq!(
            text("events.redb"),
            format!("\"events.redb\" does not say which engine: it begins with one of {known}")
        );
        assert_eq!(text("sled:x"), format!("there is no engine \"sled:\"; there are {known}"));
        assert_eq!(text("memory:x"), "\"memory:x\": nothing follows `memory:`");
        assert_eq!(text(""), format!("\"\" does not say which engine: it begins with one of {known}"));
    }

    #[cfg(feature = "redb")]
    #[test]
    fn a_file_is_named_by_its_path() {
        for good in ["redb:a.redb", "redb:/tmp/a", "redb:./a b?c", "redb:///tmp/a"] {
            assert!(from_url(good).is_ok(), "{good}");
        }
        for bad in ["redb:", "redb://a.redb"] {
            assert!(matches!(from_url(bad), Err(UrlError::Malformed { .. })), "{bad}");
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn a_server_is_named_by_its_url() {
        for good in [
            "redis://h",
            "redis://:secret@h:1/2?prefix=shop",
            "redis+unix:///run/redis.sock?db=1&prefix=a%20b",
            "unix:///run/redis.sock",
        ] {
            assert!(from_url(good).is_ok(), "{good}");
        }
        for bad in [
            "redis:",
            "redis://:secret@",
            "redis://:secret@h/x",
            "rediss://:secret@h",
            "redis://:secret@h?prefix={}",
        ] {
            let error = from_url(bad).map(drop).expect_err(bad);
            assert!(matches!(error, UrlError::Malformed { .. }), "{bad}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let shown = format!("{:?}", from_url("redis://:secret@h?protocol=resp3&prefix=a%20b").expect("good"));
        assert!(shown.contains("a b") && !shown.contains("secret"), "{shown}");
    }

    #[cfg(feature = "nats")]
    #[test]
    fn a_server_is_named_by_its_address_and_a_password_is_not_shown() {
        for good in ["nats://localhost", "tls://u:p@a:4222,tls://b"] {
            assert!(from_url(good).is_ok(), "{good}");
        }
        for bad in ["nats:", "nats://", "nats:localhost", "nats://u:secret@h:port", "nats://h,http://h"] {
            let error = from_url(bad).map(drop).expect_err(bad);
            assert!(matches!(error, UrlError::Malformed { .. }), "{bad}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_server_is_named_by_its_address_and_no_password_is_told() {
        for good in [
            "postgres://user@host/database",
            "postgresql://u:p%40ss@a:1,b:2/d?target_session_attrs=read-write",
        ] {
            assert!(from_url(good).is_ok(), "{good}");
        }
        for bad in ["postgres://u:secret@host:port/d", "postgresql://u:secret@host/d?nonsense=1"] {
            let error = from_url(bad).map(drop).expect_err(bad);
            assert!(matches!(error, UrlError::Malformed { .. }), "{error:?}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[cfg(not(feature = "redb"))]
    #[test]
    fn an_engine_that_was_left_out_is_told_with_its_feature() {
        let error = from_url("redb:a.redb").map(drop).expect_err("left out");
        assert_eq!(error, UrlError::MissingFeature { scheme: "redb".to_owned(), feature: "redb" });
    }
}
