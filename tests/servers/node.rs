//! A node: a hub, and who serves it to browsers.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{EventId, Hub, Message, Result, Sse, Topic, listen, routes, serve, sse_route};
use tokio::task::JoinHandle;

/// Names that a path cannot have are asked for by number.
#[derive(Clone)]
struct Names(Vec<String>);

#[sse_route("/{names}", keep_alive = "300ms", send_timeout = "off")]
async fn follow(sse: Sse, names: String, State((hub, _)): State<(Hub, Names)>) -> Result<()> {
    sse.follow_all(names.split(',').map(|name| hub.topic(name))).await?;
    Ok(())
}

#[sse_route("/number/{number}", keep_alive = "300ms", send_timeout = "off")]
async fn numbered(sse: Sse, number: usize, State((hub, names)): State<(Hub, Names)>) -> Result<()> {
    sse.follow(&hub.topic(&names.0[number])).await?;
    Ok(())
}

pub(crate) fn app(hub: &Hub, names: Vec<String>) -> Router {
    routes![follow, numbered].with_state((hub.clone(), Names(names)))
}

/// A client without a socket.
pub(crate) fn client(hub: &Hub) -> TestClient {
    TestClient::new(app(hub, Vec::new())).limit(sse_tests::LIMIT)
}

/// What is served over sockets, until this is dropped.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Serving {
    pub(crate) async fn start(hub: &Hub) -> Self {
        let listener = listen("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let serving = serve(listener, app(hub, Vec::new())).with_graceful_shutdown(std::future::pending());
        let task = tokio::spawn(async move { serving.await.expect("it serves") });
        Self { address, task }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the hub stands.
pub(crate) fn position(hub: &Hub) -> EventId {
    hub.topic::<Message>("").position()
}

/// The number in an id.
pub(crate) fn seq(id: &str) -> u64 {
    let (_, seq) = id.split_once('-').expect("epoch and number");
    seq.parse().expect("a number")
}

/// Publishes until it is acknowledged, once: for at most `limit`.
pub(crate) async fn publish_for(hub: &Hub, topic: &str, text: &str, limit: Duration) -> EventId {
    let topic: Topic = hub.topic(topic);
    let begun = tokio::time::Instant::now();
    loop {
        match topic.publish(text).dedupe(text).await {
            Ok(id) => return id,
            Err(error) => assert!(begun.elapsed() < limit, "{text:?} after {:?}: {error}", begun.elapsed()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
