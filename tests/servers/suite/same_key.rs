//! Two nodes that publish the same event at the same moment.

use sse_runtime::Topic;

use super::OnServer;
use crate::log::{Log, start};
use crate::node::client;
use crate::server::Server as _;

const EVENTS: usize = 200;

on_each_server!(what_two_nodes_publish_at_once_under_one_key_is_there_once);

async fn what_two_nodes_publish_at_once_under_one_key_is_there_once<E: OnServer>() {
    let server = E::Server::start().await;
    let log = Log::on::<E>(&server);
    let hubs = [start(log.hub()).await, start(log.hub()).await];
    let mut events = client(&hubs[0]).get("/orders").stream().await;
    assert_eq!(events.next().await.name, "sse-open");
    let publish = async |node: usize, text: &str| {
        let topic: Topic = hubs[node].topic("orders");
        topic.publish(text).dedupe(text).await.expect("published")
    };
    for n in 0..EVENTS {
        let text = format!("order {n}");
        let (one, other) = tokio::join!(publish(0, &text), publish(1, &text));
        assert_eq!(one, other, "{text}");
        events.expect("message", &text).await;
    }
    let last = publish(1, "the last one").await;
    let event = events.next().await;
    assert_eq!((event.data.as_str(), event.id.as_deref()), ("the last one", Some(last.as_str())));
}
