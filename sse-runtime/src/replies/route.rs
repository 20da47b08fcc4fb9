//! Around a route whose handler takes replies: a POST that names a stream is one, everything else goes by.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodFilter;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tower_layer::Layer;
use tower_service::Service;

use super::answer::Answer;
use super::elsewhere;
use super::inbox::{Findable, Inbox, Posted, find};
use super::words::Announcement;
use crate::route::{Route, idempotency_key};
use crate::runs::{Owner, Runs};
use crate::stream::{Meta, Shared, Sse};
use crate::token::Token;

const REPLY_TOKEN: HeaderName = HeaderName::from_static("sse-reply-token");
/// How long the body of a reply may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(60);

/// What a route says of replies.
#[derive(Clone, Debug)]
pub struct ReplyMeta {
    check: fn(&[u8]) -> Result<(), String>,
    max: usize,
    inbox: usize,
}

impl ReplyMeta {
    #[allow(missing_docs)]
    #[must_use]
    pub const fn new(check: fn(&[u8]) -> Result<(), String>) -> Self {
        Self { check, max: 64 * 1024, inbox: 16 }
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn max(mut self, bytes: usize) -> Self {
        self.max = bytes;
        self
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn inbox(mut self, replies: usize) -> Self {
        self.inbox = replies;
        self
    }
}

/// Called by expansions: has a route take replies.
pub fn with_replies<S: Clone + Send + Sync + 'static>(
    route: Route<S>,
    meta: &'static Meta,
    replies: &'static ReplyMeta,
) -> Route<S> {
    let (path, mut methods) = route.into_parts();
    if meta.methods.or(MethodFilter::POST) != meta.methods {
        methods = methods.on(MethodFilter::POST, no_such_method);
    }
    Route::from_parts(path, methods.layer(TakesReplies { meta, replies }))
}

async fn no_such_method() -> Response {
    let text = "name the stream: ?reply=<the token that it was given>";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET,HEAD")], text).into_response()
}

/// What a stream may become that takes replies: the extractor opens it.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Slotted>);

struct Slotted {
    token: Token,
    replies: &'static ReplyMeta,
    owner: Owner,
    runs: Option<Runs>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    /// The request comes back to a run, whose handler has its replies: this is for the extractors alone.
    Idle,
    Open,
}

/// An inbox that can be found.
pub(super) struct Opened {
    pub(super) posted: mpsc::Receiver<Posted>,
    pub(super) findable: Option<Findable>,
    pub(super) elsewhere: Option<AbortOnDropHandle<()>>,
}

impl Slot {
    fn new(route: &str, replies: &'static ReplyMeta, request: &Request) -> Result<Self, getrandom::Error> {
        let runs = request.extensions().get::<Runs>().filter(|runs| runs.hub().is_shared()).cloned();
        Ok(Self(Arc::new(Slotted {
            token: Token::fresh()?,
            replies,
            owner: Owner::of(route, request),
            runs,
            state: Mutex::new(State::Free),
        })))
    }

    /// Only once.
    pub(super) fn open(&self) -> Option<Opened> {
        let Slotted { token, replies, owner, runs, .. } = &*self.0;
        let before = {
            let mut state = self.state();
            let before = *state;
            if before == State::Free {
                *state = State::Open;
            }
            before
        };
        match before {
            State::Free => {}
            State::Idle => {
                let (_, posted) = mpsc::channel(1);
                return Some(Opened { posted, findable: None, elsewhere: None });
            }
            State::Open => return None,
        }
        let (inbox, posted) = Inbox::new(owner.clone(), replies.inbox);
        let elsewhere = runs.as_ref().map(|runs| elsewhere::serve(runs.hub(), *token, Arc::clone(&inbox)));
        Some(Opened {
            posted,
            findable: Some(Findable::new(runs.as_ref().map(Runs::node), *token, inbox)),
            elsewhere,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handler of this request will not run.
    pub(crate) fn leave_idle(&self) {
        *self.state() = State::Idle;
    }

    /// Tells the client of a stream, or the clients of a run, how to answer; if there is somebody to answer.
    pub(crate) fn announce(&self, stream: &Arc<Shared>) {
        let token = &self.0.token;
        if *self.state() != State::Open {
            return;
        }
        let client: Sse = Sse::new(Arc::clone(stream) as _);
        // Nothing has been sent yet.
        drop(client.set_header(REPLY_TOKEN, token.as_str()));
        stream.announce(&Announcement(*token));
    }
}

#[derive(Clone)]
struct TakesReplies {
    meta: &'static Meta,
    replies: &'static ReplyMeta,
}

impl<S> Layer<S> for TakesReplies {
    type Service = Around<S>;

    fn layer(&self, inner: S) -> Around<S> {
        Around { inner, meta: self.meta, replies: self.replies }
    }
}

/// The service around the route.
#[derive(Clone)]
pub(super) struct Around<S> {
    inner: S,
    meta: &'static Meta,
    replies: &'static ReplyMeta,
}

impl<S> Service<Request> for Around<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if request.method() == Method::POST {
            if let Some(token) = named(&request) {
                let (route, replies) = (self.meta.path, self.replies);
                return Box::pin(async move { Ok(post(route, replies, &token, request).await) });
            }
        }
        match Slot::new(self.meta.path, self.replies, &request) {
            Ok(slot) => drop(request.extensions_mut().insert(slot)),
            // The extractor says the rest.
            Err(error) => tracing::error!(%error, "the system has no random numbers"),
        }
        Box::pin(self.inner.call(request))
    }
}

impl<S> fmt::Debug for Around<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").field("route", &self.meta.path).finish_non_exhaustive()
    }
}

