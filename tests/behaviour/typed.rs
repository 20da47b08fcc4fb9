//! Streams and topics of a derived event type.

use axum::Router;
use axum::extract::State;
use serde::Serialize;
use sse_runtime::testing::TestClient;
use sse_runtime::{
    DisconnectReason, EventError, Hub, Message, PublishError, Result, SendError, Sse, SseEvent, Topic,
    routes, sse_route,
};

use crate::Hooks;

#[derive(Serialize, SseEvent)]
#[serde(tag = "type", rename_all = "snake_case")]
enum JobEvent {
    Progress {
        percent: u8,
    },
    #[sse(id = "number")]
    LogLine {
        number: String,
    },
    #[sse(terminal)]
    Done {
        url: &'static str,
    },
}

#[sse_route("/job", retry = "3s", end = "end")]
async fn job(sse: Sse<JobEvent>, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send(&JobEvent::Progress { percent: 40 }).await?;
    sse.send(JobEvent::LogLine { number: "7".to_owned() }).await?;
    let refused = sse.send(JobEvent::LogLine { number: "7\ndata: forged".to_owned() }).await;
    assert!(matches!(refused, Err(SendError::Event(EventError::IdCharacter { .. }))), "{refused:?}");
    sse.send(JobEvent::Done { url: "/7" }).await?;
    let after = [sse.send(JobEvent::Done { url: "/8" }).await, sse.comment("more").await, sse.finish().await];
    assert!(after.iter().all(|outcome| matches!(outcome, Err(SendError::Finished))), "{after:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_terminal_event_ends_the_stream_for_good() {
    let hooks = Hooks::default();
    let client = TestClient::new(routes![job].with_state(hooks.clone()));
    let mut events = client.get("/job").stream().await;
    events.rest().await;
    assert_eq!(
        events.raw_text(),
        "event: progress\nretry: 3000\ndata: {\"type\":\"progress\",\"percent\":40}\n\n\
         event: log_line\nid: 7\ndata: {\"type\":\"log_line\",\"number\":\"7\"}\n\n\
         event: done\nid: sse-end\ndata: {\"type\":\"done\",\"url\":\"/7\"}\n\n"
    );
    let gone = hooks.only().await;
    assert_eq!((gone.reason, gone.events), (DisconnectReason::Completed, 3));
    assert_eq!(gone.last_event_id.as_deref(), Some("sse-end"));
    assert_eq!(events.reconnect_request().response().await.status, 204);
}

#[sse_route("/first-and-last", retry = "3s")]
async fn first_and_last(sse: Sse<JobEvent>) -> Result<()> {
    assert!(sse.send_changed(JobEvent::Done { url: "/7" }).await?);
    Ok(())
}

#[sse_route("/foreign", bare)]
async fn foreign(sse: Sse<JobEvent>) -> Result<()> {
    sse.send(JobEvent::Done { url: "/7" }).await?;
    assert!(matches!(sse.send(JobEvent::Done { url: "/8" }).await, Err(SendError::Finished)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_terminal_event_may_be_the_first_and_has_no_id_of_ours_on_a_bare_route() {
    let client = TestClient::new(routes![first_and_last, foreign]);
    let only = client.get("/first-and-last").response().await.text;
    assert_eq!(only, "event: done\nretry: 3000\nid: sse-end\ndata: {\"type\":\"done\",\"url\":\"/7\"}\n\n");
    let foreign = client.get("/foreign").response().await.text;
    assert_eq!(foreign, "event: done\ndata: {\"type\":\"done\",\"url\":\"/7\"}\n\n");
}

#[derive(Clone)]
struct Job {
    topic: Topic<JobEvent>,
}

#[sse_route("/followed")]
async fn followed(sse: Sse<JobEvent>, State(job): State<Job>) -> Result<()> {
    let clone = sse.clone();
    let topic = job.topic.clone();
    tokio::spawn(async move {
        clone.open().await.expect("open");
        tokio::task::yield_now().await;
        for percent in [1, 2] {
            topic.publish(JobEvent::Progress { percent }).await.expect("published");
        }
        clone.send(JobEvent::Done { url: "/7" }).await.expect("sent");
        topic.publish(JobEvent::Progress { percent: 3 }).await.expect("published");
    });
    let outcome = sse.follow(&job.topic).await;
    assert!(matches!(outcome, Err(SendError::Finished)), "{outcome:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_topic_has_published_comes_before_the_terminal_event_and_nothing_after_it() {
    let job = Job { topic: Hub::default().topic("job") };
    let mut events =
        TestClient::new(routes![followed].with_state(job) as Router).get("/followed").stream().await;
    let seen: Vec<_> = events.rest().await.into_iter().map(|event| (event.name, event.data)).collect();
    let names: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sse-open", "progress", "progress", "done"], "{seen:#?}");
    assert_eq!(events.last_event_id(), "sse-end");
}

#[tokio::test]
async fn on_a_topic_a_terminal_event_has_the_topics_id_and_an_own_id_is_refused() {
    let hub = Hub::default();
    let topic: Topic<JobEvent> = hub.topic("job");
    let done = topic.publish(JobEvent::Done { url: "/7" }).await.expect("published");
    assert_eq!(done, hub.topic::<Message>("job").position());
    let refused = topic.publish(JobEvent::LogLine { number: "7".to_owned() }).await;
    assert!(matches!(&refused, Err(PublishError::OwnId { id }) if id == "7"), "{refused:?}");
}
