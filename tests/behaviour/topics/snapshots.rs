//! The current state, for those who begin anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sse_runtime::{Event, Hub, StatusCode, Topic};

use super::{following, id, json, position};

fn with_snapshot(hub: &Hub, calls: &Arc<AtomicUsize>) -> Topic {
    let calls = Arc::clone(calls);
    hub.topic("t").snapshot(move || {
        let n = calls.fetch_add(1, Ordering::Relaxed);
        async move { Ok([Event::new("state").data(format!("a{n}")), Event::new("state").data(format!("b{n}"))]) }
    })
}

#[tokio::test(start_paused = true)]
async fn who_begins_anew_gets_the_snapshot_first_and_its_end_has_the_id() {
    let calls = Arc::default();
    let topic = with_snapshot(&Hub::in_memory().build(), &calls);
    let id = topic.publish("before").await.expect("published");
    let mut events = following(&topic).get("/follow").stream().await;
    let open = events.next().await;
    assert_eq!(position(&open), id.as_str());
    assert_eq!(events.next().await.data, "a0");
    assert_eq!(events.last_event_id(), "", "who loses the connection within the snapshot needs it again");
    assert_eq!(events.next().await.data, "b0");
    assert_eq!(events.last_event_id(), id.as_str());
    topic.publish("after").await.expect("published");
    assert_eq!(events.next().await.data, "after");
}

#[tokio::test(start_paused = true)]
async fn who_resumes_gets_no_snapshot_and_who_is_reset_does() {
    let calls = Arc::default();
    let topic = with_snapshot(&Hub::in_memory().topic_events(1).build(), &calls);
    let start = topic.position();
    let first = topic.publish("1").await.expect("published");
    let client = following(&topic);
    let mut events = client.get("/follow").last_event_id(start.as_str()).stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "1");
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    let last = (topic.publish("2").await.and(topic.publish("3").await)).expect("published");
    let mut events = client.get("/follow").last_event_id(first.as_str()).stream().await;
    let reset = events.next().await;
    assert_eq!((reset.name.as_str(), json(&reset)["reason"].as_str()), ("sse-reset", Some("evicted")));
    assert_eq!(position(&events.next().await), last.as_str());
    assert_eq!(events.next().await.data, "a0");
    assert_eq!(events.last_event_id(), first.as_str(), "until the snapshot is whole, the old id stands");
    assert_eq!(events.next().await.data, "b0");
    assert_eq!(events.last_event_id(), last.as_str());
}

#[tokio::test(start_paused = true)]
async fn what_is_published_while_the_snapshot_is_made_comes_after_it() {
    let hub = Hub::in_memory().build();
    let plain: Topic = hub.topic("t");
    let publisher = plain.clone();
    let topic: Topic = hub.topic("t").snapshot(move || {
        let publisher = publisher.clone();
        async move {
            publisher.publish("meanwhile").await?;
            Ok(["state"])
        }
    });
    let mut events = following(&topic).get("/follow").stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "state");
    assert_eq!(events.next().await.data, "meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_fails_is_an_http_error_and_one_with_an_id_is_refused() {
    let hub = Hub::in_memory().build();
    let failing: Topic = hub.topic("t").snapshot(|| async { Err::<[&str; 0], _>("no database".into()) });
    assert_eq!(following(&failing).get("/follow").response().await.status, 500);
    let refusing: Topic = hub.topic("t").snapshot(|| async {
        let error =
            sse_runtime::Error::from("table 7").with_status(StatusCode::NOT_FOUND).public("no such room");
        Err::<[&str; 0], _>(error)
    });
    let refused = following(&refusing).get("/follow").response().await;
    assert_eq!((refused.status, refused.text.as_str()), (StatusCode::NOT_FOUND, "no such room"));
    let with_id: Topic = hub.topic("t").snapshot(|| async { Ok([Event::new("x").id("7").data("")]) });
    assert_eq!(following(&with_id).get("/follow").response().await.status, 500);
    let empty: Topic = hub.topic("t").snapshot(|| async { Ok(Vec::<String>::new()) });
    let mut events = following(&empty).get("/follow").stream().await;
    let open = events.next().await;
    assert_eq!(id(&open), position(&open), "there is nothing that could bring the id later");
}

#[tokio::test(start_paused = true)]
async fn recent_gives_the_newest_events_with_their_ids() {
    let hub = Hub::in_memory().build();
    let topic = hub.topic::<sse_runtime::Message>("t").recent(3);
    let mut events = following(&topic).get("/follow").stream().await;
    let open = events.next().await;
    assert_eq!(id(&open), position(&open), "nothing is there yet");
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(topic.publish(n.to_string()).await.expect("published").to_string());
    }
    events.take(5).await;
    let mut late = following(&topic).get("/follow").stream().await;
    assert_eq!(position(&late.next().await), ids[1], "who loses the connection now gets them again");
    topic.publish("5").await.expect("published");
    let received = late.take(4).await;
    assert_eq!(received.iter().map(|event| event.data.as_str()).collect::<Vec<_>>(), ["2", "3", "4", "5"]);
    assert_eq!(id(&received[0]), ids[2]);
    let mut again = following(&topic).get("/follow").last_event_id(&ids[4]).stream().await;
    position(&again.next().await);
    assert_eq!(again.next().await.data, "5", "who resumes gets what was missed, and no more");
    assert_eq!(hub.stats().missed, 0);
}

#[tokio::test(start_paused = true)]
async fn latest_gives_the_newest_event_of_each_key_of_each_topic() {
    let hub = Hub::in_memory().build();
    let topics = ["a", "b"].map(|name| hub.topic::<sse_runtime::Message>(name).latest());
    for n in 0..6 {
        let key = ["x", "y"][n % 2];
        topics[n / 3].publish(format!("{key}{n}")).key(key).await.expect("published");
    }
    let client = super::following_these(&topics);
    let mut events = client.get("/these").stream().await;
    assert_eq!(events.next().await.name, "sse-open");
    topics[0].publish("x6").key("x").await.expect("published");
    topics[0].publish("x7").key("x").await.expect("published");
    let data: Vec<_> = events.take(6).await.into_iter().map(|event| event.data).collect();
    assert_eq!(data, ["y1", "x2", "x4", "y5", "x6", "x7"], "and everything from then on");
    assert_eq!((hub.stats().missed, hub.stats().fell_behind), (0, 0));
}
