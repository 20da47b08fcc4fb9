//! What is no reply, or not for this stream.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_or_parse_is_refused_where_it_comes_in() {
    let client = client(None);
    let mut events = client.get("/guess/a").stream().await;
    let token = token(&mut events).await;
    events.expect("message", "a").await;
    let post = || reply(&client, "/guess/a", &token);
    let large = serde_json::json!({ "number": 1, "more": "x".repeat(2000) });
    assert_eq!(shown(&post().json(&large).response().await), (413, "a reply has 1024 bytes at most"));
    let json = || post().header("content-type", "application/json");
    for (body, status) in [("", 422), ("{", 422), (r#"{"number":"x"}"#, 422), (r#"{"number":1}x"#, 422)] {
        let refused = json().body(body).response().await;
        assert_eq!(refused.status.as_u16(), status, "{body}: {}", refused.text);
    }
    let refused = json().body(r#"{"number":"x"}"#).response().await;
    assert!(refused.text.starts_with("invalid type: string \"x\", expected i64"), "{}", refused.text);
    let text = post().header("content-type", "text/plain").body(r#"{"number":1}"#).response().await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(post().body(r#"{"number":1}"#).response().await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let kin =
        post().header("content-type", "application/problem+json; charset=utf-8").body(r#"{"number":42}"#);
    assert_eq!(shown(&kin.response().await), (200, r#""yes""#));
    // Nothing else has reached the handler.
    events.expect("message", "42").await;
}

#[tokio::test(start_paused = true)]
async fn a_guess_a_foreign_stream_and_none_are_answered_alike() {
    let client = client(None);
    let mut events = client.get("/guess/a").header("user", "ada").stream().await;
    let token = token(&mut events).await;
    events.expect("message", "a").await;
    let mut others = client.get("/slow").header("user", "ada").stream().await;
    let other = super::token(&mut others).await;
    let guessed = token.chars().rev().collect::<String>();
    let long = "a".repeat(1000);
    for (path, token, user) in [
        ("/guess/a", guessed.as_str(), "ada"),
        ("/guess/a", "", "ada"),
        ("/guess/a", "x", "ada"),
        ("/guess/a", &long, "ada"),
        ("/guess/a", "%00%ff", "ada"),
        ("/guess/a", &token, "eve"),
        ("/guess/a", &other, "ada"),
        ("/guess/b", &token, "ada"),
    ] {
        // Whether there is such a stream is said before what is wrong with the body.
        for body in [r#"{"number":1}"#, "{"] {
            let request = reply(&client, path, token).header("user", user);
            let answer = request.header("content-type", "application/json").body(body).response().await;
            assert_eq!(shown(&answer), (404, "no such stream"), "{path} {token} {user}");
        }
    }
    let anonymous =
        reply(&client, "/guess/a", &token).json(&serde_json::json!({ "number": 1 })).response().await;
    assert_eq!(anonymous.status, StatusCode::NOT_FOUND);
    let own = reply(&client, "/guess/a", &token).header("user", "ada");
    assert_eq!(own.json(&serde_json::json!({ "number": 1 })).response().await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_post_that_names_no_stream_is_not_one_of_the_routes_methods() {
    let client = client(None);
    let refused = client.post("/guess/a").json(&serde_json::json!({ "number": 1 })).response().await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.text, "name the stream: ?reply=<the token that it was given>");
    let put = client.request(axum::http::Method::PUT, "/guess/a").response().await;
    assert_eq!(put.status, StatusCode::METHOD_NOT_ALLOWED);
}
