//! What holds on every way.

use std::time::{Duration, Instant};

use sse_runtime::{DisconnectReason, Event, Message};

use super::client::End;
use super::ways::{self, Site};

#[tokio::test]
async fn each_event_arrives_when_it_is_sent_and_so_does_the_end() {
    let site = Site::start().await;
    for way in ways::all() {
        site.app.step();
        let (_client, mut events) = site.get(way, "/steps", &[]).await;
        assert_eq!((events.head.status.as_u16(), events.is_gzip()), (200, way.is_gzip()), "{way:?}");
        assert_eq!(events.header("content-type"), "text/event-stream");
        assert_eq!(events.header("cache-control"), "no-store, no-transform");
        assert_eq!(events.header("vary"), if way.packed { "accept-encoding" } else { "" }, "{way:?}");
        for n in 0..4 {
            let line = events.line().await;
            assert!(line.starts_with(&format!("data: step {n} ")), "{way:?}: {line}");
            // Not before this one has been seen.
            site.app.step();
        }
        assert!(events.line().await.starts_with("data: step 4 "));
        let (end, whole) = events.rest().await;
        assert_eq!(end, ["event: end", "id: sse-end", "data: {}"], "{way:?}");
        assert_eq!(whole, End::Whole, "{way:?}");
        assert_eq!(site.app.gone().await, DisconnectReason::Completed);
    }
    assert_eq!(site.nginx.log(), "");
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let site = Site::start().await;
    for way in ways::all() {
        site.app.step();
        let (client, mut events) = site.get(way, "/steps", &[]).await;
        assert!(events.line().await.starts_with("data: step 0 "));
        let left = Instant::now();
        // Over HTTP/2 the connection stays.
        drop(events);
        assert_eq!(site.app.gone().await, DisconnectReason::ClientClosed, "{way:?}");
        assert!(left.elapsed() < Duration::from_secs(5), "{way:?}: after {:?}", left.elapsed());
        drop(client);
    }
}

#[tokio::test]
async fn keep_alives_arrive() {
    let site = Site::start().await;
    let mut open = Vec::new();
    for way in ways::all() {
        open.push((way, site.get(way, "/quiet", &[]).await));
    }
    for (way, (_client, events)) in &mut open {
        assert_eq!(events.line().await, "data: x");
        for _ in 0..2 {
            assert_eq!(events.line().await, ":", "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_what_is_new() {
    let site = Site::start().await;
    let topic = site.app.hub.topic::<Message>("room");
    let seen = topic.publish("seen").await.expect("published").to_string();
    let missed = topic.publish(Event::new("missed").data("1")).await.expect("published").to_string();
    for way in ways::all() {
        let (_client, mut events) = site.get(way, "/room", &[("last-event-id", &seen)]).await;
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != "data: 1") {
            lines.push(events.line().await);
        }
        assert!(lines.contains(&format!("id: {missed}")), "{way:?}: {lines:?}");
        assert!(!lines.iter().any(|line| line.contains("sse-reset") || line.contains("seen")), "{lines:?}");
    }
    let mut open = Vec::new();
    for way in ways::all() {
        let (client, mut events) = site.get(way, "/room", &[]).await;
        while !events.line().await.starts_with("data: ") {}
        open.push((way, client, events));
    }
    topic.publish("live").await.expect("published");
    for (way, _client, events) in &mut open {
        assert!(events.line().await.starts_with("id: "), "{way:?}");
        assert_eq!(events.line().await, "data: live", "{way:?}");
    }
}

#[tokio::test]
async fn a_client_that_has_seen_the_end_is_told_to_stop() {
    let site = Site::start().await;
    for way in ways::all() {
        let (_client, answer) = site.get(way, "/steps", &[("last-event-id", "sse-end")]).await;
        assert_eq!((answer.head.status.as_u16(), answer.header("content-encoding")), (204, ""), "{way:?}");
        assert_eq!(answer.rest().await, (Vec::new(), End::Whole));
    }
}

#[tokio::test]
async fn a_shutdown_says_goodbye_to_all() {
    let site = Site::start().await;
    let mut open = Vec::new();
    for way in ways::all() {
        let (client, mut events) = site.get(way, "/quiet", &[]).await;
        assert_eq!(events.line().await, "data: x");
        open.push((way, client, events));
    }
    site.app.shutdown.begin();
    for (way, client, events) in open {
        let (lines, end) = events.rest().await;
        assert!(lines.iter().any(|line| line == "event: sse-bye"), "{way:?}: {lines:?}");
        assert!(lines.iter().any(|line| line.contains("ServerShutdown")), "{way:?}: {lines:?}");
        assert_eq!(end, End::Whole, "{way:?}");
        drop(client);
    }
    assert!(site.app.shutdown.drained(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_client_that_stops_reading_is_given_up_behind_nginx_too() {
    let site = Site::start().await;
    // A compressor would be busy for long before it had filled all that lies between.
    let ways: Vec<_> = ways::all().filter(|way| !way.is_gzip()).collect();
    let mut stalled = Vec::new();
    for way in &ways {
        let (client, mut events) = site.get(*way, "/flood", &[]).await;
        assert!(events.line().await.starts_with("data: x"), "{way:?}");
        stalled.push((client, events));
    }
    for _ in &ways {
        assert_eq!(site.app.gone().await, DisconnectReason::SendTimeout);
    }
    drop(stalled);
}

#[tokio::test]
async fn a_stream_that_is_cut_off_has_said_everything_and_looks_whole_only_over_http_1_0() {
    let site = Site::start().await;
    for way in ways::all() {
        let (_client, mut events) = site.get(way, "/breaks", &[]).await;
        assert_eq!(events.line().await, "data: first");
        site.app.step();
        let (lines, end) = events.rest().await;
        assert_eq!(lines.len(), 1, "{way:?}: {lines:?}");
        assert!(lines[0].ends_with("last words "), "{way:?}: {lines:?}");
        assert_eq!(end, way.end_of_a_cut(), "{way:?}");
    }
}
