//! Whose run it is.

use std::sync::Arc;

use axum::extract::Request;

/// Who makes a request, as a middleware has found out: put it into the request's extensions.
///
/// A run belongs to the principal of the request that began it, and to the path that was asked for: others are
/// answered as if there were no such run. Without a principal, whoever knows a run's id, and passes the route's
/// extractors, may have it.
///
/// ```
/// use axum::{extract::Request, middleware::Next, response::Response};
/// use sse_runtime::Principal;
///
/// async fn authenticate(mut request: Request, next: Next) -> Response {
///     let user = "ada"; // from a session, a token, ...
///     request.extensions_mut().insert(Principal::new(user));
///     next.run(request).await
/// }
/// # let _ = authenticate;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The name of a user or account.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// What has to be the same for someone who comes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(super) route: Box<str>,
    /// With the values of its parameters: who may see one room need not be one who may see another.
    pub(super) path: Box<str>,
    pub(super) principal: Option<Principal>,
}

impl Owner {
    pub(super) fn is(&self, route: &str, path: &str, principal: Option<&str>) -> bool {
        *self.route == *route
            && *self.path == *path
            && self.principal.as_ref().map(Principal::name) == principal
    }

    /// The topic in which nodes claim a key of theirs.
    pub(super) fn claims(&self, key: &str) -> String {
        format!("sse-run-key:{} {key:?}", self.written())
    }

    /// As text; no two are written alike.
    pub(crate) fn written(&self) -> String {
        let principal = self.principal.as_ref().map(Principal::name);
        format!("{:?} {:?} {principal:?}", self.route, self.path)
    }

    pub(crate) fn of(route: &str, request: &Request) -> Self {
        Self {
            route: route.into(),
            path: request.uri().path().into(),
            principal: request.extensions().get().cloned(),
        }
    }
}
