//! For which hosts a server answers, and to pages of which origins.
//!
//! A page of `evil.example` may not read what another origin serves, but the browser tells origins apart by name: once
//! `evil.example` resolves to 127.0.0.1 (DNS rebinding), what listens there is its own origin to it, and its
//! `EventSource` reads a developer's local stream, without a preflight. What gives it away is the name: the request says
//! `Host: evil.example`.

mod host;
mod refusal;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, MapOk, Ready, TryFutureExt, ready};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Request, Uri};
use tower_layer::Layer;
use tower_service::Service;

use self::host::{Host, Origin};
use self::refusal::Refusal;

/// A layer that lets in only requests for the hosts it knows, and only from pages of these.
///
/// For what listens on a developer's machine, where any page in the browser could reach it by making its own name
/// resolve to 127.0.0.1; and for servers in an internal network, for the same reason.
///
/// ```
/// use axum::Router;
/// use sse_runtime::{AllowedHosts, Result, Sse, routes, sse_route};
///
/// #[sse_route("/log")]
/// async fn log(sse: Sse) -> Result<()> {
///     sse.send("all that this machine does").await?;
///     Ok(())
/// }
///
/// let local: Router = routes![log].layer(AllowedHosts::loopback());
/// let public: Router = routes![log].layer(AllowedHosts::new(["app.example.com"]));
/// ```
///
/// | the request | is answered |
/// |---|---|
/// | is for another host, by its `Host`, its `:authority` (HTTP/2) or its absolute address | 421 |
/// | names no host (which HTTP/1.0 allows), several, or what is none | 400 |
/// | has an `Origin` that is not `http(s)://` one of the hosts, and not [allowed](Self::allow_origin) | 403 |
///
/// Names are compared without regard to case and to a dot at their end; the port does not count. The answer says in
/// plain text what is wrong; it is logged at level `debug`.
///
/// It goes around everything else, so it is the last `.layer(..)`, around a layer for CORS as well: an origin which that
/// allows has to be allowed here, too. Behind a proxy it is the `Host` that the proxy sends which counts;
/// `X-Forwarded-Host` is not looked at. Requests of a test client name no host unless told to:
/// `.header("host", "localhost")`.
///
/// It does not say who is asking: programs other than browsers write into `Host` and `Origin` what they like.
#[derive(Clone, Debug)]
pub struct AllowedHosts {
    allowed: Arc<Allowed>,
}

#[derive(Clone, Debug, Default)]
struct Allowed {
    loopback: bool,
    hosts: Vec<Host>,
    origins: Vec<Origin>,
}

impl AllowedHosts {
    /// The machine itself: `localhost` and `*.localhost`, 127.0.0.0/8 and `[::1]`, on any port.
    #[must_use]
    pub fn loopback() -> Self {
        Self { allowed: Arc::new(Allowed { loopback: true, ..Allowed::default() }) }
    }

    /// These hosts, on any port: `app.example.com`, `192.168.0.7`, `[fd00::7]`.
    ///
    /// # Panics
    /// As [`allow_host`](Self::allow_host).
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let none = Self { allowed: Arc::default() };
        hosts.into_iter().fold(none, |hosts, host| hosts.allow_host(host.as_ref()))
    }

    /// One host more.
    ///
    /// ```
    /// use sse_runtime::AllowedHosts;
    ///
    /// let hosts = AllowedHosts::loopback().allow_host("devbox.lan");
    /// ```
    ///
    /// # Panics
    /// If it is not a host alone, as with a scheme, a port or a `*`.
    #[must_use]
    pub fn allow_host(mut self, host: &str) -> Self {
        let Some(known) = Host::alone(host) else {
            panic!("not a host: {host:?}; write it alone, as in \"app.example.com\", and in ASCII")
        };
        Arc::make_mut(&mut self.allowed).hosts.push(known);
        self
    }

    /// Lets in the pages of one origin more: of another host, or of a browser extension.
    ///
    /// They read nothing before a layer for CORS lets them, too.
    ///
    /// ```
    /// use sse_runtime::AllowedHosts;
    ///
    /// let hosts = AllowedHosts::new(["api.example.com"]).allow_origin("https://app.example.com");
    /// ```
    ///
    /// # Panics
    /// If it is not `scheme://host` or `scheme://host:port`. `null` is no origin: any page can make itself one.
    #[must_use]
    pub fn allow_origin(mut self, origin: &str) -> Self {
        let Some(known) = Origin::parse(origin) else {
            panic!(
                "not an origin: {origin:?}; write it as in \"https://app.example.com\", without a slash at its end"
            )
        };
        Arc::make_mut(&mut self.allowed).origins.push(known);
        self
    }
}

impl Allowed {
    fn check(&self, address: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut named = headers.get_all(HOST).iter();
        let header = named.next().map(HeaderValue::as_bytes);
        if named.next().is_some() {
            return Err(Refusal::SeveralHosts);
        }
        // HTTP/2 says it here, and so does a request line with a whole address. A `Host` beside it must not say what
        // is wrong either: who knows which of the two is read further in.
        let authority = address.authority().map(|authority| authority.as_str().as_bytes());
        if header.or(authority).is_none() {
            return Err(Refusal::NoHost);
        }
        for text in authority.into_iter().chain(header) {
            let host = std::str::from_utf8(text).ok().and_then(Host::with_port);
            let (host, _) = host.ok_or_else(|| Refusal::quoting(Refusal::NotAHost, text))?;
            if !self.is_own(&host) {
                return Err(Refusal::quoting(Refusal::OtherHost, text));
            }
        }

        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(text) = origins.next() else { return Ok(()) };
        if origins.next().is_some() {
            return Err(Refusal::SeveralOrigins);
        }
        let origin = std::str::from_utf8(text.as_bytes()).ok().and_then(Origin::parse);
        let is_allowed = |origin: Origin| {
            (origin.is_of_the_web() && self.is_own(&origin.host)) || self.origins.contains(&origin)
        };
        if origin.is_some_and(is_allowed) {
            Ok(())
        } else {
            Err(Refusal::quoting(Refusal::OtherOrigin, text.as_bytes()))
        }
    }

    fn is_own(&self, host: &Host) -> bool {
        (self.loopback && host.is_loopback()) || self.hosts.contains(host)
    }
}

impl<S> Layer<S> for AllowedHosts {
    type Service = CheckHost<S>;

    fn layer(&self, inner: S) -> CheckHost<S> {
        CheckHost { inner, allowed: Arc::clone(&self.allowed) }
    }
}

/// What [`AllowedHosts`] makes of a service.
#[derive(Clone, Debug)]
pub struct CheckHost<S> {
    inner: S,
    allowed: Arc<Allowed>,
}

impl<S, B> Service<Request<B>> for CheckHost<S>
where
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response, S::Error>>, MapOk<S::Future, fn(S::Response) -> Response>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.allowed.check(request.uri(), request.headers()) {
            Ok(()) => Either::Right(self.inner.call(request).map_ok(S::Response::into_response)),
            Err(refusal) => {
                tracing::debug!(status = refusal.status().as_u16(), %refusal, "refused");
                Either::Left(ready(Ok(refusal.into_response())))
            }
        }
    }
}
