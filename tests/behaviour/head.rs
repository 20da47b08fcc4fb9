//! What a handler says of the response's head, and the response in place of a stream.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::{Json, Router};
use sse_runtime::testing::TestClient;
use sse_runtime::{DisconnectReason, Error, HeadError, Result, SendError, Shutdown, Sse, routes, sse_route};
use tokio::time::sleep;
use tower_service::Service;

use crate::Hooks;

async fn head(mut app: Router, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    app.call(request).await.expect("infallible")
}

#[sse_route("/shaped", open_after = "1s")]
async fn shaped(sse: Sse) -> Result<()> {
    sse.set_header("x-request-id", "first")?;
    sse.set_header("x-request-id", HeaderValue::from_static("second"))?;
    sse.set_header(header::CACHE_CONTROL, "private".to_owned())?;
    sse.set_header("x-count", 3)?;
    for cookie in ["a=1", "b=2"] {
        sse.append_header("set-cookie", cookie)?;
    }
    sse.set_status(StatusCode::CREATED)?;
    sleep(Duration::from_millis(500)).await;
    sse.set_header("x-late", "but not too late")?;
    sse.send("a").await?;
    let late = [sse.set_header("x-later", "1"), sse.set_status(StatusCode::OK), sse.respond("no")];
    for outcome in late {
        assert!(matches!(outcome, Err(SendError::Head(HeadError::Sent))), "{outcome:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn headers_and_status_can_be_set_until_the_first_event() {
    let response = head(routes![shaped], "/shaped").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let shown = |name: &str| response.headers().get_all(name).iter().cloned().collect::<Vec<_>>();
    assert_eq!(shown("x-request-id"), ["second"]);
    assert_eq!(shown("cache-control"), ["private"]);
    assert_eq!(shown("x-count"), ["3"]);
    assert_eq!(shown("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(shown("x-late"), ["but not too late"]);
    assert_eq!(shown("content-type"), ["text/event-stream"]);
    assert_eq!(shown("x-later"), [""; 0]);
}

#[sse_route("/opened", open_after = "1s")]
async fn opened(sse: Sse) -> Result<()> {
    sleep(Duration::from_secs(2)).await;
    let late = sse.set_header("x-late", "1");
    sse.send(format!("{late:?}")).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_open_after_it_is_too_late() {
    let mut events = TestClient::new(routes![opened]).get("/opened").stream().await;
    events.expect("message", "Err(Head(Sent))").await;
}

#[sse_route("/refused")]
async fn refused(sse: Sse) -> Result<()> {
    let said = [
        sse.set_header("no name", "1"),
        sse.set_header("x-value", "a\r\nx-forged: 1"),
        sse.set_header("Content-Length", "3"),
        sse.set_header(header::TRANSFER_ENCODING, "chunked"),
        sse.set_header("connection", "close"),
        sse.set_status(StatusCode::NOT_FOUND),
        sse.set_status(StatusCode::NO_CONTENT),
    ];
    for outcome in said {
        sse.clone().send(outcome.expect_err("refused").to_string()).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_no_head_can_say_is_refused_by_name() {
    let mut events = TestClient::new(routes![refused]).get("/refused").stream().await;
    let said: Vec<String> = events.rest().await.into_iter().map(|event| event.data).collect();
    for (said, expected) in said.iter().zip([
        "name cannot be written",
        "the value of the header `x-value` cannot be written",
        "`content-length` is set by the server",
        "`transfer-encoding` is set by the server",
        "`connection` is set by the server",
        "cannot have the status 404",
        "cannot have the status 204",
    ]) {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(said.len(), 7);
    assert!(!events.headers().contains_key("x-forged"));
}

#[sse_route("/answers/{how}", methods = ["GET", "POST"], open_after = "1s", end = "end")]
async fn answers(sse: Sse, how: String, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.set_header("x-request-id", "17")?;
    sse.append_header("set-cookie", "a=1")?;
    sse.append_header("set-cookie", "b=2")?;
    sse.set_header("content-type", "text/event-stream; only of the stream")?;
    sse.respond((StatusCode::ACCEPTED, Json(vec![1, 2])))?;
    for outcome in [sse.send("no").await, sse.open().await, sse.finish().await] {
        assert!(matches!(outcome, Err(SendError::Finished)), "{outcome:?}");
    }
    match how.as_str() {
        "late" => sleep(Duration::from_secs(30)).await,
        "failing" => return Err(Error::from("secret").with_status(StatusCode::CONFLICT)),
        "twice" => sse.respond("the second one")?,
        _ => {}
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_handler_can_answer_in_place_of_a_stream() {
    for how in ["at-once", "late"] {
        let hooks = Hooks::default();
        let client = TestClient::new(routes![answers].with_state(hooks.clone()));
        let answer = client.get(&format!("/answers/{how}")).response().await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (202, "[1,2]"), "{how}");
        assert_eq!(answer.headers["x-request-id"], "17");
        assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(answer.headers.get_all("content-type").iter().collect::<Vec<_>>(), ["application/json"]);
        assert!(!answer.headers.contains_key("x-accel-buffering"));
        let gone = hooks.only().await;
        assert_eq!((gone.reason, gone.events, gone.bytes), (DisconnectReason::Completed, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_counts_and_an_error_more_than_any() {
    let client = TestClient::new(routes![answers].with_state(Hooks::default()));
    let twice = client.post("/answers/twice").response().await;
    assert_eq!((twice.status.as_u16(), twice.text.as_str()), (200, "the second one"));
    let failing = client.get("/answers/failing").response().await;
    assert_eq!(failing.status.as_u16(), 409);
    assert!(!failing.headers.contains_key("x-request-id"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_ready_when_the_server_shuts_down_is_given() {
    let hooks = Hooks::default();
    let shutdown = Shutdown::new();
    let app: Router = routes![answers].with_state(hooks.clone()).layer(shutdown.clone());
    let answer = tokio::spawn(async move { head(app, "/answers/late").await });
    sleep(Duration::from_secs(2)).await;
    shutdown.begin();
    let answer = answer.await.expect("no panic");
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(hooks.only().await.reason, DisconnectReason::ServerShutdown);
}

/// Something that an answer holds on to, and where handles are kept beyond their handlers.
#[derive(Clone, Default)]
struct Kept {
    held: Arc<()>,
    handles: Arc<Mutex<Vec<Sse>>>,
}

#[sse_route("/dropped")]
async fn dropped(sse: Sse, State(kept): State<Kept>) -> Result<()> {
    let held = Arc::clone(&kept.held);
    let body = futures_util::stream::once(async move {
        drop(held);
        Ok::<_, std::io::Error>("never sent")
    });
    sse.respond(Body::from_stream(body))?;
    kept.handles.lock().expect("not poisoned").push(sse);
    Err("another answer".into())
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_given_is_dropped_with_the_handler() {
    let kept = Kept::default();
    let client = TestClient::new(routes![dropped].with_state(kept.clone()));
    assert_eq!(client.get("/dropped").response().await.status.as_u16(), 500);
    drop(client);
    assert_eq!(kept.handles.lock().expect("not poisoned").len(), 1);
    assert_eq!(Arc::strong_count(&kept.held), 1);
}
