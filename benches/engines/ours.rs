//! Hubs: one is published on, the other one followed.

use std::str;

use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::Request;
use bytes::Bytes;
use futures_util::StreamExt as _;
use sse_runtime::engine::Engine;
use sse_runtime::{Hub, Result, Sse, Topic, routes, sse_route};
use tower_service::Service as _;

use crate::side::{Follower, Side};

#[sse_route("/", send_timeout = "off", keep_alive = "off")]
async fn follow(sse: Sse, State(hub): State<Hub>) -> Result<()> {
    sse.follow(&hub.topic("events")).await?;
    Ok(())
}

#[derive(Clone)]
pub(crate) struct Ours {
    topic: Topic,
    there: Hub,
}

impl Ours {
    /// On two engines, if there can be two.
    pub(crate) async fn new<E: Engine>(here: E, there: Option<E>) -> Self {
        let here = Self::hub(here).await;
        let there = match there {
            Some(there) => Self::hub(there).await,
            None => here.clone(),
        };
        Self { topic: here.topic("events"), there }
    }

    /// Which holds enough for a follower that has to share its processor.
    async fn hub(engine: impl Engine) -> Hub {
        let hub = Hub::on(engine).topic_events(1 << 20).topic_bytes(512 << 20).bytes(512 << 20);
        hub.start().await.expect("a hub")
    }
}

impl Side for Ours {
    type Follower = Following;

    async fn publish(&self, text: Bytes) {
        let text = str::from_utf8(&text).expect("text");
        self.topic.publish(text).await.expect("published");
    }

    async fn follow(&self) -> Following {
        let mut app = routes![follow].with_state(self.there.clone());
        let request = Request::get("/").header("accept", "text/event-stream").body(Body::empty());
        let response = app.call(request.expect("a request")).await.expect("an answer");
        let mut following = Following(response.into_body().into_data_stream());
        assert_eq!(following.next().await, 1, "where it begins");
        following
    }
}

/// A stream, as a browser has it.
pub(crate) struct Following(BodyDataStream);

impl Follower for Following {
    async fn next(&mut self) -> u64 {
        let frame = self.0.next().await.expect("it does not end").expect("bytes");
        let events = memchr::memmem::find_iter(&frame, "\n\n").count();
        assert!(!frame.starts_with(b"event: sse-reset"), "the follower was outrun");
        events as u64
    }
}
