//! Many clients that come back at once, and clients that ask for too much.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use sse_runtime::testing::TestStream;
use sse_runtime::{Hub, HubBuilder, Topic};
use tokio::time::sleep;

use crate::broker::{Broker, Call, Node};
use crate::{client, expect, opened, publish, reset};

const SECOND: Duration = Duration::from_secs(1);

async fn hub_with(node: &Node, settings: impl FnOnce(HubBuilder<Node>) -> HubBuilder<Node>) -> Hub {
    settings(Hub::on(node.clone()).topic_events(4)).start().await.expect("started")
}

async fn resume(hub: &Hub, path: &str, id: &str) -> TestStream {
    client(hub).limit(3600 * SECOND).get(path).last_event_id(id).stream().await
}

#[tokio::test(start_paused = true)]
async fn five_hundred_that_come_back_at_once_take_turns_and_each_gets_exactly_what_it_missed() {
    let topics = ["a", "b", "c"];
    let broker = Broker::keeping(1000);
    let before = hub_with(&broker.node(), |hub| hub).await;
    let ids = publish(&before, &topics, 0..90).await;
    drop(before);
    // The process after the deploy: its rings are empty.
    let node = broker.node().latency(200 * Duration::from_millis(1));
    let hub = hub_with(&node, |hub| hub.concurrent_reads(8)).await;
    let one = async |n: usize| {
        let seen = n % 80;
        let names = if n % 2 == 0 { "a,b,c" } else { "b" };
        let mut events = resume(&hub, &format!("/{names}"), ids[seen].as_str()).await;
        opened(&mut events, true).await;
        for number in seen + 1..90 {
            if names.contains(topics[number % 3]) {
                events.expect("message", &number.to_string()).await;
            }
        }
        events
    };
    let look = async {
        sleep(SECOND).await;
        hub.stats().reads_waiting
    };
    let (mut streams, waiting) = tokio::join!(join_all((0..500).map(one)), look);
    assert!(waiting > 400, "only {waiting} had to wait");
    assert_eq!(node.reading(), (0, 8));
    let stats = hub.stats();
    assert_eq!((stats.resumed, stats.reset, stats.fell_behind, stats.reads_waiting), (500, 0, 0, 0));
    assert_eq!(stats.reads, node.calls(Call::Read) as u64);
    publish(&hub, &["b"], 90..91).await;
    for events in &mut streams {
        expect(events, 90..91).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_kept_alive_and_leaves_the_queue_when_it_leaves() {
    let node = Broker::keeping(1000).node();
    let hub = hub_with(&node, |hub| hub.concurrent_reads(1)).await;
    let ids = publish(&hub, &["a", "b"], 0..40).await;
    node.answer_reads(false);
    let mut first = resume(&hub, "/a,b", ids[20].as_str()).await;
    let (mut second, third) = (resume(&hub, "/a,b", ids[30].as_str()).await, resume(&hub, "/a", "1").await);
    drop(third);
    let third = resume(&hub, "/a,b", ids[10].as_str()).await;
    assert_eq!((node.reading().0, hub.stats().reads_waiting), (1, 2));
    first.expect_keep_alive().await;
    second.expect_keep_alive().await;
    third.disconnect();
    until(|| hub.stats().reads_waiting == 1).await;
    // All is in the ring.
    let _witness = client(&hub).get("/a,b").stream().await;
    publish(&hub, &["a", "b"], 40..44).await;
    node.caught_up().await;
    let mut quick = resume(&hub, "/a,b", ids[39].as_str()).await;
    opened(&mut quick, true).await;
    expect(&mut quick, 40..44).await;
    assert_eq!((node.reading().0, hub.stats().reads_waiting), (1, 1));
    // The one who has the turn leaves, too.
    first.disconnect();
    until(|| hub.stats().reads_waiting == 0).await;
    assert_eq!(node.reading().0, 1);
    node.answer_reads(true);
    opened(&mut second, true).await;
    expect(&mut second, 31..44).await;
    assert_eq!(node.reading(), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn who_stops_reading_holds_no_turn() {
    let node = Broker::keeping(1000).node();
    let hub = hub_with(&node, |hub| hub.concurrent_reads(1)).await;
    let ids = publish(&hub, &["a"], 0..40).await;
    node.answer_reads(false);
    // One has the turn, the other is the next; neither is polled any more.
    let mut stalled = [resume(&hub, "/a", ids[0].as_str()).await, resume(&hub, "/a", ids[1].as_str()).await];
    stalled.iter_mut().for_each(TestStream::stall);
    let mut reads = resume(&hub, "/a", ids[2].as_str()).await;
    assert_eq!(hub.stats().reads_waiting, 2);
    node.answer_reads(true);
    opened(&mut reads, true).await;
    expect(&mut reads, 3..40).await;
    for (n, events) in stalled.iter_mut().enumerate() {
        events.resume();
        opened(events, true).await;
        expect(events, n + 1..40).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_opens_whoever_of_its_clients_stops_reading() {
    let node = Broker::keeping(1000).node().latency(12 * SECOND);
    let hub = hub_with(&node, |hub| hub).await;
    let mut first = client(&hub).limit(60 * SECOND).get("/a").stream().await;
    assert!(!node.is_open("a"), "the head came first");
    first.stall();
    let mut second = client(&hub).limit(60 * SECOND).get("/a").stream().await;
    opened(&mut second, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_short_history_is_read_once() {
    let node = Broker::keeping(1000).node();
    let hub = hub_with(&node, |hub| hub).await;
    let ids = publish(&hub, &["a"], 0..30).await;
    let mut witness = client(&hub).get("/a").stream().await;
    opened(&mut witness, false).await;
    // Seven a page: 20 events are three.
    let mut events = resume(&hub, "/a", ids[9].as_str()).await;
    opened(&mut events, true).await;
    expect(&mut events, 10..30).await;
    publish(&hub, &["a"], 30..31).await;
    expect(&mut events, 30..31).await;
    assert_eq!((node.calls(Call::Read), hub.stats().reads), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn who_would_get_too_much_gets_nothing_of_it_and_begins_anew() {
    const MOST: usize = 1000;
    for (path, topics) in [("/a", &["a"][..]), ("/a,b", &["a", "b"])] {
        let node = Broker::keeping(1000).node();
        let hub = hub_with(&node, |hub| hub.replay_bytes(MOST)).await;
        let mut ids = publish(&hub, topics, 0..90).await;
        let mut witness = client(&hub).get(path).stream().await;
        opened(&mut witness, false).await;
        // The last ones are in the rings, the others are not.
        ids.extend(publish(&hub, topics, 90..100).await);
        node.caught_up().await;
        let size = |seen: usize| -> usize {
            (seen + 1..100).map(|n| format!("id: {}\ndata: {n}\n\n", ids[n]).len()).sum()
        };
        let mut too_far = 0;
        // The second time, some are known to be too far.
        for seen in (0..100).rev().chain(0..100) {
            let mut events = resume(&hub, path, ids[seen].as_str()).await;
            if size(seen) <= MOST {
                opened(&mut events, true).await;
                expect(&mut events, seen + 1..100).await;
            } else {
                reset(&mut events, "too_far").await;
                too_far += 1;
            }
            events.silent_for(SECOND).await;
        }
        assert!(0 < too_far && too_far < 200, "{too_far}");
        let stats = hub.stats();
        assert_eq!((stats.too_far, stats.reset, stats.resumed), (too_far, too_far, 200 - too_far));
        let mut events = resume(&hub, path, ids[0].as_str()).await;
        reset(&mut events, "too_far").await;
        publish(&hub, topics, 100..105).await;
        expect(&mut events, 100..105).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_too_much_again_and_again_costs_the_engine_nothing() {
    let node = Broker::keeping(1000).node();
    let hub = hub_with(&node, |hub| hub.replay_bytes(1000)).await;
    let ids = publish(&hub, &["a"], 0..200).await;
    let mut events = resume(&hub, "/a", ids[3].as_str()).await;
    reset(&mut events, "too_far").await;
    let reads = node.calls(Call::Read);
    assert!(reads < 15, "it stops where it is too much: {reads}");
    for seen in [3, 0, 2] {
        let mut events = resume(&hub, "/a", ids[seen].as_str()).await;
        reset(&mut events, "too_far").await;
    }
    assert_eq!(node.calls(Call::Read), reads);
    // Neither with others, nor for those who ask for less.
    let mut events = resume(&hub, "/b,a", ids[1].as_str()).await;
    reset(&mut events, "too_far").await;
    let mut events = resume(&hub, "/a", ids[190].as_str()).await;
    opened(&mut events, true).await;
    expect(&mut events, 191..200).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_said_before_the_first_event_however_long_the_history() {
    let broker = Broker::keeping(1000);
    let node = broker.node();
    let hub = hub_with(&node, |hub| hub).await;
    let ids = publish(&hub, &["a"], 0..60).await;
    node.answer_reads(false);
    let mut events = resume(&hub, "/a", ids[9].as_str()).await;
    // It is there when the first page is asked for, and not any more for the second.
    until(|| node.reading().0 == 1).await;
    node.answer_reads(true);
    until(|| node.calls(Call::Read) == 2).await;
    broker.forget(broker.top() - 2);
    reset(&mut events, "evicted").await;
    events.silent_for(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_of_a_history_is_not_counted_again_when_a_read_has_failed() {
    let node = Broker::keeping(1000).node();
    let hub = hub_with(&node, |hub| hub).await;
    let ids = publish(&hub, &["a"], 0..200).await;
    // Its ring has none of them. Seven a page: 199 are 29 pages.
    let mut witness = client(&hub).get("/a").stream().await;
    opened(&mut witness, false).await;
    node.fail_one_read_of(5);
    for _ in 0..7 {
        let refused = client(&hub).get("/a").last_event_id(ids[0].as_str()).response().await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    // The last one, the first again to see that it is still there, and the rest when it is sent.
    let mut events = resume(&hub, "/a", ids[0].as_str()).await;
    opened(&mut events, true).await;
    node.fail_one_read_of(0);
    expect(&mut events, 1..200).await;
    assert_eq!(node.calls(Call::Read), 7 * 5 + 2 + 28);

    // Nor for others, who need less.
    let before = node.calls(Call::Read);
    let mut events = resume(&hub, "/a", ids[10].as_str()).await;
    opened(&mut events, true).await;
    expect(&mut events, 11..200).await;
    assert_eq!(node.calls(Call::Read) - before, 27);

    // What was counted may be gone.
    node.broker().forget(node.broker().top() - 20);
    let mut events = resume(&hub, "/a", ids[10].as_str()).await;
    reset(&mut events, "evicted").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_for_others_makes_nobody_begin_anew_who_needs_less() {
    const MOST: usize = 1000;
    let node = Broker::keeping(1000).node();
    let hub = hub_with(&node, |hub| hub.replay_bytes(MOST)).await;
    let ids = publish(&hub, &["a"], 0..100).await;
    let mut witness = client(&hub).get("/a").stream().await;
    opened(&mut witness, false).await;
    let size = |seen: usize| -> usize {
        (seen + 1..100).map(|n| format!("id: {}\ndata: {n}\n\n", ids[n]).len()).sum()
    };
    let first = (0..100).find(|seen| size(*seen) <= MOST).expect("there is one");
    for (seen, enough) in [(first - 5, false), (first, true), (first + 1, true)] {
        let mut events = resume(&hub, "/a", ids[seen].as_str()).await;
        if enough {
            opened(&mut events, true).await;
            expect(&mut events, seen + 1..100).await;
        } else {
            reset(&mut events, "too_far").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_read_of_a_topic_that_has_little_is_not_read_again_with_each_page_of_another() {
    let node = Broker::keeping(1000).node();
    let hub = hub_with(&node, |hub| hub).await;
    let large = "x".repeat(3000);
    let begun = publish(&hub, &["a"], 0..1).await;
    for number in 0..154 {
        let topic: Topic = hub.topic(if number % 11 == 10 { "b" } else { "a" });
        topic.publish(large.as_str()).await.expect("published");
    }
    let mut events = resume(&hub, "/a,b", begun[0].as_str()).await;
    opened(&mut events, true).await;
    for _ in 0..154 {
        events.expect("message", &large).await;
    }
    // Of the one, twenty pages and what is behind them to count them, and all but the first again to send them; of the other,
    // two and one.
    assert_eq!(node.calls(Call::Read), 21 + 20 + 2 + 1);
}

/// Waits until something is seen to be so.
async fn until(so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    sse_tests::within_limit("what is waited for", waiting).await;
}
