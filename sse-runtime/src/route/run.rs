//! A route whose handler is a run: a request begins one, or names one that it comes back to.

use std::any::TypeId;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderName, Method, StatusCode};
use http_body::Body as _;

use super::arguments::{HeadArguments, LastArgument, Params, Rejection, Stream};
use super::full::refuse_full;
use super::respond::{self, Ask, Respond};
use super::{Call, Route, within_limit};
use crate::engine::EngineError;
use crate::lifecycle::Mounted;
use crate::replies::Slot;
use crate::runs::{
    Attached, Awaited, Claim, Elsewhere, Entered, Owner, RunId, RunMeta, RunState, Runs, attend,
};
use crate::stream::{Asked, HandlerFuture, Meta, Shared, Sse};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key that is looked at.
const LONGEST_KEY: usize = 256;
/// How long a client's response waits for the log, once its run is open.
const GRACE: Duration = Duration::from_secs(1);
/// How many in a row may have had a key in vain before a request is told to come back.
const ROUNDS: usize = 4;

/// Called by expansions: makes a route of the call of a handler that is a run.
pub fn run_route<S, Head, Last, M>(
    meta: &'static Meta,
    run: &'static RunMeta,
    call: Call<Head, Last>,
) -> Route<S>
where
    S: Clone + Send + Sync + 'static,
    Head: HeadArguments<S> + Send + 'static,
    Last: LastArgument<S, M> + Send + 'static,
    M: 'static,
{
    let own = Arc::default();
    let endpoint =
        RunEndpoint { mounted: Mounted::new(meta), run, call, own, marker: PhantomData::<fn() -> M> };
    // GET comes back to a run, and DELETE ends it, whatever begins it.
    let methods = meta.methods.or(MethodFilter::GET).or(MethodFilter::DELETE);
    Route { path: meta.path, methods: MethodRouter::new().on(methods, endpoint) }
}

/// The axum handler of such a route.
struct RunEndpoint<Head, Last, M> {
    mounted: Arc<Mounted>,
    run: &'static RunMeta,
    call: Call<Head, Last>,
    /// The runs of a route that was given no others.
    own: Arc<OnceLock<Runs>>,
    // `fn`: no `M` is ever held, so it says nothing about threads.
    marker: PhantomData<fn() -> M>,
}

impl<Head, Last, M> Clone for RunEndpoint<Head, Last, M> {
    fn clone(&self) -> Self {
        let (mounted, own) = (Arc::clone(&self.mounted), Arc::clone(&self.own));
        Self { mounted, run: self.run, call: self.call, own, marker: PhantomData }
    }
}

impl<S, Head, Last, M> Handler<(), S> for RunEndpoint<Head, Last, M>
where
    S: Clone + Send + Sync + 'static,
    Head: HeadArguments<S> + Send + 'static,
    Last: LastArgument<S, M> + Send + 'static,
    M: 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: S) -> Self::Future {
        Box::pin(async move {
            match self.begin(request, &state).await {
                Ok(respond) => respond.await,
                Err(rejection) => rejection.into_response(),
            }
        })
    }
}

/// Which run a request wants.
enum Named {
    New,
    Run(RunId),
    /// Something that is no run's id.
    Unknown,
}

impl Named {
    fn read(request: &Request, asked: &Asked) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let in_query = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "run");
        let in_id = || asked.id().and_then(|id| id.split_once('.')).map(|(run, _)| run.to_owned());
        match in_query.map(|(_, run)| run.into_owned()).or_else(in_id) {
            None => Self::New,
            Some(run) => RunId::parse(&run).map_or(Self::Unknown, Self::Run),
        }
    }
}

