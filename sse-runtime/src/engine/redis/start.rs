//! Connecting: to which server, what it is, which log it has, and where that stands.
//!
//! A server that is another process than before may have forgotten something, and nobody knows what. So when a node finds
//! that, numbers go on far above: none is given twice. A node knows up to which number it has seen records; if the log
//! ended below that when the numbers jumped, records are lost, and it says so (`join.lua`).

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use ::redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Value, cmd};
use tokio::time::timeout;

use super::Redis;
use super::error::RedisFailure;
use super::keys::FORMAT;
use super::link::{Link, Shared};
use super::script::{self, JOIN};
use crate::engine::fresh_epoch;

/// The oldest version that has all that the scripts need.
const NEEDED: &str = "6.2";
/// How many numbers are left out when it is not known which have been given: more than any node can be ahead of another.
const JUMP: u64 = 1 << 24;
/// How many channels one command subscribes to.
pub(super) const CHANNELS: usize = 1000;

/// A client of the server that a URL names. Nothing is connected.
pub(super) fn client(url: &str) -> Result<Client, RedisFailure> {
    Client::open(url).map_err(|error| {
        let said = error.to_string();
        let reason = if said.contains("TLS") {
            NO_TLS
        } else if said.contains("database") {
            "the path is a database's number, or missing: `redis://host:6379/0`"
        } else if said.contains("protocol") {
            "`protocol` is `resp2` or `resp3`"
        } else {
            "it is like `redis://user:password@host:6379/0`, or `unix:///path/of/the/socket`"
        };
        RedisFailure::Url { reason }
    })
}

const NO_TLS: &str = "for `rediss:`, this program has to be built with a feature of the crate `redis` that brings TLS, such as `tokio-rustls-comp`";

/// Whether a log can have this name.
pub(super) fn is_prefix(prefix: &str) -> bool {
    !prefix.is_empty() && !prefix.contains(['{', '}'])
}

impl Redis {
    /// What a URL names that may have a `prefix` in its query.
    pub(in crate::engine) fn from_url(url: &str) -> Result<Self, &'static str> {
        if let Err(RedisFailure::Url { reason }) = client(url) {
            return Err(reason);
        }
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let mut prefixes = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "prefix");
        match prefixes.next() {
            None => Ok(Self::connect(url)),
            Some((_, prefix)) if is_prefix(&prefix) => Ok(Self::connect(url).prefix(prefix)),
            Some(_) => Err("a prefix is a name without braces, and not empty"),
        }
    }
}

/// The connections of a node, which has joined the log.
pub(super) struct Joined {
    pub(super) link: Arc<Link>,
    pub(super) sink: PubSubSink,
    pub(super) stream: PubSubStream,
    /// The log's own, which a hub that has lived for longer may not have.
    pub(super) epoch: u64,
    pub(super) top: u64,
    /// Records are lost that this node knows of.
    pub(super) lost: bool,
}

/// Connects, and joins the log. `before` is what is known of it: its epoch, and a number up to which there were records.
pub(super) async fn join(
    shared: &Shared,
    before: Option<(u64, u64)>,
    serial: u64,
) -> Result<Joined, RedisFailure> {
    let limit = shared.options.connect_timeout;
    timeout(limit, connect(shared, before, serial)).await.unwrap_or_else(|_| {
        let reason = format!("no answer within {limit:?}");
        Err(RedisFailure::Unreachable { address: shared.address.clone(), reason })
    })
}

async fn connect(shared: &Shared, before: Option<(u64, u64)>, serial: u64) -> Result<Joined, RedisFailure> {
    let address = shared.address.as_str();
    let failed = |error: RedisError| RedisFailure::of(address, &error);
    // Times are limited here: an answer that is late is not lost, and a command may take its time.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_write_backpressure_boundary(256 << 10);
    let (client, limit) = (&shared.client, shared.options.connect_timeout);
    let (mut connection, publishing, messages) = tokio::try_join!(
        client.get_multiplexed_async_connection_with_config(&config),
        client.get_multiplexed_async_connection_with_config(&config),
        client.get_async_pubsub(),
    )
    .map_err(failed)?;
    let run = identify(&mut connection, address).await?;
    loop {
        match script::load(&mut connection, limit).await {
            // It has just begun, and reads its data.
            Err(error) if error.code() == Some("LOADING") => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            outcome => break outcome.map_err(failed)?,
        }
    }
    let (epoch, top, generation, lost) =
        enter(shared, &mut connection, before, &run).await.map_err(|error| refused(shared, &error))?;
    let (mut sink, stream) = messages.split();
    sink.subscribe(shared.keys.marks.as_str()).await.map_err(failed)?;
    let link = Arc::new(Link { connection, publishing, generation, serial, lost });
    Ok(Joined { link, sink, stream, epoch, top, lost })
}

