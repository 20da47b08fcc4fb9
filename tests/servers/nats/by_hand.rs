//! What people do to a server of theirs with its own tools.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Subscriber};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::server::{PASSWORD, Server as _, USER};

/// A connection beside those of the engines.
pub(crate) struct ByHand(Client);

impl ByHand {
    pub(crate) async fn connect(server: &crate::server::Nats) -> Self {
        let options = ConnectOptions::with_user_and_password(USER.to_owned(), PASSWORD.to_owned());
        Self(options.connect(server.process().address().to_string()).await.expect("it runs"))
    }

    /// Asks JetStream for something; the answer, which may be an error.
    async fn try_ask(&self, what: &str, with: Value) -> Value {
        let with = if with.is_null() { String::new() } else { with.to_string() };
        let answer = self.0.request(format!("$JS.API.{what}"), with.into()).await.expect("an answer");
        serde_json::from_slice(&answer.payload).expect("JSON")
    }

    pub(crate) async fn ask(&self, what: &str, with: Value) -> Value {
        let answer = self.try_ask(what, with).await;
        assert!(answer.get("error").is_none(), "{what}: {answer}");
        answer
    }

    /// Puts a message into a stream, and waits until it is there.
    pub(crate) async fn publish(&self, subject: &str, text: &'static str) {
        let answer = self.0.request(subject.to_owned(), text.into()).await.expect("an answer");
        let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
        assert!(answer["seq"].is_u64(), "{answer}");
    }

    /// Makes a stream forget what is up to a sequence.
    pub(crate) async fn purge(&self, stream: &str, until: u64) {
        self.ask(&format!("STREAM.PURGE.{stream}"), json!({ "seq": until + 1 })).await;
    }

    /// The server's version.
    pub(crate) fn version(&self) -> String {
        self.0.server_info().version
    }

    /// What is said on a subject from now on, whoever says it.
    pub(crate) async fn listen(&self, subject: &'static str) -> Heard {
        let heard = self.0.subscribe(subject).await.expect("it may");
        self.0.flush().await.expect("it runs");
        Heard(heard)
    }
}

/// What is said on a subject.
pub(crate) struct Heard(Subscriber);

impl Heard {
    /// What has been said until it was quiet for a moment.
    pub(crate) async fn until_quiet(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Ok(said) = tokio::time::timeout(Duration::from_millis(300), self.0.next()).await {
            let said = said.expect("it runs");
            texts.push(String::from_utf8(said.payload.to_vec()).expect("text"));
        }
        texts
    }
}
