//! How a body is cut into frames: each is a write to the socket.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use http_body_util::BodyExt;
use sse_runtime::{Hub, Message, Result, Sse, routes, sse_route};
use tower_service::Service;

#[sse_route("/at-once")]
async fn at_once(sse: Sse) -> Result<()> {
    for n in 0..3 {
        sse.send(n.to_string()).await?;
    }
    Ok(())
}

#[sse_route("/in-two-parts", end = "end")]
async fn in_two_parts(sse: Sse) -> Result<()> {
    sse.send("a").await?;
    sse.send("b").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    sse.send("c").await?;
    Ok(())
}

async fn body(path: &str) -> Body {
    let mut app: Router = routes![at_once, in_two_parts];
    let request = Request::get(path).body(Body::empty()).expect("a request");
    app.call(request).await.expect("infallible").into_body()
}

async fn frame(body: &mut Body) -> String {
    let frame = body.frame().await.expect("a frame").expect("no error");
    String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_without_a_pause_leaves_as_one_frame_with_the_end() {
    let mut body = body("/at-once").await;
    let whole = "data: 0\n\ndata: 1\n\ndata: 2\n\n";
    assert_eq!(body.size_hint().exact(), Some(whole.len() as u64), "its length can be announced");
    assert_eq!(frame(&mut body).await, whole);
    assert!(body.is_end_stream(), "no frame of its own for the end");
}

#[tokio::test(start_paused = true)]
async fn each_pause_makes_a_frame_and_the_last_event_brings_the_end() {
    let mut body = body("/in-two-parts").await;
    assert_eq!(body.size_hint().exact(), None);
    assert_eq!(frame(&mut body).await, "data: a\n\ndata: b\n\n");
    assert!(!body.is_end_stream());
    assert_eq!(frame(&mut body).await, "data: c\n\nevent: end\nid: sse-end\ndata: {}\n\n");
    assert!(body.is_end_stream(), "no frame of its own for the end");
}

#[sse_route("/topics/{names}")]
async fn topics(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    sse.follow_all(names.split(',').map(|name| hub.topic(name))).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_events_is_one_frame_for_all_who_follow_one_topic_or_several() {
    let hub = Hub::default();
    let mut bodies = Vec::new();
    for path in ["/topics/a", "/topics/a", "/topics/a,b"] {
        let mut app: Router = routes![topics].with_state(hub.clone());
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let mut body = app.call(request).await.expect("infallible").into_body();
        assert!(frame(&mut body).await.contains("event: sse-open\n"));
        bodies.push(body);
    }
    // All of it fits into the first piece of memory that a topic takes for its events: a burst that does not is cut there.
    for round in 0..3 {
        let mut expected = String::new();
        for n in 0..4 {
            let data = format!("{round}:{n}");
            let id = hub.topic::<Message>("a").publish(&data).await.expect("published");
            expected.push_str(&format!("id: {id}\ndata: {data}\n\n"));
        }
        let mut places = Vec::new();
        for body in &mut bodies {
            let frame = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
            assert_eq!(frame, expected);
            places.push(frame.as_ptr());
        }
        assert_eq!(places[0], places[1], "encoded once, and not copied for each who follows one topic");
    }
}
