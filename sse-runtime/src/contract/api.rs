//! The routes of a program together, and the documents beside them.

use std::collections::HashSet;

use axum::Router;
use http::StatusCode;
use utoipa::ToSchema;
use utoipa::openapi::path::Operation as Described;
use utoipa::openapi::{Info, OpenApi, OpenApiVersion, PathItem, RefOr};

use super::components::Components;
use super::document;
use super::item::text;
use super::operation::{Form, Operation, in_path, names_in};
use crate::route::Route;

/// Routes that describe themselves: what [`api!`](crate::api) makes of handlers. As a router it serves them, and beside them
/// the documents.
///
/// | path | what |
/// |---|---|
/// | `/openapi.json` | OpenAPI 3.2: each operation with its parameters, its body, its responses and, as `itemSchema`, each event |
/// | `/openapi.client.json` | the same for programs that generate clients from OpenAPI 3.1: the union of the events' data stands in `schema` |
/// | `/docs` | a page that shows the first, and tries the routes out (with the feature `docs`) |
///
/// ```
/// use axum::{Router, extract::Query};
/// use serde::{Deserialize, Serialize};
/// use sse_runtime::{Result, Sse, SseEvent, api, sse_route};
/// use utoipa::{IntoParams, ToSchema};
///
/// #[derive(Serialize, SseEvent, ToSchema)]
/// #[serde(tag = "type", rename_all = "snake_case")]
/// enum JobEvent {
///     /// How far it has come.
///     Progress { percent: u8 },
///     #[sse(terminal)]
///     Done { url: String },
/// }
///
/// #[derive(Deserialize, IntoParams)]
/// struct Options {
///     /// Report every line of the log, too.
///     verbose: Option<bool>,
/// }
///
/// /// Streams the progress of one job.
/// #[sse_route("/jobs/{id}/events")]
/// async fn job_events(sse: Sse<JobEvent>, id: u64, Query(options): Query<Options>) -> Result<()> {
///     # let _ = options;
///     sse.send(JobEvent::Done { url: format!("/jobs/{id}") }).await?;
///     Ok(())
/// }
///
/// let api = api![job_events].title("Jobs");
/// assert_eq!(api.openapi().paths.paths.len(), 1);
/// let app: Router = api.into();
/// ```
///
/// Types describe themselves through [utoipa](https://docs.rs/utoipa) 6: `ToSchema` for events and bodies, `IntoParams` for
/// the `T` of `Query<T>` and `Path<T>`, `IntoResponses` for a handler's error. All of it is optional: what says nothing is
/// documented by what is known of it. What a field of parameters, or a response, refers to is to be named once, with
/// [`schema`](Self::schema). Two types of one name become two components, `JobEvent` and `JobEvent2`. An extractor of
/// your own can implement [`DescribeArgument`](crate::DescribeArgument).
#[must_use = "an API does nothing until it becomes a router"]
pub struct Api<S = ()> {
    router: Router<S>,
    openapi: OpenApi,
    clients: OpenApi,
    ids: HashSet<String>,
    undescribed: Vec<String>,
    at: &'static str,
}

