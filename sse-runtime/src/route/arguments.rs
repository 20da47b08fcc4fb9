//! What a handler's arguments can be.
//!
//! The traits repeat axum's only to say, in the user's words, what is wrong with an argument that does not fit.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::stream::{Shared, Sse};

/// The stream of one request, before it is wrapped in the handle of the right type.
#[allow(missing_debug_implementations)]
pub struct Stream(pub(crate) Arc<Shared>);

/// A response instead of a stream. Boxed: it travels through every `?` of an expansion, and is rare.
#[allow(missing_debug_implementations)]
pub struct Rejection(Box<Response>);

impl Rejection {
    pub(crate) fn new(response: Response) -> Self {
        Self(Box::new(response))
    }

    pub(crate) fn into_response(self) -> Response {
        *self.0
    }
}

/// The type of a handler's first argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the handle of a stream",
    label = "the first argument must be `Sse` or `Sse<E>`",
    note = "write `sse: Sse` as the first argument: the function sends its events with it"
)]
pub trait Handle {
    #[allow(missing_docs)]
    fn handle(stream: Stream) -> Self;
}

impl<E: crate::wire::SseEvent> Handle for Sse<E> {
    fn handle(stream: Stream) -> Self {
        Self::new(stream.0)
    }
}

/// The path parameters of one request, decoded.
#[allow(missing_debug_implementations)]
pub struct Params(Option<RawPathParams>);

impl Params {
    /// Reads them if the path has any.
    pub(crate) async fn extract(parts: &mut Parts, path: &str) -> Result<Self, Rejection> {
        if !path.contains('{') {
            return Ok(Self(None));
        }
        match RawPathParams::from_request_parts(parts, &()).await {
            Ok(params) => Ok(Self(Some(params))),
            Err(rejection) => Err(Rejection::new(rejection.into_response())),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// An argument that is bound to a path parameter by its name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from the path",
    label = "bound to a `{{parameter}}` of the path, so it must implement `FromStr`, with an error that implements `Display`",
    note = "take a `String` or a number, implement `FromStr` for `{Self}`, or use axum's `Path<T>` extractor"
)]
pub trait PathArgument: Sized {
    #[allow(missing_docs)]
    fn path_argument(params: &Params, name: &'static str) -> Result<Self, Rejection>;
}

#[diagnostic::do_not_recommend]
impl<T: FromStr<Err: Display>> PathArgument for T {
    fn path_argument(params: &Params, name: &'static str) -> Result<Self, Rejection> {
        let Some(value) = params.get(name) else {
            // The attribute has checked the path; only a rewritten request can get here.
            let text = format!("the path has no parameter `{name}`");
            return Err(Rejection::new((StatusCode::INTERNAL_SERVER_ERROR, text).into_response()));
        };
        value.parse().map_err(|error| {
            let shown: String = value.chars().take(64).flat_map(char::escape_debug).collect();
            let text = format!("path parameter `{name}`: \"{shown}\" is not accepted: {error}");
            Rejection::new((StatusCode::BAD_REQUEST, text).into_response())
        })
    }
}

/// An extractor that reads the head of a request; every one but the last argument must.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of this route: it is not extracted from the head of a request",
    label = "this route has an argument of type `{Self}`",
    note = "an argument is a path parameter of the same name, or an axum extractor: a type that implements \
            `FromRequestParts<{S}>`",
    note = "one that implements `FromRequest` reads the body, so it must be the last argument",
    note = "a `State<T>` needs a `T` that is the router's state (here `{S}`), or that implements `FromRef` for it; \
            a `Json<T>`, `Query<T>` or `Form<T>` needs a `T` that implements `Deserialize`"
)]
pub trait HeadArgument<S>: Sized {
    #[allow(missing_docs)]
    fn head_argument(parts: &mut Parts, state: &S) -> impl Future<Output = Result<Self, Rejection>> + Send;
}

#[diagnostic::do_not_recommend]
impl<S: Send + Sync, T: FromRequestParts<S>> HeadArgument<S> for T {
    async fn head_argument(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        T::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Rejection::new(rejection.into_response()))
    }
}

/// The last argument, which may read the body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of this route: it is not extracted from a request",
    label = "this route has an argument of type `{Self}`",
    note = "an argument is a path parameter of the same name, or an axum extractor: a type that implements \
            `FromRequestParts<{S}>` or `FromRequest<{S}>`",
    note = "a `State<T>` needs a `T` that is the router's state (here `{S}`), or that implements `FromRef` for it; \
            a `Json<T>`, `Query<T>` or `Form<T>` needs a `T` that implements `Deserialize`"
)]
pub trait LastArgument<S, M>: Sized {
    #[allow(missing_docs)]
    fn last_argument(request: Request, state: &S) -> impl Future<Output = Result<Self, Rejection>> + Send;
}

#[diagnostic::do_not_recommend]
impl<S: Send + Sync, M, T: FromRequest<S, M>> LastArgument<S, M> for T {
    async fn last_argument(request: Request, state: &S) -> Result<Self, Rejection> {
        T::from_request(request, state).await.map_err(|rejection| Rejection::new(rejection.into_response()))
    }
}

/// All arguments but the last, extracted in order.
pub trait HeadArguments<S>: Sized {
    #[allow(missing_docs)]
    fn head_arguments(parts: &mut Parts, state: &S) -> impl Future<Output = Result<Self, Rejection>> + Send;
}

macro_rules! head_arguments {
    ($($name:ident)*) => {
        impl<S: Send + Sync, $($name: HeadArgument<S> + Send),*> HeadArguments<S> for ($($name,)*) {
            #[allow(unused_variables, clippy::unused_unit)]
            async fn head_arguments(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
                Ok(($($name::head_argument(parts, state).await?,)*))
            }
        }
    };
}

head_arguments!();
head_arguments!(A);
head_arguments!(A B);
head_arguments!(A B C);
head_arguments!(A B C D);
head_arguments!(A B C D E);
head_arguments!(A B C D E F);
head_arguments!(A B C D E F G);
head_arguments!(A B C D E F G H);
head_arguments!(A B C D E F G H I);
head_arguments!(A B C D E F G H I J);
head_arguments!(A B C D E F G H I J K);
head_arguments!(A B C D E F G H I J K L);
head_arguments!(A B C D E F G H I J K L N);
head_arguments!(A B C D E F G H I J K L N O);
head_arguments!(A B C D E F G H I J K L N O P);
head_arguments!(A B C D E F G H I J K L N O P Q);
