//! What the types in a handler's signature say of themselves.
//!
//! An expansion knows names, not types: whether a `Query<Page>` has a `Page` that describes itself only the compiler knows.
//! So it asks a [`Probe`] of each type. Each question is a method of two or three traits, implemented for `&&Probe`,
//! `&Probe` and `Probe`; called on `&&&Probe`, method resolution takes the first that the type fits, and the last fits all
//! ("autoref specialization").

use std::marker::PhantomData;

use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::{Json, body::Bytes};
use utoipa::openapi::Required;
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::events::Events;
use super::item::{any_value, text};
use super::operation::Operation;
use crate::replies::Replies;
use crate::stream::Sse;
use crate::wire::SseEvent;

/// An extractor that says itself what it means for the documents: a header that it reads, a security scheme, an answer
/// that it may give.
///
/// What axum's own extractors mean is known: `Query<T>` and `Path<T>` if `T` implements `utoipa::IntoParams`, `Json<T>` and
/// `Form<T>` if it implements `utoipa::ToSchema`. What is answered with [`respond`](crate::Sse::respond) in place of a stream
/// may stand in the response 200: the stream is added there.
///
/// ```
/// use axum::extract::FromRequestParts;
/// use axum::http::{StatusCode, request::Parts};
/// use sse_runtime::DescribeArgument;
/// use sse_runtime::utoipa::openapi::{path::Operation, response::Response, security::SecurityRequirement};
///
/// struct User(String);
///
/// impl<S: Sync> FromRequestParts<S> for User {
///     type Rejection = StatusCode;
///
///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
///         let token = parts.headers.get("authorization").and_then(|token| token.to_str().ok());
///         token.map(|token| User(token.to_owned())).ok_or(StatusCode::UNAUTHORIZED)
///     }
/// }
///
/// impl DescribeArgument for User {
///     fn describe(operation: &mut Operation) {
///         operation.security = Some(vec![SecurityRequirement::new("token", [""; 0])]);
///         operation.responses.responses.insert("401".to_owned(), Response::new("no token").into());
///     }
/// }
/// ```
pub trait DescribeArgument {
    /// Adds to the operation what the argument means for it.
    fn describe(operation: &mut utoipa::openapi::path::Operation);
}

/// Asks a type; a value of no size.
#[allow(missing_debug_implementations)]
pub struct Probe<T>(PhantomData<fn() -> T>);

impl<T> Probe<T> {
    #[allow(missing_docs)]
    pub const NEW: Self = Self(PhantomData);
}

/// An extractor that describes itself.
#[allow(missing_docs)]
pub trait ArgumentByUser {
    fn argument(&self, operation: &mut Operation);
}

impl<T: DescribeArgument> ArgumentByUser for &&Probe<T> {
    fn argument(&self, operation: &mut Operation) {
        operation.describe(T::describe);
    }
}

/// An extractor of axum's, of something that describes itself.
#[allow(missing_docs)]
pub trait ArgumentByLibrary {
    fn argument(&self, operation: &mut Operation);
}

/// Any other extractor means nothing that is known.
#[allow(missing_docs)]
pub trait ArgumentByDefault {
    fn argument(&self, operation: &mut Operation);
}

impl<T> ArgumentByDefault for Probe<T> {
    fn argument(&self, operation: &mut Operation) {
        operation.note_argument::<T>();
    }
}

macro_rules! parameters {
    ($($wrapper:ty: $place:ident,)*) => {
        $(
            impl<T: IntoParams> ArgumentByLibrary for &Probe<$wrapper> {
                fn argument(&self, operation: &mut Operation) {
                    let parameters = T::into_params(|| Some(ParameterIn::$place));
                    operation.parameters(parameters, &ParameterIn::$place);
                }
            }
        )*
    };
}

parameters! {
    Query<T>: Query,
    Result<Query<T>, QueryRejection>: Query,
    Path<T>: Path,
    Result<Path<T>, PathRejection>: Path,
}

