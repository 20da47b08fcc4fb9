//! Whom the inspector lets in.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use sse_runtime::testing::{TestClient, TestResponse};
use sse_runtime::{Inspector, Shutdown};

use super::HERE;

fn client(inspector: impl FnOnce(Inspector) -> Inspector, peer: Option<&str>) -> TestClient {
    TestClient::new(app(inspector, peer))
}

fn app(inspector: impl FnOnce(Inspector) -> Inspector, peer: Option<&str>) -> Router {
    let shutdown = Shutdown::new();
    let app: Router = inspector(Inspector::new(&shutdown)).routes().layer(shutdown);
    match peer {
        Some(peer) => {
            let peer: SocketAddr = peer.parse().expect("an address");
            app.layer(Extension(ConnectInfo(peer)))
        }
        None => app,
    }
}

fn local() -> TestClient {
    client(|inspector| inspector, Some(&HERE.to_string()))
}

async fn ask(client: &TestClient, method: &str, path: &str, headers: &[(&str, &str)]) -> TestResponse {
    let mut request =
        client.request(method.parse().expect("a method"), path).header("host", "localhost:3000");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if path == "/_sse/events" {
        // A client that has seen the end: the answer is not one that goes on.
        request = request.header("last-event-id", "sse-end");
    }
    request.response().await
}

/// Whether the page's file, its stream and its buttons are refused all three; with which status, and which text.
async fn refused(client: &TestClient, headers: &[(&str, &str)]) -> (u16, String) {
    let json = [headers, &[("content-type", "application/json")]].concat();
    let page = ask(client, "GET", "/_sse", headers).await;
    let stream = ask(client, "GET", "/_sse/events", headers).await;
    assert_eq!((page.status, &page.text), (stream.status, &stream.text), "{headers:?}");
    for button in BUTTONS {
        let button = ask(client, "POST", button, &json).await;
        assert_eq!((page.status, &page.text), (button.status, &button.text), "{headers:?}");
    }
    (page.status.as_u16(), page.text)
}

/// The statuses of the page's file, its stream and its buttons.
async fn statuses(client: &TestClient, headers: &[(&str, &str)]) -> (u16, u16, u16) {
    let json = [headers, &[("content-type", "application/json")]].concat();
    let page = ask(client, "GET", "/_sse", headers).await;
    let stream = ask(client, "GET", "/_sse/events", headers).await;
    let [close, cancel] = BUTTONS.map(|button| ask(client, "POST", button, &json));
    let (close, cancel) = (close.await.status, cancel.await.status);
    assert_eq!(close, cancel, "{headers:?}");
    (page.status.as_u16(), stream.status.as_u16(), close.as_u16())
}

const FILES: [&str; 6] = [
    "/_sse",
    "/_sse/inspector.css",
    "/_sse/inspector.js",
    "/_sse/lines.js",
    "/_sse/rates.js",
    "/_sse/runs.js",
];
const BUTTONS: [&str; 2] = ["/_sse/streams/1/close", "/_sse/runs/1/cancel"];

/// The page is served, its stream says that it has ended, and there is no stream 1 to close, and no run.
const LET_IN: (u16, u16, u16) = (200, 204, 404);
/// The page's files are the same for everybody; what they show is not.
const OTHER_PAGE: (u16, u16, u16) = (200, 403, 403);
const OTHER_HOSTS_PAGE: (u16, u16, u16) = (403, 403, 403);

#[tokio::test]
async fn this_machine_is_let_in_under_its_own_names() {
    for peer in ["127.0.0.1:9", "127.8.9.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
        let client = client(|inspector| inspector, Some(peer));
        assert_eq!(statuses(&client, &[]).await, LET_IN, "{peer}");
    }
    for host in ["localhost", "LOCALHOST.:80", "app.localhost:3000", "127.0.0.1:3000", "[::1]:3000", "[::1]"]
    {
        assert_eq!(statuses(&local(), &[("host", host)]).await, LET_IN, "{host}");
    }
}

#[tokio::test]
async fn another_machine_is_refused_and_so_is_one_that_is_not_known() {
    for peer in ["192.168.0.7:9", "8.8.8.8:9", "[2001:db8::1]:9", "0.0.0.0:9"] {
        let client = client(|inspector| inspector, Some(peer));
        let (status, text) = refused(&client, &[]).await;
        assert!(status == 403 && text.contains("is another"), "{text}");
    }
    let (status, text) = refused(&client(|inspector| inspector, None), &[]).await;
    assert_eq!(status, 403);
    assert!(text.contains("into_make_service_with_connect_info"), "it says what to do: {text}");
}

