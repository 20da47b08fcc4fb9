//! What JetStream is asked for: requests and answers in JSON.
//!
//! The crate has types for them. They know the settings of one version of the server, and a stream that is changed with
//! them loses those that they do not know.

use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::{Client, Message, StatusCode};
use serde_json::Value;

use super::connect::Connection;
use super::error::NatsError;

/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);

/// `err_code`s that mean something here.
pub(super) mod code {
    pub(in super::super) const NO_STREAM: u64 = 10059;
    pub(in super::super) const NO_MESSAGE: u64 = 10037;
    /// A stream of this name exists, with other settings.
    pub(in super::super) const NAME_IN_USE: u64 = 10058;
    pub(super) const NO_JETSTREAM: [u64; 2] = [10039, 10076];
    /// Of the account, the server or the stream: bytes, streams, consumers.
    pub(super) const NO_ROOM: [u64; 8] = [10002, 10023, 10026, 10027, 10028, 10047, 10077, 10122];
    /// No server of a cluster has room; or none is there.
    pub(super) const NO_PEERS: u64 = 10005;
    pub(super) const TOO_LARGE: u64 = 10054;
    /// A message with this id has come, and is not on enough servers yet.
    pub(in super::super) const IN_PROCESS: u64 = 10158;
}

/// JetStream, by one connection.
#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) client: Client,
    pub(super) server: String,
    stream: String,
}

impl Api {
    pub(super) fn new(connection: Connection, stream: &str) -> Self {
        Self { client: connection.client, server: connection.server, stream: stream.to_owned() }
    }

    /// Asks for something of the stream: `what` is `STREAM.INFO`, for instance.
    pub(super) async fn ask(
        &self,
        doing: &'static str,
        what: &str,
        with: &Value,
    ) -> Result<Value, NatsError> {
        let subject = format!("$JS.API.{what}.{}", self.stream);
        let request = Request::new().payload(with.to_string().into()).timeout(Some(ANSWER));
        let answer = self.client.send_request(subject, request).await;
        let answer = answer.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => self.no_jetstream(),
            RequestErrorKind::TimedOut => NatsError::TimedOut { doing, after: ANSWER },
            _ => NatsError::lost(&self.server),
        })?;
        self.understood(doing, &answer)
    }

    /// An answer, or the error in it.
    pub(super) fn understood(&self, doing: &'static str, answer: &Message) -> Result<Value, NatsError> {
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(self.no_jetstream());
        }
        let malformed = || NatsError::Refused { doing, code: 0, reason: "its answer is no JSON".to_owned() };
        let answer: Value = serde_json::from_slice(&answer.payload).map_err(|_| malformed())?;
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => Err(self.refused(doing, error)),
        }
    }

    fn refused(&self, doing: &'static str, error: &Value) -> NatsError {
        let code = number(error, "err_code").or_else(|| number(error, "code")).unwrap_or_default();
        let reason = error.get("description").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
        match code {
            _ if code::NO_JETSTREAM.contains(&code) => {
                NatsError::NoJetStream { server: self.server.clone(), reason }
            }
            _ if code::NO_ROOM.contains(&code) => NatsError::Full { stream: self.stream.clone(), reason },
            code::NO_PEERS if reason.contains("insufficient storage") => {
                NatsError::Full { stream: self.stream.clone(), reason }
            }
            code::TOO_LARGE => NatsError::TooLarge { size: 0, most: 0 },
            _ => NatsError::Refused { doing, code, reason },
        }
    }

    /// What it means that the client takes nothing any more.
    pub(super) fn lost<E>(&self, _: E) -> NatsError {
        NatsError::lost(&self.server)
    }

    fn no_jetstream(&self) -> NatsError {
        let reason =
            "nobody answers there: start the server with `-js`, or `jetstream {}` in its configuration";
        NatsError::NoJetStream { server: self.server.clone(), reason: reason.to_owned() }
    }
}

/// A number of an answer.
pub(super) fn number(of: &Value, name: &str) -> Option<u64> {
    of.get(name)?.as_u64()
}