impl<Head, Last, M: 'static> RunEndpoint<Head, Last, M> {
    /// Everything that comes before the first poll of the client's stream.
    async fn begin<S>(self, request: Request, state: &S) -> Result<Respond, Rejection>
    where
        S: Clone + Send + Sync + 'static,
        Head: HeadArguments<S>,
        Last: LastArgument<S, M>,
    {
        let meta = self.mounted.meta;
        let method = request.method().clone();
        let named = Named::read(&request, &respond::asked(&request));
        let begins = matches!(named, Named::New);
        // First, because who has seen the end need not say of what.
        let mut ask = if method == Method::DELETE { None } else { Some(Ask::read(&self.mounted, &request)?) };
        if begins && !self.begins(&method) {
            return Err(no_such_method());
        }
        let runs = request.extensions().get::<Runs>().or_else(|| self.own.get()).cloned();
        let runs = runs.unwrap_or_else(|| self.own.get_or_init(Runs::in_memory).clone());
        let owner = Owner::of(meta.path, &request);
        let key = idempotency_key(&request)?;
        let slot: Option<Slot> = request.extensions().get().cloned();
        if let Some(slot) = slot.as_ref().filter(|_| !begins) {
            slot.leave_idle();
        }
        let (head, last, params) = {
            let (mut parts, body) = request.into_parts();
            let params = Params::extract(&mut parts, meta.path).await?;
            let head = Head::head_arguments(&mut parts, state).await?;
            let has_body = !body.is_end_stream();
            // Who comes back has to get past every extractor; but has no body for one that reads it, unless the request
            // is the same again.
            let last = if begins || has_body || !reads_the_body::<M>() {
                let request = Request::from_parts(parts, body);
                Some(within_limit(has_body, Last::last_argument(request, state)).await?)
            } else {
                None
            };
            (head, last, params)
        };
        let found = match named {
            Named::New => key.as_deref().and_then(|key| runs.joined(&owner, key)).map(Found::Here),
            Named::Run(id) => Some(Found::by_id(&runs, id, &owner).await?.ok_or_else(unknown)?),
            Named::Unknown => return Err(unknown()),
        };
        if method == Method::DELETE {
            return Err(match found {
                Some(found) => found.cancel().await?,
                None => unknown(),
            });
        }
        let Some(Ask { head_only, arrival }) = ask.as_mut() else { return Err(unknown()) };
        if found.as_ref().is_some_and(|run| arrival.asked.id().is_some_and(|id| run.has_been_seen(id))) {
            // All of it: 204 is what makes an EventSource stop.
            return Err(Rejection::new(StatusCode::NO_CONTENT.into_response()));
        }
        if *head_only {
            return Err(Rejection::new(respond::head_only()));
        }
        let run = match (found, last) {
            (Some(run), _) => run,
            (None, Some(last)) => {
                // What a client has seen of something else is not to be looked for in this.
                arrival.asked = Asked::Nothing;
                let claimed = match key.as_deref().filter(|_| runs.hub().is_shared()) {
                    Some(key) => self.claim(&runs, &owner, key).await?.map(Some),
                    None => Ok(None),
                };
                match claimed {
                    Err(found) => found,
                    Ok(claim) => {
                        let id = claim.as_ref().map_or_else(fresh, |claim| Ok(claim.id))?;
                        let stream = Shared::new(&self.run.stream, arrival.of_a_run());
                        if let Some(slot) = slot {
                            slot.announce(&stream);
                        }
                        let handler: HandlerFuture =
                            (self.call)(Stream(Arc::clone(&stream)), &params, head, last)?;
                        stream.start(handler);
                        let entered = runs.begin(id, self.run, owner, key.as_deref(), Arc::clone(&stream));
                        match entered {
                            Ok(Entered::Begun(run)) => {
                                if let Some(claim) = claim {
                                    claim.keep();
                                }
                                Found::Here(run)
                            }
                            Ok(Entered::Joined(run)) => {
                                stream.give_up();
                                Found::Here(run)
                            }
                            Err(full) => {
                                stream.give_up();
                                return Err(refuse_full(&self.mounted, &full));
                            }
                        }
                    }
                }
            }
            (None, None) => return Err(unknown()),
        };
        let Some(Ask { arrival, .. }) = ask else { return Err(unknown()) };
        let shared = Shared::new(meta, arrival);
        let client: Sse = Sse::new(Arc::clone(&shared) as _);
        let handler: HandlerFuture = match run {
            Found::Here(run) => {
                let attached: Attached = run.attach_client(&client);
                Box::pin(attend(client, run, attached))
            }
            Found::Elsewhere(run) => Box::pin(run.attend(client)),
        };
        Ok(respond::respond(shared, handler).with_grace(GRACE))
    }

    /// Claims a key in the log that nodes share, or finds the run that has it.
    async fn claim(&self, runs: &Runs, owner: &Owner, key: &str) -> Result<Result<Claim, Found>, Rejection> {
        // Each round is for one that has the key in vain.
        for _ in 0..ROUNDS {
            let claimed = runs.claim(owner, key, fresh()?, self.run).await;
            let holder = match claimed.map_err(|error| unreadable(&error))? {
                Ok(claim) => return Ok(Ok(claim)),
                Err(holder) => holder,
            };
            if let Some(found) = Found::by_id(runs, holder.id, owner).await? {
                return Ok(Err(found));
            }
            match runs.awaited(&holder).await.map_err(|error| unreadable(&error))? {
                Awaited::GivenUp => {}
                Awaited::Slow => break,
                Awaited::Begun => match Found::by_id(runs, holder.id, owner).await? {
                    Some(found) => return Ok(Err(found)),
                    // It is over for so long that it cannot be replayed.
                    None => holder.let_go(),
                },
            }
        }
        let text = "a request with this Idempotency-Key is being looked at; try again";
        Err(Rejection::new((StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], text).into_response()))
    }

    fn begins(&self, method: &Method) -> bool {
        match *method {
            Method::GET | Method::HEAD => self.run.begins_by_get(),
            Method::DELETE => false,
            _ => true,
        }
    }
}