impl<S: Clone + Send + Sync + 'static> Api<S> {
    /// Without routes, as yet; [`api!`](crate::api) takes title and version from `Cargo.toml`.
    pub fn new(title: &str, version: &str) -> Self {
        let mut openapi = OpenApi::new(Info::new(title, version), utoipa::openapi::Paths::new());
        openapi.openapi = OpenApiVersion::Version32;
        let mut clients = openapi.clone();
        clients.openapi = OpenApiVersion::Version31;
        Self { router: Router::new(), openapi, clients, ids: HashSet::new(), undescribed: Vec::new(), at: "" }
    }

    /// Called by [`api!`](crate::api).
    #[doc(hidden)]
    pub fn __route(mut self, route: Route<S>, operation: fn(Components) -> Operation) -> Self {
        self.router = self.router.merge(route);
        let first = operation(Components::default());
        let id = self.id_of(&first);
        self.undescribed.extend_from_slice(first.undescribed());
        for (form, document) in [(Form::Items, &mut self.openapi), (Form::Payloads, &mut self.clients)] {
            let operation = operation(Components::take_from(document));
            let path = operation.path();
            let (methods, components) = operation.finish(form, &id);
            for (method, described) in methods {
                let mut item = PathItem::new(method, described);
                if form == Form::Payloads {
                    describe_answers(&mut item);
                }
                match document.paths.paths.get_mut(&path) {
                    Some(known) => known.merge_operations(item),
                    None => {
                        document.paths.paths.insert(path.clone(), item);
                    }
                }
            }
            components.give_to(document);
        }
        self
    }

    /// The handler's name; if it is taken, with its module's in front; and so on.
    fn id_of(&mut self, operation: &Operation) -> String {
        let parts: Vec<&str> = operation.full_name().split("::").collect();
        let by_path = (1..=parts.len()).map(|length| parts.iter().skip(parts.len() - length).copied());
        let by_path = by_path.map(|parts| parts.collect::<Vec<_>>().join("_"));
        let by_number = (2..).map(|number| format!("{}_{number}", operation.name()));
        let mut ids = by_path.chain(by_number);
        loop {
            // The numbers do not end before one is free.
            let id = ids.next().unwrap_or_default();
            let taken: Vec<_> = operation.ids(&id).collect();
            if !taken.iter().any(|id| self.ids.contains(id)) {
                self.ids.extend(taken);
                return id;
            }
        }
    }

    /// The title of the documents. [`api!`](crate::api) takes the name of the package.
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.openapi.info.title);
        title.clone_into(&mut self.clients.info.title);
        self
    }

    /// The version of the API. [`api!`](crate::api) takes that of the package.
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.openapi.info.version);
        version.clone_into(&mut self.clients.info.version);
        self
    }

    /// What the API is for, in Markdown.
    pub fn description(mut self, description: &str) -> Self {
        self.openapi.info.description = Some(description.to_owned());
        self.clients.info.description = Some(description.to_owned());
        self
    }

    /// Adds the schema of a type that parameters or responses refer to by its name, which say no more of it: an enum in a
    /// `Query<T>`, say. Whatever events and bodies refer to is there already. Which one is missing is logged when the API
    /// becomes a router.
    ///
    /// ```
    /// use axum::extract::Query;
    /// use serde::Deserialize;
    /// use sse_runtime::{Api, Sse, api, sse_route};
    /// use utoipa::{IntoParams, ToSchema};
    ///
    /// #[derive(Deserialize, ToSchema)]
    /// enum Level {
    ///     All,
    ///     Errors,
    /// }
    ///
    /// #[derive(Deserialize, IntoParams)]
    /// struct Filter {
    ///     level: Level,
    /// }
    ///
    /// #[sse_route("/logs")]
    /// async fn logs(sse: Sse, Query(filter): Query<Filter>) {
    ///     # let Filter { level: Level::All | Level::Errors } = filter;
    ///     sse.send("started").await.ok();
    /// }
    ///
    /// let api: Api = api![logs].schema::<Level>();
    /// ```
    pub fn schema<T: ToSchema>(mut self) -> Self {
        for document in [&mut self.openapi, &mut self.clients] {
            let mut components = Components::take_from(document);
            components.name::<T>();
            components.give_to(document);
        }
        self
    }

    /// Adds what utoipa has collected of other routes. The routes themselves are added to the router by who has them. Where
    /// both have a schema of one name, or an operation at one place, the one that is here already is kept.
    ///
    /// ```
    /// use axum::{Json, Router, routing::get};
    /// use sse_runtime::{Sse, api, sse_route};
    /// use utoipa::OpenApi;
    ///
    /// #[utoipa::path(get, path = "/jobs", responses((status = 200, body = Vec<u64>)))]
    /// async fn list() -> Json<Vec<u64>> {
    ///     Json(vec![7])
    /// }
    ///
    /// #[derive(OpenApi)]
    /// #[openapi(paths(list))]
    /// struct Others;
    ///
    /// #[sse_route("/ticks")]
    /// async fn ticks(sse: Sse) {
    ///     sse.send("tick").await.ok();
    /// }
    ///
    /// let app: Router = Router::new().route("/jobs", get(list)).merge(api![ticks].merge_openapi(Others::openapi()));
    /// ```
    pub fn merge_openapi(mut self, other: OpenApi) -> Self {
        let mut for_clients = other.clone();
        for_clients.paths.paths.values_mut().for_each(describe_answers);
        self.clients.merge(for_clients);
        self.openapi.merge(other);
        self
    }

    /// Puts the routes so far under a path, as `Router::nest` does, and says so in the documents; also of what they have from
    /// [`merge_openapi`](Self::merge_openapi) so far. Where the documents are served is for [`documents_at`](Self::documents_at).
    ///
    /// # Panics
    /// As `Router::nest`: if the path is empty, or `/`, or does not begin with a `/`.
    pub fn nest(mut self, prefix: &str) -> Self {
        self.router = Router::new().nest(prefix, self.router);
        for document in [&mut self.openapi, &mut self.clients] {
            let paths = std::mem::take(&mut document.paths.paths);
            document.paths.paths = paths
                .into_iter()
                .map(|(path, mut item)| {
                    for name in names_in(prefix) {
                        item.parameters.get_or_insert_default().push(in_path(name, text().into()).into());
                    }
                    (nested(prefix, &path), item)
                })
                .collect();
        }
        self
    }

    /// Puts the routes so far under a heading, those that have none yet.
    pub fn tag(mut self, tag: &str) -> Self {
        for document in [&mut self.openapi, &mut self.clients] {
            for operation in document.paths.paths.values_mut().flat_map(operations) {
                // utoipa leaves an empty list.
                if operation.tags.as_ref().is_none_or(Vec::is_empty) {
                    operation.tags = Some(vec![tag.to_owned()]);
                }
            }
        }
        self
    }

    /// Serves the documents under a path of their own: with `/internal`, at `/internal/openapi.json` and so on.
    ///
    /// # Panics
    /// When it becomes a router, if the path does not begin with a `/`.
    pub fn documents_at(mut self, prefix: &'static str) -> Self {
        self.at = prefix.trim_end_matches('/');
        self
    }

    /// The document, for OpenAPI 3.2.
    #[must_use]
    pub fn openapi(&self) -> &OpenApi {
        &self.openapi
    }

    /// The document for programs that generate clients.
    #[must_use]
    pub fn client_openapi(&self) -> &OpenApi {
        &self.clients
    }

    /// What the signatures of the routes have and the documents have not, a sentence each: event types, queries and bodies
    /// that do not describe themselves. None of it is a mistake, but a program may want to hear of it:
    ///
    /// ```
    /// use serde::Serialize;
    /// use sse_runtime::{Api, Sse, SseEvent, api, sse_route};
    ///
    /// #[derive(Serialize, SseEvent)]
    /// struct Tick(u64);
    ///
    /// #[sse_route("/ticks")]
    /// async fn ticks(sse: Sse<Tick>) {
    ///     sse.send(Tick(1)).await.ok();
    /// }
    ///
    /// let api: Api = api![ticks];
    /// assert_eq!(api.undescribed(), ["ticks: the event type `Tick` has no `ToSchema` of utoipa 6"]);
    /// ```
    #[must_use]
    pub fn undescribed(&self) -> &[String] {
        &self.undescribed
    }

    /// The router, with its state: short for `Router::from(api).with_state(state)`.
    pub fn with_state(self, state: S) -> Router {
        Router::from(self).with_state(state)
    }

    /// The routes without the documents, and the document: as `split_for_parts` of `utoipa_axum`'s router.
    pub fn split(self) -> (Router<S>, OpenApi) {
        (self.router, self.openapi)
    }
}