#[tokio::test]
async fn a_request_that_came_through_a_proxy_is_refused() {
    for header in
        ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"]
    {
        let (status, text) = refused(&local(), &[(header, "127.0.0.1")]).await;
        assert!(status == 403 && text.contains(header) && text.contains("proxy"), "{header}: {text}");
    }
    // As nginx asks by default, without a header that would say so.
    let request = axum::http::Request::get("/_sse").version(axum::http::Version::HTTP_10);
    let request = request.header("host", "localhost").body(axum::body::Body::empty()).expect("a request");
    let answer =
        tower_service::Service::call(&mut app(|inspector| inspector, Some(&HERE.to_string())), request)
            .await
            .expect("infallible");
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn another_host_is_refused_though_it_resolves_to_this_machine() {
    for host in [
        "evil.example",
        "localhost.evil.example:3000",
        "evillocalhost",
        "192.168.0.7:3000",
        "0.0.0.0",
        "[::2]",
    ] {
        let (status, text) = refused(&local(), &[("host", host)]).await;
        assert!(status == 421 && text.contains(host), "{host}: {text}");
    }
    for garbage in ["", ":3000", "localhost:x", "localhost:80:80", "[localhost]", "a@localhost.", "[::1]x"] {
        let (status, _) = refused(&local(), &[("host", garbage)]).await;
        assert_eq!(status, 400, "{garbage}");
    }
}

#[tokio::test]
async fn no_other_page_can_read_it_or_press_its_buttons() {
    let client = local();
    let from = |origin| [("origin", origin)];
    assert_eq!(statuses(&client, &from("http://localhost:3000")).await, LET_IN);
    for origin in ["http://localhost:5173", "http://localhost", "http://127.0.0.1:3000"] {
        assert_eq!(statuses(&client, &from(origin)).await, OTHER_PAGE, "{origin}");
    }
    for origin in ["http://evil.example", "http://localhost.evil.example:3000", "null", "", "localhost:3000"]
    {
        assert_eq!(statuses(&client, &from(origin)).await, OTHER_HOSTS_PAGE, "{origin}");
    }
    assert_eq!(statuses(&client, &[("sec-fetch-site", "same-origin")]).await, LET_IN);
    for site in ["cross-site", "same-site", "", "other"] {
        assert_eq!(statuses(&client, &[("sec-fetch-site", site)]).await, OTHER_PAGE, "{site}");
    }
    let both = [("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")];
    assert_eq!(statuses(&client, &both).await, OTHER_HOSTS_PAGE);
    let both = [("sec-fetch-site", "cross-site"), ("origin", "http://localhost:3000")];
    assert_eq!(statuses(&client, &both).await, OTHER_PAGE);
    // Typed into the address bar: to look is harmless, and nobody types a POST.
    assert_eq!(statuses(&client, &[("sec-fetch-site", "none")]).await, (200, 204, 403));
}

#[tokio::test]
async fn a_form_cannot_press_a_button() {
    let client = local();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
        for button in BUTTONS {
            let answer = ask(&client, "POST", button, &[("content-type", kind)]).await;
            assert_eq!(answer.status, 415, "{button} {kind}");
        }
    }
    for button in BUTTONS {
        assert_eq!(ask(&client, "GET", button, &[]).await.status, 405, "{button}");
    }
}

#[tokio::test]
async fn others_are_let_in_on_demand() {
    let peer = Some("192.168.0.7:9");
    let remote = client(|inspector| inspector.allow_remote().allowed_hosts(["DevBox.lan", "fd00::7"]), peer);
    for host in ["devbox.lan:3000", "DEVBOX.LAN", "[fd00:0::7]:80", "localhost"] {
        let headers = [("host", host), ("x-forwarded-for", "8.8.8.8")];
        assert_eq!(statuses(&remote, &headers).await, LET_IN, "{host}");
    }
    assert_eq!(refused(&remote, &[("host", "evil.example")]).await.0, 421);
    let from = [("host", "devbox.lan"), ("origin", "http://evil.example")];
    assert_eq!(statuses(&remote, &from).await, OTHER_HOSTS_PAGE);

    let hosts_only = client(|inspector| inspector.allowed_hosts(["devbox.lan"]), peer);
    assert_eq!(refused(&hosts_only, &[("host", "devbox.lan")]).await.0, 403);
}

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere_and_stands_in_no_frame() {
    let client = local();
    for path in FILES.into_iter().chain(BUTTONS) {
        let answer = ask(&client, "GET", path, &[]).await;
        let policy = answer.headers["content-security-policy"].to_str().expect("text");
        for part in
            ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    }
    for path in FILES {
        let answer = ask(&client, "GET", path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        let text = answer.text;
        assert!(
            !text.contains("//fonts") && !text.contains("https://") && !text.contains("http://"),
            "{path}"
        );
        assert!(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML"), "{path}");
    }
}
