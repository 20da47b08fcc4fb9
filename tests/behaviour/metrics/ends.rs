//! However a stream ends, it is counted once as opened and once as ended, and is not open any more.

use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::Method;
use axum::http::request::Parts;
use sse_runtime::testing::{TestClient, TestStream};
use sse_runtime::{Admission, Hub, Result, Shutdown, Sse, StatusCode, Topic, routes, sse_route};
use sse_tests::within_limit;
use tokio::time::{Instant, sleep};

use super::recorder::Recorded;

/// An extractor that refuses.
struct Nobody;

impl<S: Sync> FromRequestParts<S> for Nobody {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> std::result::Result<Self, StatusCode> {
        Err(StatusCode::FORBIDDEN)
    }
}

#[sse_route("/plain/{how}", max_age = "1h", send_timeout = "5s")]
async fn plain(sse: Sse, how: String) -> Result<()> {
    match how.as_str() {
        "idle" => {
            sse.send("x").await?;
            std::future::pending::<()>().await;
        }
        "waits" => std::future::pending().await,
        "flood" => loop {
            sse.send("x".repeat(1000)).await?;
        },
        "expires" => {
            sse.expires_at(Instant::now() + Duration::from_secs(60));
            sse.open().await?;
            std::future::pending::<()>().await;
        }
        "early-error" => Err("early")?,
        "early-panic" => panic!("early"),
        "error" => {
            sse.send("x").await?;
            Err("late")?;
        }
        "panic" => {
            sse.send("x").await?;
            panic!("late");
        }
        "answers" => sse.respond(StatusCode::IM_A_TEAPOT)?,
        "finishes" => sse.finish().await?,
        _ => {}
    }
    Ok(())
}