async fn enter(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
    before: Option<(u64, u64)>,
    run: &str,
) -> RedisResult<(u64, u64, String, bool)> {
    let (keys, mut call) = (&shared.keys, JOIN.call(2));
    let known = before.map(|(_, known)| known.to_string()).unwrap_or_default();
    call.arg(&keys.about).arg(&keys.topics);
    call.arg(before.map_or_else(fresh_epoch, |(epoch, _)| epoch)).arg(known).arg(run);
    call.arg(format!("{:x}", fresh_epoch())).arg(JUMP).arg(FORMAT);
    loop {
        match call.query_async::<(u64, u64, String, u8)>(connection).await {
            Ok((epoch, top, generation, lost)) => return Ok((epoch, top, generation, lost != 0)),
            Err(error) if error.code() == Some("LOADING") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Why the log cannot be joined.
fn refused(shared: &Shared, error: &RedisError) -> RedisFailure {
    let address = shared.address.clone();
    let said = error.to_string();
    let foreign = || RedisFailure::Foreign { address: address.clone(), key: shared.keys.about.clone() };
    match error.code() {
        Some("SSEFOREIGN") => foreign(),
        Some("SSEFORMAT") => {
            let format = error.detail().unwrap_or_default().to_owned();
            RedisFailure::Newer { address, format, known: FORMAT }
        }
        _ if said.contains("WRONGTYPE") => foreign(),
        _ => RedisFailure::of(&shared.address, error),
    }
}

/// What the server is: its version will do, and it is no replica. Answers with the name of its process.
async fn identify(connection: &mut MultiplexedConnection, address: &str) -> Result<String, RedisFailure> {
    let mut said = String::new();
    for section in ["server", "replication", "memory"] {
        let part: Value = cmd("INFO")
            .arg(section)
            .query_async(connection)
            .await
            .map_err(|error| RedisFailure::of(address, &error))?;
        match part {
            Value::BulkString(text) => said.push_str(&String::from_utf8_lossy(&text)),
            Value::SimpleString(text) | Value::VerbatimString { text, .. } => said.push_str(&text),
            _ => {}
        }
        said.push('\n');
    }
    let value = |name: &str| {
        let mut lines = said.lines().filter_map(|line| line.trim().split_once(':'));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let address = address.to_owned();
    let Some((version, run)) = value("redis_version").zip(value("run_id")) else {
        return Err(RedisFailure::NotRedis {
            address,
            reason: "it does not say which version it is".to_owned(),
        });
    };
    if !is_new_enough(version) {
        return Err(RedisFailure::TooOld { address, version: version.to_owned(), needed: NEEDED });
    }
    if value("role") == Some("slave") {
        return Err(RedisFailure::ReadOnly { address });
    }
    if let Some(policy) = value("maxmemory_policy").filter(|policy| policy.starts_with("allkeys")) {
        tracing::warn!(
            %address, policy,
            "the server throws away what it likes when its memory is full, parts of the log too: set `noeviction`"
        );
    }
    Ok(run.to_owned())
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0_u32));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, good) in
            [("6.2.0", true), ("7.0.15", true), ("10.1", true), ("6.0.16", false), ("x", false)]
        {
            assert_eq!(is_new_enough(version), good, "{version}");
        }
    }

    #[test]
    fn a_url_is_refused_without_its_password() {
        for url in [
            "rediss://:secret@localhost",
            "redis://:secret@",
            "http://:secret@localhost",
            "redis://:secret@h/x",
        ] {
            let error = client(url).map(drop).expect_err(url).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let error = client("rediss://localhost").map(drop).expect_err("no TLS").to_string();
        assert!(error.contains("tokio-rustls-comp"), "{error}");
    }
}
