//! A route: what the attribute's expansion hands to axum.
//!
//! Everything per handler is erased at a function pointer, so that axum's machinery is instantiated once for each
//! combination of extractor types, not once for each handler.

mod accept;
mod arguments;
mod full;
mod outcome;
mod respond;
mod run;

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::StatusCode;
use http_body::Body as _;

#[cfg(any(feature = "compression", feature = "docs"))]
pub(crate) use accept::is_zero_weight;
pub use arguments::{
    Handle, HeadArgument, HeadArguments, LastArgument, Params, PathArgument, Rejection, Stream,
};
pub use outcome::{Failure, Outcome};
pub(crate) use run::idempotency_key;
pub use run::run_route;

use crate::lifecycle::Mounted;
use crate::replies::Slot;
use crate::stream::{HandlerFuture, Meta, Shared};
use respond::{Ask, Respond};

/// One route, ready to be mounted on a router whose state is `S`: what `handler::route()` returns.
///
/// ```
/// use axum::Router;
/// use sse_runtime::{Result, Route, Sse, routes, sse_route};
///
/// #[sse_route("/ticks")]
/// async fn ticks(sse: Sse) -> Result<()> {
///     sse.send("tick").await?;
///     Ok(())
/// }
///
/// let route: Route<()> = ticks::route();
/// assert_eq!(route.path(), "/ticks");
/// let app: Router = Router::new().merge(route);
/// ```
#[must_use = "a route does nothing until it is merged into a router"]
pub struct Route<S = ()> {
    path: &'static str,
    methods: MethodRouter<S>,
}

impl<S> Route<S> {
    /// The path, in axum's syntax.
    #[must_use]
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The route as axum's method router, without its path.
    ///
    /// ```
    /// # use sse_runtime::{Sse, sse_route};
    /// # #[sse_route("/ticks")]
    /// # async fn ticks(sse: Sse) { let _ = sse; }
    /// let app: axum::Router = axum::Router::new().route("/other/path", ticks::route().into_method_router());
    /// ```
    pub fn into_method_router(self) -> MethodRouter<S> {
        self.methods
    }
}

impl<S: Clone + Send + Sync + 'static> From<Route<S>> for Router<S> {
    fn from(route: Route<S>) -> Self {
        Router::new().route(route.path, route.methods)
    }
}

impl<S> Route<S> {
    pub(crate) fn into_parts(self) -> (&'static str, MethodRouter<S>) {
        (self.path, self.methods)
    }

    pub(crate) fn from_parts(path: &'static str, methods: MethodRouter<S>) -> Self {
        Self { path, methods }
    }
}

impl<S> fmt::Debug for Route<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Collects routes into an `axum::Router<S>`, for whatever state `S` their handlers need.
///
/// ```
/// use axum::Router;
/// use sse_runtime::{Result, Sse, routes, sse_route};
///
/// #[sse_route("/ticks")]
/// async fn ticks(sse: Sse) -> Result<()> {
///     sse.send("tick").await?;
///     Ok(())
/// }
///
/// mod prices {
///     use sse_runtime::{Result, Sse, sse_route};
///
///     #[sse_route("/prices/{symbol}")]
///     pub async fn live(sse: Sse, symbol: String) -> Result<()> {
///         sse.send(symbol).await?;
///         Ok(())
///     }
/// }
///
/// let app: Router = routes![ticks, prices::live];
/// ```
///
/// If the compiler says of a handler here
/// - *expected type, found function*: it has no `#[sse_route]`;
/// - *enum is private*: the handler is not `pub` where it is written;
/// - *expected `Router`, found `Router<S>`* further down: `with_state` is missing.
///
/// # Panics
/// As `axum::Router::merge` does, if two routes have the same path and method.
#[macro_export]
macro_rules! routes {
    ($($handler:path),* $(,)?) => {
        $crate::__private::Router::new()$(.merge(<$handler>::route()))*
    };
}

/// The function pointer behind a route: binds the arguments and calls the user's function.
type Call<Head, Last> = fn(Stream, &Params, Head, Last) -> Result<HandlerFuture, Rejection>;

/// Called by expansions: makes a route of a handler's call.
pub fn route<S, Head, Last, M>(meta: &'static Meta, call: Call<Head, Last>) -> Route<S>
where
    S: Clone + Send + Sync + 'static,
    Head: HeadArguments<S> + Send + 'static,
    Last: LastArgument<S, M> + Send + 'static,
    M: 'static,
{
    let mounted = Mounted::new(meta);
    let endpoint = Endpoint { mounted, call, marker: PhantomData::<fn() -> M> };
    Route { path: meta.path, methods: MethodRouter::new().on(meta.methods, endpoint) }
}

/// Called by the expansion of a handler with errors: stands in for its route, so that `routes!` adds no further error.
pub fn stub<S: Clone + Send + Sync + 'static>() -> Route<S> {
    Route { path: "/", methods: MethodRouter::new() }
}

/// The axum handler of a route.
struct Endpoint<Head, Last, M> {
    mounted: Arc<Mounted>,
    call: Call<Head, Last>,
    // `fn`: no `M` is ever held, so it says nothing about threads.
    marker: PhantomData<fn() -> M>,
}

impl<Head, Last, M> Clone for Endpoint<Head, Last, M> {
    fn clone(&self) -> Self {
        Self { mounted: Arc::clone(&self.mounted), call: self.call, marker: PhantomData }
    }
}

impl<S, Head, Last, M> Handler<(), S> for Endpoint<Head, Last, M>
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

impl<Head, Last, M> Endpoint<Head, Last, M> {
    /// Everything that comes before the handler's first poll.
    async fn begin<S>(self, request: Request, state: &S) -> Result<Respond, Rejection>
    where
        S: Clone + Send + Sync + 'static,
        Head: HeadArguments<S>,
        Last: LastArgument<S, M>,
    {
        let ask = Ask::read(&self.mounted, &request)?;
        let slot: Option<Slot> = request.extensions().get().cloned();
        let (mut parts, body) = request.into_parts();
        let params = Params::extract(&mut parts, self.mounted.meta.path).await?;
        let head = Head::head_arguments(&mut parts, state).await?;
        let last =
            within_limit(!body.is_end_stream(), Last::last_argument(Request::from_parts(parts, body), state))
                .await?;
        let shared = Shared::new(self.mounted.meta, ask.arrival);
        if let Some(slot) = slot {
            slot.announce(&shared);
        }
        // The call makes the handler's future; nothing of the handler has run yet.
        let handler = (self.call)(Stream(Arc::clone(&shared)), &params, head, last)?;
        if ask.head_only {
            return Err(Rejection::new(respond::head_only()));
        }
        Ok(respond::respond(shared, handler))
    }
}

/// How long a body may take that an extractor reads before the handler begins.
const BODY_LIMIT: Duration = Duration::from_secs(60);

/// Extracts the last argument; if there is a body to wait for, not for ever.
async fn within_limit<T>(
    has_body: bool,
    extracting: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, Rejection> {
    if !has_body {
        return extracting.await;
    }
    tokio::time::timeout(BODY_LIMIT, extracting).await.unwrap_or_else(|_| {
        let text = format!("reading the request took more than {BODY_LIMIT:?}");
        Err(Rejection::new((StatusCode::REQUEST_TIMEOUT, text).into_response()))
    })
}