macro_rules! bodies {
    ($($wrapper:ty: $media_type:literal $required:ident,)*) => {
        $(
            impl<T: ToSchema> ArgumentByLibrary for &Probe<$wrapper> {
                fn argument(&self, operation: &mut Operation) {
                    let schema = operation.components().of::<T>();
                    operation.body($media_type, schema, Required::$required);
                }
            }
        )*
    };
}

bodies! {
    Json<T>: "application/json" True,
    Result<Json<T>, JsonRejection>: "application/json" True,
    Option<Json<T>>: "application/json" False,
    Form<T>: "application/x-www-form-urlencoded" True,
    Result<Form<T>, FormRejection>: "application/x-www-form-urlencoded" True,
}

impl<T: ToSchema> ArgumentByLibrary for &Probe<Replies<T>> {
    fn argument(&self, operation: &mut Operation) {
        let schema = operation.components().of::<T>();
        operation.set_replies(Some(schema));
    }
}

impl ArgumentByLibrary for &Probe<String> {
    fn argument(&self, operation: &mut Operation) {
        operation.body("text/plain", text().into(), Required::True);
    }
}

impl ArgumentByLibrary for &Probe<Bytes> {
    fn argument(&self, operation: &mut Operation) {
        operation.body("application/octet-stream", any_value(), Required::True);
    }
}

/// A path parameter whose type describes itself.
#[allow(missing_docs)]
pub trait ParameterByLibrary {
    fn parameter(&self, operation: &mut Operation, name: &'static str);
}

impl<T: ToSchema> ParameterByLibrary for &Probe<T> {
    fn parameter(&self, operation: &mut Operation, name: &'static str) {
        let schema = operation.components().of::<T>();
        operation.path_parameter(name, schema);
    }
}

/// Any other is text that has to be parsed.
#[allow(missing_docs)]
pub trait ParameterByDefault {
    fn parameter(&self, operation: &mut Operation, name: &'static str);
}

impl<T> ParameterByDefault for Probe<T> {
    fn parameter(&self, operation: &mut Operation, name: &'static str) {
        operation.path_parameter(name, text().into());
    }
}

/// A handle of events that describe themselves.
#[allow(missing_docs)]
pub trait EventsByLibrary {
    fn events(&self, operation: &mut Operation);
}

impl<E: SseEvent + ToSchema> EventsByLibrary for &&Probe<Sse<E>> {
    fn events(&self, operation: &mut Operation) {
        let events = Events::described::<E>(operation.components());
        operation.set_events(events);
    }
}

/// Of all others at most the names are known.
#[allow(missing_docs)]
pub trait EventsByName {
    fn events(&self, operation: &mut Operation);
}

impl<E: SseEvent> EventsByName for &Probe<Sse<E>> {
    fn events(&self, operation: &mut Operation) {
        operation.set_events(Events::named::<E>());
        if !E::shapes().is_empty() {
            operation.note_undescribed::<E>("event type", "ToSchema");
        }
    }
}

/// What is no handle was reported elsewhere.
#[allow(missing_docs)]
pub trait EventsByDefault {
    fn events(&self, operation: &mut Operation);
}

impl<T> EventsByDefault for Probe<T> {
    fn events(&self, _: &mut Operation) {}
}

/// An error that says which responses it becomes.
#[allow(missing_docs)]
pub trait OutcomeByLibrary {
    fn outcome(&self, operation: &mut Operation);
}

impl<E: IntoResponses> OutcomeByLibrary for &Probe<Result<(), E>> {
    fn outcome(&self, operation: &mut Operation) {
        operation.responses(E::responses());
    }
}

/// Of any other, and of no error, nothing is known.
#[allow(missing_docs)]
pub trait OutcomeByDefault {
    fn outcome(&self, operation: &mut Operation);
}

impl<T> OutcomeByDefault for Probe<T> {
    fn outcome(&self, _: &mut Operation) {}
}