/// The stream that a request answers into, if it is a reply.
fn named(request: &Request) -> Option<String> {
    if let Some(token) = request.headers().get(REPLY_TOKEN) {
        return Some(String::from_utf8_lossy(token.as_bytes()).into_owned());
    }
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "reply")
        .map(|(_, token)| token.into_owned())
}

/// Where a stream is.
enum Found {
    Here(Arc<Inbox>),
    Elsewhere(elsewhere::Stream),
}

async fn post(route: &str, replies: &ReplyMeta, token: &str, request: Request) -> Response {
    let owner = Owner::of(route, &request);
    let runs: Option<Runs> = request.extensions().get().cloned();
    let found = match locate(token, &owner, runs.as_ref()).await {
        Ok(found) => found,
        Err(answer) => return answer.into_response(),
    };
    let key = match idempotency_key(&request) {
        Ok(key) => key,
        Err(refused) => return refused.into_response(),
    };
    if !is_json(request.headers()) {
        let text = "a reply is JSON: content-type: application/json";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response();
    }
    let value = match read(replies, request.into_body()).await {
        Ok(value) => value,
        Err(answer) => return answer.into_response(),
    };
    let answer = match found {
        Found::Here(inbox) => inbox.post(value, key.as_deref()).await,
        Found::Elsewhere(stream) => stream.post(&value, key.as_deref()).await,
    };
    answer.into_response()
}

async fn locate(token: &str, owner: &Owner, runs: Option<&Runs>) -> Result<Found, Answer> {
    let Some(token) = Token::parse(token) else { return Err(Answer::unknown()) };
    let runs = runs.filter(|runs| runs.hub().is_shared());
    if let Some(inbox) = find(runs.map(Runs::node), token) {
        return if inbox.owner == *owner { Ok(Found::Here(inbox)) } else { Err(Answer::unknown()) };
    }
    let Some(hub) = runs.map(Runs::hub) else { return Err(Answer::unknown()) };
    match elsewhere::Stream::find(hub, token, owner).await {
        Ok(Some(stream)) => Ok(Found::Elsewhere(stream)),
        Ok(None) => Err(Answer::unknown()),
        Err(error) => {
            tracing::error!(%error, "the stream of a reply cannot be looked for");
            Err(Answer::unavailable())
        }
    }
}

/// `application/json`, or one of its kin.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// The body, if it fits and parses.
async fn read(replies: &ReplyMeta, body: Body) -> Result<Bytes, Answer> {
    let most = replies.max;
    let value = match timeout(BODY_LIMIT, to_bytes(body, most)).await {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
            while let Some(error) = cause {
                if error.is::<http_body_util::LengthLimitError>() {
                    let text = format!("a reply has {most} bytes at most");
                    return Err(Answer::text(StatusCode::PAYLOAD_TOO_LARGE, text));
                }
                cause = error.source();
            }
            return Err(Answer::text(StatusCode::BAD_REQUEST, "the body cannot be read"));
        }
        Err(_) => {
            let text = format!("reading the request took more than {BODY_LIMIT:?}");
            return Err(Answer::text(StatusCode::REQUEST_TIMEOUT, text));
        }
    };
    match (replies.check)(&value) {
        Ok(()) => Ok(value),
        Err(text) => Err(Answer::text(StatusCode::UNPROCESSABLE_ENTITY, text)),
    }
}
