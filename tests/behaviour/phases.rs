//! Before the response head is out, errors are HTTP; after it, they are events.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sse_runtime::testing::TestClient;
use sse_runtime::{Error, Result, SendError, Sse, routes, sse_route};
use tokio::time::{Instant, sleep};

/// An application's own error.
enum AppError {
    NoSuchJob,
    Broken,
    Send(SendError),
}

impl From<SendError> for AppError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        match self {
            Self::NoSuchJob => (StatusCode::NOT_FOUND, [("x-reason", "job")], "no such job").into_response(),
            Self::Broken => (StatusCode::BAD_GATEWAY, "secret: the password is hunter2").into_response(),
            Self::Send(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

#[sse_route("/jobs/{id}")]
async fn job(sse: Sse, id: u64) -> Result<(), AppError> {
    if id == 0 {
        return Err(AppError::NoSuchJob);
    }
    sse.send("started").await?;
    if id == 1 {
        return Err(AppError::Broken);
    }
    sleep(Duration::from_secs(1)).await;
    Err(AppError::Broken)
}

#[tokio::test(start_paused = true)]
async fn an_error_before_the_first_event_is_an_http_response() {
    let answer = TestClient::new(routes![job]).get("/jobs/0").response().await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["x-reason"], "job");
    assert_eq!(answer.text, "no such job");
}

#[tokio::test(start_paused = true)]
async fn an_error_after_the_first_event_is_a_failure_event_that_leaks_nothing() {
    for path in ["/jobs/1", "/jobs/2"] {
        let mut events = TestClient::new(routes![job]).get(path).stream().await;
        events.expect("message", "started").await;
        events.expect("failure", r#"{"reason":"HandlerError"}"#).await;
        events.expect_end().await;
        assert!(!events.raw_text().contains("hunter2"), "{}", events.raw_text());
    }
}

#[sse_route("/any/{what}")]
async fn any_error(sse: Sse, what: String) -> Result<()> {
    match what.as_str() {
        "io" => {
            std::fs::read("/nonexistent/file")?;
        }
        "text" => Err("a plain text")?,
        "status" => Err(Error::from("secret").with_status(StatusCode::CONFLICT))?,
        "public" => Err(Error::from("secret").with_status(StatusCode::CONFLICT).public("try later"))?,
        "late-public" => {
            sse.send("begun").await?;
            Err(Error::from("secret").public("try later"))?;
        }
        _ => {}
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_runtimes_own_error_takes_any_error_and_says_only_its_public_text() {
    let client = TestClient::new(routes![any_error]);
    for (what, status, text) in [
        ("io", 500, "Internal Server Error"),
        ("text", 500, "Internal Server Error"),
        ("status", 409, "Conflict"),
        ("public", 409, "try later"),
    ] {
        let answer = client.get(&format!("/any/{what}")).response().await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, text), "{what}");
    }
    let mut events = client.get("/any/late-public").stream().await;
    events.expect("message", "begun").await;
    events.expect("failure", r#"{"reason":"HandlerError","message":"try later"}"#).await;
    events.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_sends_nothing_is_an_empty_stream() {
    let mut events = TestClient::new(routes![any_error]).get("/any/nothing").stream().await;
    events.expect_end().await;
    assert_eq!(events.raw_text(), "");
}

#[sse_route("/panics/{when}")]
async fn panics(sse: Sse, when: String) {
    if when == "late" {
        let _ = sse.send("begun").await;
        sleep(Duration::from_millis(10)).await;
    }
    panic!("secret");
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_first_event_is_a_500() {
    let answer = TestClient::new(routes![panics]).get("/panics/early").response().await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text.contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_the_first_event_is_a_failure_event_and_a_clean_end() {
    let mut events = TestClient::new(routes![panics]).get("/panics/late").stream().await;
    events.expect("message", "begun").await;
    events.expect("failure", r#"{"reason":"HandlerPanic"}"#).await;
    events.expect_end().await;
}

async fn wait_then_fail(sse: Sse, seconds: u64) -> Result<()> {
    sleep(Duration::from_secs(seconds)).await;
    drop(sse);
    Err("too late for a status".into())
}

#[sse_route("/quiet/{seconds}")]
async fn quiet(sse: Sse, seconds: u64) -> Result<()> {
    wait_then_fail(sse, seconds).await
}

#[sse_route("/patient/{seconds}", open_after = "off")]
async fn patient(sse: Sse, seconds: u64) -> Result<()> {
    wait_then_fail(sse, seconds).await
}

#[sse_route("/eager/{seconds}", open_after = "0s")]
async fn eager(sse: Sse, seconds: u64) -> Result<()> {
    wait_then_fail(sse, seconds).await
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_opens_after_a_second() {
    let client = TestClient::new(routes![quiet]);
    let asked = Instant::now();
    let mut events = client.get("/quiet/5").stream().await;
    assert_eq!(asked.elapsed().as_secs(), 1);
    events.expect("failure", r#"{"reason":"HandlerError"}"#).await;
    assert_eq!(asked.elapsed().as_secs(), 5);
    events.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn open_after_can_be_switched_off_or_set_to_nothing() {
    let client = TestClient::new(routes![patient, eager]);
    let asked = Instant::now();
    let answer = client.get("/patient/5").response().await;
    assert_eq!((answer.status.as_u16(), asked.elapsed().as_secs()), (500, 5));

    let asked = Instant::now();
    let mut events = client.get("/eager/5").stream().await;
    assert!(asked.elapsed() < Duration::from_millis(10), "{:?}", asked.elapsed());
    events.expect("failure", r#"{"reason":"HandlerError"}"#).await;
}

#[sse_route("/opens")]
async fn opens(sse: Sse) -> Result<()> {
    sse.open().await?;
    sse.open().await?;
    sleep(Duration::from_millis(500)).await;
    Err("no longer a status".into())
}

#[tokio::test(start_paused = true)]
async fn open_sends_the_head_at_once() {
    let asked = Instant::now();
    let mut events = TestClient::new(routes![opens]).get("/opens").stream().await;
    assert!(asked.elapsed() < Duration::from_millis(10), "{:?}", asked.elapsed());
    events.expect("failure", r#"{"reason":"HandlerError"}"#).await;
    events.expect_end().await;
}

#[sse_route("/spawned")]
async fn spawned(sse: Sse) -> Result<()> {
    let clone = sse.clone();
    let task = tokio::spawn(async move {
        sleep(Duration::from_millis(100)).await;
        clone.send("from a task").await
    });
    task.await??;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clone_in_a_task_can_send_the_first_event() {
    let asked = Instant::now();
    let mut events = TestClient::new(routes![spawned]).get("/spawned").stream().await;
    assert_eq!(asked.elapsed().as_millis(), 100);
    events.expect("message", "from a task").await;
    events.expect_end().await;
}

#[sse_route("/refused")]
async fn refused(sse: Sse) -> Result<()> {
    sse.send(sse_runtime::Event::new(String::from("two\nlines"))).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_first_event_that_cannot_be_sent_leaves_the_response_free() {
    let answer = TestClient::new(routes![refused]).get("/refused").response().await;
    assert_eq!(answer.status, 500);
}