/// OpenAPI 3.1 demands a description of every response; utoipa leaves one out that is empty, as 3.2 allows.
fn describe_answers(item: &mut PathItem) {
    for (status, response) in operations(item).flat_map(|operation| &mut operation.responses.responses) {
        if let RefOr::T(response) = response {
            if response.description.is_empty() {
                let status = status.parse().ok().and_then(|status: StatusCode| status.canonical_reason());
                response.description = status.unwrap_or("The response.").to_owned();
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Described> {
    let methods = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.options,
        &mut item.head,
        &mut item.patch,
        &mut item.trace,
    ];
    methods.into_iter().flatten()
}

/// Where axum has a path that is nested.
fn nested(prefix: &str, path: &str) -> String {
    match (prefix.strip_suffix('/'), path) {
        (Some(prefix), path) => format!("{prefix}{path}"),
        (None, "/") => prefix.to_owned(),
        (None, path) => format!("{prefix}{path}"),
    }
}

impl<S: Clone + Send + Sync + 'static> From<Api<S>> for Router<S> {
    fn from(api: Api<S>) -> Self {
        document::mount(api.router, &api.openapi, &api.clients, api.at)
    }
}

impl<S> std::fmt::Debug for Api<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("title", &self.openapi.info.title).finish_non_exhaustive()
    }
}

/// Collects annotated handlers into an [`Api`], as [`routes!`](crate::routes) does into a router.
///
/// ```
/// use axum::Router;
/// use sse_runtime::{Sse, api, sse_route};
///
/// #[sse_route("/ticks")]
/// async fn ticks(sse: Sse) {
///     sse.send("tick").await.ok();
/// }
///
/// let app: Router = api![ticks].into(); // also serves /openapi.json
/// ```
///
/// If the compiler says
/// - *no function or associated item named `operation`*, or *expected type, found function*: the handler has no
///   `#[sse_route]`;
/// - `Router: From<Api<S>>` *is not satisfied*: the handlers need a state. `.with_state(state)` gives it to the API, or
///   `Router::new().merge(api![..]).with_state(state)` to all routes;
/// - *type annotations needed*: nothing says which state; write `let api: Api = api![..]` if there is none.
///
/// # Panics
/// As `axum::Router::merge` does, if two routes have the same path and method.
#[macro_export]
macro_rules! api {
    ($($handler:path),* $(,)?) => {
        $crate::Api::new(::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION"))
            $(.__route(<$handler>::route(), <$handler>::operation))*
    };
}