/// A run that a request is about.
enum Found {
    Here(Arc<RunState>),
    Elsewhere(Box<Elsewhere>),
}

impl Found {
    /// None if there is no such run, or it is somebody else's.
    async fn by_id(runs: &Runs, id: RunId, owner: &Owner) -> Result<Option<Self>, Rejection> {
        if runs.get(id).is_some() {
            return Ok(runs.find(id, owner).map(Self::Here));
        }
        if !runs.hub().is_shared() {
            return Ok(None);
        }
        let found = Elsewhere::find(runs, id, Some(owner)).await.map_err(|error| unreadable(&error))?;
        Ok(found.map(|found| Self::Elsewhere(Box::new(found))))
    }

    fn has_been_seen(&self, id: &str) -> bool {
        match self {
            Self::Here(run) => run.has_been_seen(id),
            Self::Elsewhere(run) => run.has_been_seen(id),
        }
    }

    /// Ends it, and answers.
    async fn cancel(self) -> Result<Rejection, Rejection> {
        match self {
            Self::Here(run) => drop(run.cancel()),
            Self::Elsewhere(run) => run.cancel().await.map_err(|error| unreadable(&error))?,
        }
        Ok(Rejection::new(StatusCode::NO_CONTENT.into_response()))
    }
}

fn fresh() -> Result<RunId, Rejection> {
    RunId::fresh().map_err(|error| {
        tracing::error!(%error, "a run cannot begin, because the system has no random numbers");
        Rejection::new(StatusCode::INTERNAL_SERVER_ERROR.into_response())
    })
}

/// The log cannot be asked now.
fn unreadable(error: &EngineError) -> Rejection {
    tracing::error!(%error, "a run cannot be looked for");
    Rejection::new(StatusCode::SERVICE_UNAVAILABLE.into_response())
}

/// GET and DELETE are answered, but only for runs that have begun.
fn no_such_method() -> Rejection {
    let text = "name the run: ?run=<its id>, or Last-Event-ID";
    Rejection::new((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")], text).into_response())
}

/// The same for a run that is over, one of somebody else, and a guess.
fn unknown() -> Rejection {
    Rejection::new((StatusCode::NOT_FOUND, "no such run").into_response())
}

/// What the client calls the request, so that it may be made twice.
pub(crate) fn idempotency_key(request: &Request) -> Result<Option<String>, Rejection> {
    let Some(key) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= LONGEST_KEY => Ok(Some(key.to_owned())),
        _ => {
            let text = format!("Idempotency-Key has 1 to {LONGEST_KEY} printable characters");
            Err(Rejection::new((StatusCode::BAD_REQUEST, text).into_response()))
        }
    }
}

/// Whether an extractor with this marker of axum's reads the body. The marker's type has no name outside of axum; it is
/// that of an extractor which is known not to.
fn reads_the_body<M: 'static>() -> bool {
    fn marker_of<T: FromRequest<(), M>, M: 'static>(_: PhantomData<T>) -> TypeId {
        TypeId::of::<M>()
    }
    TypeId::of::<M>() != marker_of(PhantomData::<Method>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extractors_are_told_apart_by_whether_they_read_the_body() {
        fn reads<T: FromRequest<(), M>, M: 'static>(_: fn(T)) -> bool {
            reads_the_body::<M>()
        }
        assert!(!reads(|_: http::HeaderMap| ()));
        assert!(!reads(|_: axum::extract::Query<std::collections::HashMap<String, String>>| ()));
        assert!(reads(|_: bytes::Bytes| ()));
        assert!(reads(|_: axum::Json<u8>| ()));
        assert!(reads(|_: Request| ()));
    }
}
