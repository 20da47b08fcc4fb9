//! Who is let in: this machine, under one of its own names, from the inspector's own page.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, FORWARDED, HOST, ORIGIN, REFERRER_POLICY, VIA,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// Only what comes from here runs, is shown, and is asked; and nobody puts the page into a frame, to have its buttons
/// pressed by mistake.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// That the host is one of this machine's, [`AllowedHosts`](crate::AllowedHosts) sees to.
#[derive(Debug, Default)]
pub(super) struct Gate {
    remote: bool,
}

/// Why a request is not let in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error(
        "the inspector answers this machine only, and does not know where the request comes from: serve with \
         `sse_runtime::serve`, or give `axum::serve` \
         `app.into_make_service_with_connect_info::<std::net::SocketAddr>()`, or say `Inspector::allow_remote()`"
    )]
    UnknownPeer,
    #[error(
        "the inspector answers this machine only, and {0} is another: open it there, or through a tunnel \
         (`ssh -L 3000:127.0.0.1:3000 host`), or say `Inspector::allow_remote()`"
    )]
    OtherMachine(IpAddr),
    #[error(
        "the inspector answers this machine only, and this request came through a proxy (it has `{0}`), whose client may \
         be anywhere: ask the server itself, or say `Inspector::allow_remote()`"
    )]
    Proxied(HeaderName),
    #[error("the inspector answers its own page only, and another one sent this request")]
    OtherPage,
    #[error("the inspector's buttons send `content-type: application/json`")]
    NotJson,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::FORBIDDEN,
        };
        tracing::debug!(status = status.as_u16(), "inspector: {self}");
        (status, format!("{self}\n")).into_response()
    }
}

/// For everything, the page itself too.
pub(super) async fn for_all(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let mut response = match gate.check(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// For what tells something, and for what does something: the page's files are the same for everybody.
pub(super) async fn for_own_page(request: Request, next: Next) -> Response {
    match check_page(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl Gate {
    pub(super) fn allow_remote(&mut self) {
        self.remote = true;
    }

    /// Whether other machines are let in.
    pub(super) fn is_open(&self) -> bool {
        self.remote
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        if !self.remote {
            let peer: Option<&ConnectInfo<SocketAddr>> = request.extensions().get();
            let peer = peer.ok_or(Refusal::UnknownPeer)?.0.ip().to_canonical();
            if !peer.is_loopback() {
                return Err(Refusal::OtherMachine(peer));
            }
            if let Some(header) = forwarding(request.headers()) {
                return Err(Refusal::Proxied(header.clone()));
            }
        }
        Ok(())
    }
}

/// The header by which a proxy says for whom it asks.
fn forwarding(headers: &HeaderMap) -> Option<&HeaderName> {
    let is_forwarding = |name: &&HeaderName| {
        **name == FORWARDED
            || **name == VIA
            || **name == X_REAL_IP
            || name.as_str().starts_with("x-forwarded-")
    };
    headers.keys().find(is_forwarding)
}

/// Whether the inspector's own page sent a request, or no page at all. Browsers say which page it was in headers that no
/// page can set: `Sec-Fetch-Site`, and `Origin` with everything but a simple GET.
fn check_page(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let presses = *request.method() != Method::GET;
    // `none`: typed by the user.
    let is_own = |site: &HeaderValue| site == "same-origin" || (site == "none" && !presses);
    let from_elsewhere = !headers.get_all(SEC_FETCH_SITE).iter().all(is_own);
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str().as_bytes()));
    let is_of_host = |origin: &HeaderValue| {
        let origin = origin.as_bytes();
        let origin = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        origin.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
    };
    if from_elsewhere || !headers.get_all(ORIGIN).iter().all(is_of_host) {
        return Err(Refusal::OtherPage);
    }
    // A form cannot send this, and a script of another origin not without asking first.
    let is_json =
        headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if presses && !is_json { Err(Refusal::NotJson) } else { Ok(()) }
}
