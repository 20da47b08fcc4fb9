use std::io::Read as _;

use axum::body::{Body, to_bytes};
use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, IF_NONE_MATCH};
use http::{HeaderName, Method, Request};
use tower_service::Service as _;

use super::*;

async fn ask(method: Method, at: &str, path: &str, headers: &[(HeaderName, &[u8])]) -> Response {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
    for (name, value) in headers {
        request.headers_mut().append(name, HeaderValue::from_bytes(value).expect("a header value"));
    }
    let mut app: Router = Router::new().nest("/api", routes(at, "/openapi.json", "Jobs & <more>"));
    app.call(request).await.unwrap_or_else(|never| match never {})
}

async fn text(response: Response) -> String {
    String::from_utf8(body(response).await).expect("UTF-8")
}

async fn body(response: Response) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory").into()
}

fn header<'r>(response: &'r Response, name: &HeaderName) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

fn script_path() -> String {
    format!("/api/docs/scalar-{}.js", script::fingerprint())
}

#[tokio::test]
async fn the_page_leads_to_its_script_and_its_document_by_relative_ways() {
    for (at, script, openapi, root) in [
        ("/docs", "./docs/", "./openapi.json", "./"),
        ("/docs/", "../docs/", "../openapi.json", "../"),
        ("/help/docs", "../help/docs/", "../openapi.json", "../"),
    ] {
        let page = text(ask(Method::GET, at, &format!("/api{at}"), &[]).await).await;
        let fingerprint = script::fingerprint();
        let element = format!(
            r#"<script src="{script}scalar-{fingerprint}.js" data-openapi="{openapi}" data-root="{root}">"#
        );
        assert!(page.contains(&element), "{at}: {page}");
        assert!(page.contains("<title>Jobs &amp; &lt;more&gt;</title>"), "{page}");
    }
}

#[tokio::test]
async fn the_page_forbids_every_request_to_others_and_is_asked_for_again() {
    let page = ask(Method::GET, "/docs", "/api/docs", &[]).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(header(&page, &CONTENT_TYPE), "text/html; charset=utf-8");
    assert_eq!(header(&page, &CACHE_CONTROL), "no-cache");
    let policy = header(&page, &CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*'), "{policy}");

    let tag = header(&page, &ETAG).as_bytes().to_vec();
    let again = ask(Method::GET, "/docs", "/api/docs", &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header(&again, &ETAG).as_bytes(), tag);
    assert_eq!(body(again).await, b"");
    let other = ask(Method::GET, "/docs", "/api/docs", &[(IF_NONE_MATCH, b"\"another\"")]).await;
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_script_goes_out_compressed_to_who_accepts_that_and_is_the_same_text() {
    let plain = ask(Method::GET, "/docs", &script_path(), &[]).await;
    assert_eq!(plain.status(), StatusCode::OK);
    assert_eq!(header(&plain, &CONTENT_TYPE), "text/javascript; charset=utf-8");
    assert_eq!(header(&plain, &CONTENT_ENCODING), "");
    let plain_tag = header(&plain, &ETAG).to_owned();
    let plain = text(plain).await;
    assert!(plain.contains("Scalar.createApiReference(\"#app\""));

    let compressed =
        ask(Method::GET, "/docs", &script_path(), &[(ACCEPT_ENCODING, b"gzip, deflate, br, zstd")]).await;
    assert_eq!(header(&compressed, &CONTENT_ENCODING), "gzip");
    assert_eq!(header(&compressed, &VARY), "accept-encoding");
    assert_ne!(header(&compressed, &ETAG), plain_tag);
    let compressed = body(compressed).await;
    assert!(compressed.len() < plain.len() / 3, "{} of {}", compressed.len(), plain.len());
    let mut unpacked = String::new();
    GzDecoder::new(&compressed[..]).read_to_string(&mut unpacked).expect("gzip of UTF-8");
    assert!(unpacked == plain, "not the same text");
}

#[tokio::test]
async fn the_script_is_kept_for_ever_under_an_address_that_names_its_content() {
    let gzip = (ACCEPT_ENCODING, &b"gzip"[..]);
    let first = ask(Method::GET, "/docs", &script_path(), std::slice::from_ref(&gzip)).await;
    assert_eq!(header(&first, &CACHE_CONTROL), "public, max-age=31536000, immutable");
    let tag = header(&first, &ETAG).as_bytes().to_vec();
    let again = ask(Method::GET, "/docs", &script_path(), &[gzip, (IF_NONE_MATCH, &tag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header(&again, &VARY), "accept-encoding");
    // Not what a client holds that can no longer unpack it.
    let plain = ask(Method::GET, "/docs", &script_path(), &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!(plain.status(), StatusCode::OK);
    let unknown = ask(Method::GET, "/docs", "/api/docs/scalar-00000000.js", &[]).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn head_answers_with_the_headers_alone() {
    for path in ["/api/docs", &script_path()] {
        let got = ask(Method::GET, "/docs", path, &[(ACCEPT_ENCODING, b"gzip")]).await;
        let head = ask(Method::HEAD, "/docs", path, &[(ACCEPT_ENCODING, b"gzip")]).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(header(&head, &ETAG), header(&got, &ETAG));
        assert_eq!(header(&head, &CONTENT_LENGTH), body(got).await.len().to_string());
        assert_eq!(body(head).await, b"");
    }
    assert_eq!(ask(Method::POST, "/docs", "/api/docs", &[]).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn an_odd_accept_encoding_gets_the_text_as_it_is() {
    for odd in [&b"\xff\xfe"[..], b",,;;=,", b"gzip;q=0", b"identity;q=0", b"br;q=1.0, *;q=0"] {
        let response = ask(Method::GET, "/docs", &script_path(), &[(ACCEPT_ENCODING, odd)]).await;
        assert_eq!(response.status(), StatusCode::OK, "{odd:?}");
        assert_eq!(header(&response, &CONTENT_ENCODING), "", "{odd:?}");
    }
}