#[sse_route("/topic", send_timeout = "off")]
async fn topic(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

#[sse_route("/foreign", bare)]
async fn foreign(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/unopened", bare, open_after = "off")]
async fn unopened(_sse: Sse) -> Result<()> {
    std::future::pending().await
}

#[sse_route("/full", max_streams = 0)]
async fn full(_sse: Sse) -> Result<()> {
    Ok(())
}

#[sse_route("/numbers/{n}")]
async fn numbers(_sse: Sse, n: u8) -> Result<()> {
    let _ = n;
    Ok(())
}

#[sse_route("/nobody")]
async fn nobody(_sse: Sse, _nobody: Nobody) -> Result<()> {
    Ok(())
}

struct Scene {
    client: TestClient,
    shutdown: Shutdown,
    topic: Topic,
    recorded: Recorded,
}

fn scene(recorded: &Recorded) -> Scene {
    let shutdown = Shutdown::new();
    let topic = Hub::in_memory().topic_events(4).build().topic("t");
    let app: Router =
        routes![plain, topic, foreign, unopened, full, numbers, nobody].with_state(topic.clone());
    let client = TestClient::new(app.layer(shutdown.clone())).limit(Duration::from_secs(7200));
    Scene { client, shutdown, topic, recorded: recorded.clone() }
}

impl Scene {
    async fn open(&self, path: &str) -> TestStream {
        let mut events = self.client.get(path).stream().await;
        events.next().await;
        events
    }

    /// Nothing is open, what was opened has ended, and the last that did had this reason.
    async fn ended(&self, route: &str, reason: &str) {
        let route = [("route", route)];
        within_limit("the end", async {
            while self.recorded.gauge("sse_streams_open", &route) > 0.0 {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        assert!(self.recorded.gauge("sse_streams_open", &[]).abs() < f64::EPSILON);
        let opened = self.recorded.counted("sse_streams_opened_total", &route);
        assert_eq!(self.recorded.counted("sse_streams_ended_total", &route), opened);
        assert_eq!(self.recorded.observed("sse_stream_duration_seconds", &route).len() as u64, opened);
        let ended = self.recorded.counted("sse_streams_ended_total", &[route[0], ("reason", reason)]);
        assert_eq!((opened, ended), (1, 1), "{route:?} {reason}");
    }
}

const PLAIN: &str = "/plain/{how}";

#[tokio::test(start_paused = true)]
async fn of_a_client_that_leaves_or_does_not_read() {
    for (path, reason) in [("idle", "ClientClosed"), ("waits", "ClientClosed"), ("flood", "SendTimeout")] {
        let recorded = Recorded::default();
        let _guard = recorded.here();
        let scene = scene(&recorded);
        let path = format!("/plain/{path}");
        let request =
            tokio::time::timeout(Duration::from_millis(500), scene.client.get(&path).stream()).await;
        assert_eq!(request.is_err(), path == "/plain/waits", "it leaves before the head");
        match request {
            Ok(mut events) if reason == "SendTimeout" => {
                events.stall();
                scene.ended(PLAIN, reason).await;
            }
            Ok(events) => events.disconnect(),
            Err(_) => {}
        }
        scene.ended(PLAIN, reason).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_handler_that_is_through() {
    for (how, reason) in [
        ("done", "Completed"),
        ("finishes", "Completed"),
        ("answers", "Completed"),
        ("early-error", "HandlerError"),
        ("error", "HandlerError"),
        ("early-panic", "HandlerPanic"),
        ("panic", "HandlerPanic"),
    ] {
        let recorded = Recorded::default();
        let _guard = recorded.here();
        let scene = scene(&recorded);
        scene.client.get(&format!("/plain/{how}")).response().await;
        scene.ended(PLAIN, reason).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_stream_that_the_server_ends() {
    for reason in ["Kicked", "MaxAge", "AuthExpired", "ServerShutdown", "SlowClient"] {
        let recorded = Recorded::default();
        let _guard = recorded.here();
        let scene = scene(&recorded);
        let (path, route) = match reason {
            "AuthExpired" => ("/plain/expires", PLAIN),
            "SlowClient" => ("/topic", "/topic"),
            _ => ("/plain/idle", PLAIN),
        };
        let mut events = scene.client.get(path).stream().await;
        sleep(Duration::from_secs(1)).await;
        assert!((recorded.gauge("sse_streams_open", &[("route", route)]) - 1.0).abs() < f64::EPSILON);
        match reason {
            "Kicked" => assert_eq!(scene.shutdown.registry().kick(|_| true, "out"), 1),
            "ServerShutdown" => scene.shutdown.begin(),
            "SlowClient" => {
                events.stall();
                for n in 0..10 {
                    scene.topic.publish(n.to_string()).await.expect("published");
                }
                events.resume();
            }
            _ => {}
        }
        events.rest().await;
        scene.ended(route, reason).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_bare_streams_which_are_cut_or_answered() {
    for path in ["/foreign", "/unopened"] {
        let recorded = Recorded::default();
        let _guard = recorded.here();
        let scene = scene(&recorded);
        let client = scene.client.get(path);
        if path == "/foreign" {
            let mut events = client.stream().await;
            events.next().await;
            scene.shutdown.begin();
            events.expect_cut().await;
        } else {
            let answer = tokio::spawn(client.response());
            sleep(Duration::from_secs(5)).await;
            scene.shutdown.begin();
            assert_eq!(answer.await.expect("no panic").status, StatusCode::SERVICE_UNAVAILABLE);
        }
        scene.ended(path, "ServerShutdown").await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_stream_that_is_given_up_at_the_end_of_the_drain() {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    let scene = scene(&recorded);
    let mut events = scene.open("/plain/idle").await;
    events.stall();
    scene.shutdown.begin();
    let ended = scene.shutdown.bound(std::future::pending::<()>(), Duration::from_secs(1)).await;
    assert!(ended.is_none());
    scene.ended(PLAIN, "ServerShutdown").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_stream_is_not_counted_as_one() {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    let scene = scene(&recorded);
    for (method, path, status) in [
        (Method::HEAD, "/plain/done", StatusCode::OK),
        (Method::GET, "/numbers/many", StatusCode::BAD_REQUEST),
        (Method::GET, "/nobody", StatusCode::FORBIDDEN),
        (Method::GET, "/full", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let mut request = scene.client.request(method, path);
        if path == "/full" {
            request = request.header("accept", "*/*");
        }
        assert_eq!(request.response().await.status, status, "{path}");
    }
    let again = scene.client.get("/plain/done").last_event_id("sse-end").response().await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
    let refused = scene.client.get("/plain/done").header("accept", "text/html").response().await;
    assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE);

    assert_eq!(recorded.counted("sse_streams_opened_total", &[]), 0);
    assert_eq!(recorded.counted("sse_streams_ended_total", &[]), 0);
    assert!(recorded.gauge("sse_streams_open", &[]).abs() < f64::EPSILON);
    assert_eq!(recorded.counted("sse_streams_refused_total", &[("route", "/full"), ("limit", "route")]), 1);
    assert_eq!(recorded.counted("sse_streams_refused_total", &[]), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_is_counted_by_the_limit() {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    let admission = Admission::new().total(1);
    let client = TestClient::new(routes![foreign, full].layer(admission));
    let mut events = client.get("/foreign").stream().await;
    events.next().await;
    for _ in 0..3 {
        assert_eq!(client.get("/foreign").response().await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    let of_route = ("route", "/foreign");
    assert_eq!(recorded.counted("sse_streams_refused_total", &[of_route, ("limit", "total")]), 3);
    assert_eq!(recorded.counted("sse_streams_refused_total", &[of_route]), 3);
    assert_eq!(recorded.counted("sse_streams_opened_total", &[of_route]), 1);
}
