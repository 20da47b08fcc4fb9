//! What a node asks of the server for the topics that are followed there.

use redis::aio::MultiplexedConnection;
use sse_runtime::Hub;
use sse_runtime::engine::Redis;

use super::{SHARED, raw};
use crate::node::client;
use crate::server::{Server as _, fresh_name};

/// How many connections are subscribed to a topic's channel.
async fn subscribed(connection: &mut MultiplexedConnection, prefix: &str, topic: &str) -> usize {
    let channel = format!("{{{prefix}}}:t:{topic}");
    let answer: (String, usize) =
        redis::cmd("PUBSUB").arg("NUMSUB").arg(channel).query_async(connection).await.expect("a number");
    answer.1
}

#[tokio::test]
async fn one_connection_of_each_node_is_subscribed_to_a_topic_however_many_follow_it() {
    let server = SHARED.get().await;
    let prefix = fresh_name();
    let hub = async || Hub::on(Redis::connect(server.url()).prefix(prefix.as_str())).start().await;
    let hubs = [hub().await.expect("a hub"), hub().await.expect("a hub")];
    let mut connection = raw(&server).await;
    let mut streams = Vec::new();
    for (nodes, hub) in (1..).zip(&hubs) {
        for _ in 0..20 {
            let mut events = client(hub).get("/news").stream().await;
            assert_eq!(events.next().await.name, "sse-open");
            streams.push(events);
        }
        assert_eq!(subscribed(&mut connection, &prefix, "news").await, nodes);
    }
    assert_eq!(subscribed(&mut connection, &prefix, "sports").await, 0);
}
