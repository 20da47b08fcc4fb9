//! Bad input from the network: a clear answer, never a panic, a hang or a lost event.

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use sse_runtime::testing::TestClient;
use sse_runtime::{Result, Sse, routes, sse_route};
use tower_service::Service;

#[sse_route("/echo")]
async fn echo(sse: Sse) -> Result<()> {
    sse.send(format!("{:?}", sse.last_event_id())).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Page {
    page: u32,
}

#[sse_route("/pages/{id}")]
async fn pages(sse: Sse, id: i8, Query(query): Query<Page>) -> Result<()> {
    sse.send(format!("{id} {}", query.page)).await?;
    Ok(())
}

#[tokio::test]
async fn a_last_event_id_is_read_as_bytes_and_garbage_counts_as_none() {
    let client = TestClient::new(routes![echo]);
    let long = "x".repeat(1024);
    for (header, expected) in [
        (&b"42-7"[..], "Some(\"42-7\")".to_owned()),
        ("grüße".as_bytes(), "Some(\"grüße\")".to_owned()),
        (long.as_bytes(), format!("Some({long:?})")),
        (b"", "None".to_owned()),
        (b"\xff\xfe garbage \x80", "None".to_owned()),
        ("x".repeat(1025).as_bytes(), "None".to_owned()),
        ("x".repeat(1 << 20).as_bytes(), "None".to_owned()),
    ] {
        let mut events = client.get("/echo").last_event_id(header).stream().await;
        events.expect("message", &expected).await;
    }
}

#[tokio::test]
async fn a_query_or_path_that_does_not_parse_is_a_400_that_names_the_value() {
    let client = TestClient::new(routes![pages]);
    client.get("/pages/7?page=3").stream().await.expect("message", "7 3").await;
    for (path, named) in [
        ("/pages/7?page=many", "page"),
        ("/pages/7", "page"),
        ("/pages/1000?page=1", "\"1000\""),
        ("/pages/%22%0A?page=1", r#"\"\n"#),
        ("/pages/%ff?page=1", "id"),
    ] {
        let answer = client.get(path).response().await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text.contains(named), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_long_path_value_is_not_repeated_whole() {
    let path = format!("/pages/{}?page=1", "9".repeat(5000));
    let answer = TestClient::new(routes![pages]).get(&path).response().await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.len() < 300, "{}", answer.text);
}

#[sse_route("/upload", methods = ["POST"])]
async fn upload(sse: Sse, body: String) -> Result<()> {
    sse.send(body).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn half_a_request_body_is_not_waited_for_for_ever() {
    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from("half"))]);
    let body = Body::from_stream(begun.chain(stream::pending()));
    let request = Request::post("/upload").body(body).expect("a request");
    let mut app: axum::Router = routes![upload];
    let response = app.call(request).await.expect("infallible");
    assert_eq!(response.status(), 408);
}
