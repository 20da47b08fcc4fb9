//! What is let in and what is not, request by request. Over sockets: `tests/behaviour/hosts.rs`.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use http::HeaderName;

use super::*;

const LOCAL: (HeaderName, &[u8]) = (HOST, b"localhost:3000");

async fn ask(hosts: &AllowedHosts, address: &str, headers: &[(HeaderName, &[u8])]) -> (u16, String) {
    let mut request = Request::get(address);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let mut app: Router = Router::new().route("/", get(|| async { "secret" })).layer(hosts.clone());
    let response = app.call(request).await.expect("infallible");
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

/// The status for a `Host`, and that nothing is served but with 200.
async fn host(hosts: &AllowedHosts, host: &str) -> u16 {
    let (status, body) = ask(hosts, "/", &[(HOST, host.as_bytes())]).await;
    assert_eq!(body == "secret", status == 200, "{host}: {body}");
    status
}

async fn origin(hosts: &AllowedHosts, origin: &str) -> u16 {
    let (status, body) = ask(hosts, "/", &[LOCAL, (ORIGIN, origin.as_bytes())]).await;
    assert_eq!(body == "secret", status == 200, "{origin}: {body}");
    status
}

#[tokio::test]
async fn the_machine_itself_has_many_names() {
    for own in [
        "localhost",
        "localhost:3000",
        "localhost:",
        "LocalHost:80",
        "localhost.",
        "localhost.:3000",
        "app.localhost:3000",
        "a.b.localhost",
        "127.0.0.1",
        "127.0.0.1:65535",
        "127.255.3.4",
        "[::1]",
        "[::1]:3000",
        "[0:0:0:0:0:0:0:1]:3000",
        "[::ffff:127.0.0.1]:3000",
        "[::ffff:7f00:1]",
    ] {
        assert_eq!(host(&AllowedHosts::loopback(), own).await, 200, "{own}");
    }
}

#[tokio::test]
async fn a_name_that_only_resolves_to_the_machine_is_misdirected() {
    for other in [
        "evil.example",
        "evil.example:3000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evillocalhost",
        "localhost-evil.example:3000",
        "localhost.localdomain",
        // Browsers take it for the machine itself, too.
        "0.0.0.0:3000",
        "[::]:3000",
        "192.168.0.7",
        "128.0.0.1",
        "[fe80::1]",
        "[::2]",
        // As names they are nobody's, and nothing here takes them for addresses.
        "2130706433",
        "0x7f.0.0.1",
        "127.1",
        "0177.0.0.1",
    ] {
        assert_eq!(host(&AllowedHosts::loopback(), other).await, 421, "{other}");
    }
    let (_, body) = ask(&AllowedHosts::loopback(), "/", &[(HOST, b"evil.example")]).await;
    assert_eq!(
        body,
        r#"this server does not answer for the host "evil.example": it is not among those that it allows"#
    );
}

#[tokio::test]
async fn what_no_browser_would_write_is_no_host() {
    for garbage in [
        "",
        ".",
        ":3000",
        "localhost..",
        ".localhost",
        "evil..localhost",
        "localhost:+80",
        "localhost:65536",
        "localhost:80:80",
        "localhost:evil.example",
        "localhost@evil.example",
        "evil.example@localhost",
        "evil.example:80@localhost:80",
        "localhost,evil.example",
        "localhost evil.example",
        " localhost",
        "localhost/",
        "evil.example/.localhost",
        "evil.example?.localhost",
        "evil.example#.localhost",
        "evil.example\\.localhost",
        "%6cocalhost",
        "*.localhost",
        "::1",
        "::1:3000",
        "[::1",
        "[::1]x",
        "[::1].evil.example",
        "[::1]3000",
        "[::1%25lo]",
        "[127.0.0.1]",
        "[localhost]",
        "http://localhost",
    ] {
        assert_eq!(host(&AllowedHosts::loopback(), garbage).await, 400, "{garbage:?}");
    }
    let (status, body) = ask(&AllowedHosts::loopback(), "/", &[(HOST, "löcalhost".as_bytes())]).await;
    assert_eq!((status, body.as_str()), (400, r#"not a host: "löcalhost""#));
    let (status, _) = ask(&AllowedHosts::loopback(), "/", &[(HOST, b"\xff\xfe")]).await;
    assert_eq!(status, 400);
    let (_, body) = ask(&AllowedHosts::loopback(), "/", &[(HOST, &[b'@'; 5000])]).await;
    assert!(body.len() < 150, "a long one is not repeated whole: {body}");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let hosts = AllowedHosts::loopback();
    assert_eq!(ask(&hosts, "/", &[]).await.0, 400, "as HTTP/1.0 may");
    for second in [&b"localhost:3000"[..], b"evil.example"] {
        assert_eq!(ask(&hosts, "/", &[LOCAL, (HOST, second)]).await.0, 400);
        assert_eq!(ask(&hosts, "/", &[(HOST, second), LOCAL]).await.0, 400);
    }
}

#[tokio::test]
async fn a_whole_address_counts_as_much_as_the_header_beside_it() {
    let hosts = AllowedHosts::loopback();
    // Without the header, as over HTTP/2.
    for (address, status) in [
        ("http://localhost:3000/", 200),
        ("http://[::1]:3000/", 200),
        ("http://LOCALHOST./", 200),
        ("http://evil.example/", 421),
        ("http://localhost@evil.example/", 400),
        ("http://evil.example@localhost/", 400),
    ] {
        assert_eq!(ask(&hosts, address, &[]).await.0, status, "{address}");
        let with_header = ask(&hosts, address, &[LOCAL]).await.0;
        assert_eq!(with_header, status, "{address}, and the header says otherwise");
    }
    assert_eq!(ask(&hosts, "http://localhost:3000/", &[(HOST, b"evil.example")]).await.0, 421);
}

#[tokio::test]
async fn only_the_hosts_that_were_named_are_allowed() {
    let hosts = AllowedHosts::new(["App.Example.com", "buecher.example", "192.168.0.7", "fd00::7"]);
    for own in [
        "app.example.com",
        "APP.example.COM.:8443",
        "buecher.example",
        "192.168.0.7:80",
        "[fd00::7]",
        "[FD00:0::7]:80",
    ] {
        assert_eq!(host(&hosts, own).await, 200, "{own}");
    }
    for other in [
        "localhost",
        "127.0.0.1",
        "example.com",
        "x.app.example.com",
        "app.example.com.evil.example",
        "192.168.0.70",
    ] {
        assert_eq!(host(&hosts, other).await, 421, "{other}");
    }
    assert_eq!(host(&AllowedHosts::new([""; 0]), "localhost").await, 421, "none are none");
    let both = AllowedHosts::loopback().allow_host("devbox.lan");
    assert_eq!((host(&both, "localhost").await, host(&both, "devbox.lan:3000").await), (200, 200));
}

#[tokio::test]
async fn pages_of_the_hosts_are_let_in_and_pages_of_others_are_not() {
    let hosts = AllowedHosts::loopback();
    for own in [
        "http://localhost:3000",
        "http://localhost",
        "https://LOCALHOST",
        "http://127.0.0.1:5173",
        "http://[::1]:3000",
    ] {
        assert_eq!(origin(&hosts, own).await, 200, "{own}");
    }
    for other in [
        "null",
        "",
        "http://evil.example",
        "http://evil.example:3000",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://evil.example@localhost",
        "http://localhost, http://evil.example",
        "http://localhost/",
        "localhost:3000",
        "//localhost:3000",
        "http://",
        "://localhost",
        "file://",
        // Its maker chooses the host.
        "other-application://localhost",
        "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai",
    ] {
        assert_eq!(origin(&hosts, other).await, 403, "{other}");
    }
    let twice = [LOCAL, (ORIGIN, b"http://localhost:3000"), (ORIGIN, b"http://evil.example")];
    assert_eq!(ask(&hosts, "/", &twice).await.0, 403);
    let (status, body) = ask(&hosts, "/", &[LOCAL, (ORIGIN, b"null")]).await;
    assert_eq!((status, body.contains(r#"the origin "null""#)), (403, true), "{body}");
}

#[tokio::test]
async fn an_origin_that_is_allowed_is_allowed_to_the_port() {
    let hosts = AllowedHosts::loopback()
        .allow_origin("https://App.example.com")
        .allow_origin("http://other.example:8080")
        .allow_origin("tauri://localhost");
    for own in [
        "https://app.example.com",
        "https://app.example.com:443",
        "http://other.example:8080",
        "tauri://localhost",
        "http://localhost:1",
    ] {
        assert_eq!(origin(&hosts, own).await, 200, "{own}");
    }
    for other in ["http://app.example.com", "https://app.example.com:8443", "http://other.example", "null"] {
        assert_eq!(origin(&hosts, other).await, 403, "{other}");
    }
    assert_eq!(host(&hosts, "app.example.com").await, 421, "its pages, not its name");
}

#[test]
fn a_host_or_an_origin_that_cannot_be_one_is_told_at_the_start() {
    let refused = |attempt: fn() -> AllowedHosts| std::panic::catch_unwind(attempt).is_err();
    assert!(refused(|| AllowedHosts::new(["https://app.example.com"])));
    assert!(refused(|| AllowedHosts::new(["app.example.com:8443"])));
    assert!(refused(|| AllowedHosts::new(["*.example.com"])));
    assert!(refused(|| AllowedHosts::new([""])));
    assert!(refused(|| AllowedHosts::new(["bücher.example"])));
    assert!(refused(|| AllowedHosts::loopback().allow_origin("null")));
    assert!(refused(|| AllowedHosts::loopback().allow_origin("*")));
    assert!(refused(|| AllowedHosts::loopback().allow_origin("app.example.com")));
    assert!(refused(|| AllowedHosts::loopback().allow_origin("https://app.example.com/")));
}
