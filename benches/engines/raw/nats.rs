//! async-nats: JetStream's `publish`, and the answer of the server for each, with an id by which it knows an event again, or
//! without; an ordered consumer follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::server::{PASSWORD, USER};
use crate::side::{Follower, Side};

#[derive(Clone)]
pub(crate) struct Nats {
    here: Context,
    there: async_nats::Client,
    stream: Stream,
    ids: Option<Arc<AtomicU64>>,
}

impl Nats {
    pub(crate) async fn ways(url: &str) -> [(&'static str, Self); 2] {
        let plain = Self::new(url).await;
        let with_ids = Self { ids: Some(Arc::default()), ..plain.clone() };
        [("with ids", with_ids), ("without ids", plain)]
    }

    async fn new(url: &str) -> Self {
        let connect = async || {
            // What stands in the URL is not taken from there.
            let options = ConnectOptions::with_user_and_password(USER.to_owned(), PASSWORD.to_owned());
            options.connect(url).await.expect("a server")
        };
        let (here, there) = (jetstream::new(connect().await), connect().await);
        let config = Config {
            name: "raw".to_owned(),
            subjects: vec!["raw.>".to_owned()],
            max_bytes: 1 << 30,
            ..Config::default()
        };
        here.create_stream(config.clone()).await.expect("a stream");
        let stream = jetstream::new(there.clone()).get_stream("raw").await.expect("a stream");
        Self { here, there, stream, ids: None }
    }
}

impl Side for Nats {
    type Follower = Following;

    async fn publish(&self, text: Bytes) {
        let block = [b"data: ", &*text, b"\n\n"].concat();
        let published = match &self.ids {
            Some(ids) => {
                let mut headers = HeaderMap::new();
                let id = ids.fetch_add(1, Ordering::Relaxed);
                headers.insert(NATS_MESSAGE_ID, format!("by-hand.{id:x}"));
                self.here.publish_with_headers("raw.events", headers, block.into()).await
            }
            None => self.here.publish("raw.events", block.into()).await,
        };
        let published = published.expect("sent");
        published.await.expect("published");
    }

    async fn follow(&self) -> Following {
        let config = OrderedConfig {
            deliver_subject: self.there.new_inbox(),
            deliver_policy: DeliverPolicy::New,
            ..OrderedConfig::default()
        };
        let consumer = self.stream.create_consumer(config).await.expect("a consumer");
        Following(consumer.messages().await.expect("messages"))
    }
}

pub(crate) struct Following(Ordered);

impl Follower for Following {
    async fn next(&mut self) -> u64 {
        self.0.next().await.expect("it does not end").expect("a message");
        1
    }
}
