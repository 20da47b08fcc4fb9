//! CORS around our routes, by the layer that people have for it: a page of a listed origin can read whatever comes, the
//! refusals too, and a page of another one nothing.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method};
use sse_runtime::testing::{TestClient, TestRequest, TestResponse};
use sse_runtime::{AllowedHosts, Error, Hub, Result, Sse, StatusCode, Topic, routes, sse_route};
use tower_http::cors::CorsLayer;

const PAGE: &str = "https://app.example.com";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[sse_route("/count", end = "end")]
async fn count(sse: Sse) -> Result<()> {
    sse.send("1").await?;
    Ok(())
}

#[sse_route("/number/{n}")]
async fn number(sse: Sse, n: u32) -> Result<()> {
    match n {
        0 => Err(Error::from("zero").with_status(StatusCode::NOT_FOUND))?,
        1 => Err("the database is gone")?,
        2 => panic!("out of cheese"),
        n => {
            sse.set_header("vary", "accept")?;
            sse.send(n.to_string()).await?;
        }
    }
    Ok(())
}

#[sse_route("/follow")]
async fn follow(sse: Sse, axum::extract::State(topic): axum::extract::State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

struct Nobody;

impl<S: Sync> axum::extract::FromRequestParts<S> for Nobody {
    type Rejection = (StatusCode, &'static str);
    async fn from_request_parts(_: &mut axum::http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Err((StatusCode::UNAUTHORIZED, "log in first"))
    }
}

#[sse_route("/private")]
async fn private(_sse: Sse, _nobody: Nobody) -> Result<()> {
    Ok(())
}

#[sse_route("/answer", methods = ["POST"])]
async fn answer(sse: Sse, question: String) -> Result<()> {
    sse.send(question).await?;
    Ok(())
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin([HeaderValue::from_static(PAGE)])
        .allow_credentials(true)
        .allow_headers([LAST_EVENT_ID])
}

fn client() -> TestClient {
    let topic: Topic = Hub::in_memory().build().topic("t");
    let app: Router = routes![count, number, follow, private, answer].with_state(topic);
    TestClient::new(app.layer(cors()))
}

/// Every kind of answer that a route of ours gives, with its status.
fn kinds(client: &TestClient) -> Vec<(TestRequest, u16)> {
    vec![
        (client.get("/count"), 200),
        (client.get("/count").last_event_id("sse-end"), 204),
        (client.get("/count?last_event_id=sse-end"), 204),
        (client.request(Method::HEAD, "/count"), 200),
        (client.post("/count"), 405),
        (client.get("/number/7"), 200),
        (client.get("/number/seven"), 400),
        (client.get("/number/0"), 404),
        (client.get("/number/1"), 500),
        (client.get("/number/2"), 500),
        (client.get("/number/7").header("accept", "application/json"), 406),
        (client.get("/private"), 401),
        (client.get("/private").last_event_id("a-1"), 401),
        (client.post("/answer").body("why"), 200),
        (client.get("/nowhere"), 404),
    ]
}

fn says<'a>(response: &'a TestResponse, name: &str) -> Option<&'a str> {
    response.headers.get(name).map(|value| value.to_str().expect("text"))
}

fn varies_by_origin(response: &TestResponse) -> bool {
    let lines = response.headers.get_all("vary").into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|name| name.trim() == "origin")
}

#[tokio::test(start_paused = true)]
async fn every_answer_can_be_read_by_a_page_of_a_listed_origin() {
    for (request, status) in kinds(&client()) {
        let shown = format!("{request:?}");
        let answer = request.header("origin", PAGE).response().await;
        assert_eq!(answer.status, status, "{shown}");
        assert_eq!(says(&answer, "access-control-allow-origin"), Some(PAGE), "{shown}");
        assert_eq!(says(&answer, "access-control-allow-credentials"), Some("true"), "{shown}");
        assert!(varies_by_origin(&answer), "{shown}: {:?}", answer.headers);
    }
    let own = client().get("/number/7").header("origin", PAGE).response().await;
    assert_eq!(own.headers.get_all("vary").iter().filter(|value| *value == "accept").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_answer_can_be_read_by_a_page_of_another_origin() {
    for origin in ["https://evil.example", "http://app.example.com", "https://app.example.com:8443", "null"] {
        for (request, _) in kinds(&client()) {
            let shown = format!("{origin} {request:?}");
            let answer = request.header("origin", origin).response().await;
            assert_eq!(says(&answer, "access-control-allow-origin"), None, "{shown}");
            assert!(varies_by_origin(&answer), "a cache must not give it to others: {shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_says_it_in_its_head_and_a_resumed_one_too() {
    let client = client();
    let mut events = client.get("/follow").header("origin", PAGE).stream().await;
    assert_eq!(events.headers()["access-control-allow-origin"], PAGE);
    events.next().await;
    let back = events.reconnect().await;
    assert_eq!(back.headers()["access-control-allow-origin"], PAGE);
    assert_eq!(back.headers()["access-control-allow-credentials"], "true");
}

#[tokio::test(start_paused = true)]
async fn a_preflight_allows_the_last_event_id_without_asking_the_route() {
    let preflight = |origin: &str| {
        let ask = client().request(Method::OPTIONS, "/private").header("origin", origin);
        ask.header("access-control-request-method", "GET")
            .header("access-control-request-headers", "last-event-id")
    };
    let allowed = preflight(PAGE).response().await;
    assert_eq!((allowed.status.as_u16(), says(&allowed, "access-control-allow-origin")), (200, Some(PAGE)));
    assert_eq!(says(&allowed, "access-control-allow-headers"), Some("last-event-id"));
    let refused = preflight("https://evil.example").response().await;
    assert_eq!(says(&refused, "access-control-allow-origin"), None);
}

#[tokio::test(start_paused = true)]
async fn known_hosts_around_it_refuse_before_anything_runs() {
    let hosts = AllowedHosts::new(["api.example.com"]).allow_origin(PAGE);
    let app: Router = routes![count].layer(cors()).layer(hosts);
    let client = TestClient::new(app);
    let ask = |origin: &str| client.get("/count").header("host", "api.example.com").header("origin", origin);
    let answer = ask(PAGE).response().await;
    assert_eq!((answer.status.as_u16(), says(&answer, "access-control-allow-origin")), (200, Some(PAGE)));
    let refused = ask("https://evil.example").response().await;
    assert_eq!((refused.status.as_u16(), says(&refused, "access-control-allow-origin")), (403, None));
}
