//! The events that the runtime itself says, as schemas: what a client meets beside the route's own.

use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};

use super::components::Components;
use super::item::{Item, data_of};
use crate::replies::REPLIES;
use crate::runs::LOST;
use crate::stream::{BYE, DisconnectReason, END_ID, FAILURE, FULL};
use crate::topic::{GAP, OPEN, RESET, ResetReason};

/// The component that stands for all of them.
const ALL: &str = "SseRuntimeEvent";

/// Adds them to the components; returns the reference for the schema of a stream's items.
pub(super) fn reference(components: &mut Components) -> RefOr<Schema> {
    let events = [failure(), bye(), open(), reset(), gap()];
    let description = "What the server says by itself: errors, goodbyes, and where a stream stands that follows topics, or a run.";
    let any = OneOfBuilder::new().description(Some(description));
    let any = Schema::OneOf(events.into_iter().fold(any, OneOfBuilder::item).build());
    components.add(any.into(), Some(ALL.to_owned()), []).reference
}

/// The terminal event of a route with `end`, or of `finish`.
pub(super) fn end(name: &str) -> RefOr<Schema> {
    Item::new(name)
        .description("The stream is over for good: a client that reconnects with this id is answered 204.")
        .with_the_id(END_ID)
        .terminal()
        .build(data_of(object()))
}

/// How to answer into a stream.
pub(super) fn replies() -> RefOr<Schema> {
    Item::new(REPLIES)
        .description("How to answer: by POST, with this token as `reply`.")
        .build(data_of(object().property("token", text()).required("token")))
}

/// The last word of a run whose node is gone.
pub(super) fn lost() -> RefOr<Schema> {
    Item::new(LOST)
        .description("What was at work is gone: what came until now is all there is of this run.")
        .with_the_id(END_ID)
        .terminal()
        .build(data_of(object().property("run", text()).required("run")))
}

fn failure() -> RefOr<Schema> {
    let reasons = [DisconnectReason::HandlerError, DisconnectReason::HandlerPanic];
    Item::new(FAILURE)
        .description("The server failed. The stream ends with this, and an EventSource reconnects. With the id `sse-end`, it was a run, which is over for good.")
        .build(data_of(
            object()
                .property("reason", one_of(reasons.map(DisconnectReason::as_str)))
                .required("reason")
                .property("message", text()),
        ))
}

fn bye() -> RefOr<Schema> {
    let reasons = [
        DisconnectReason::ServerShutdown,
        DisconnectReason::MaxAge,
        DisconnectReason::SlowClient,
        DisconnectReason::AuthExpired,
        DisconnectReason::Kicked,
        // Of runs.
        DisconnectReason::Cancelled,
        DisconnectReason::Abandoned,
        DisconnectReason::RunFull,
    ];
    let reasons = reasons.into_iter().map(DisconnectReason::as_str).chain([FULL]);
    Item::new(BYE)
        .description(
            "The server ends the stream; come back after `retry` milliseconds. With the id `sse-end`, it was a run, which is over for good.",
        )
        .with_retry()
        .build(data_of(
            object().property("reason", one_of(reasons)).required("reason").property("message", text()),
        ))
}

fn open() -> RefOr<Schema> {
    Item::new(OPEN).description("Where a stream begins that follows topics, or a run.").build(data_of(
        object()
            .property("position", text())
            .property("run", text().description(Some("The run's id, if it is one.")))
            .property("resumed", ObjectBuilder::new().schema_type(Type::Boolean))
            .property(
                "heartbeat",
                or_null(Type::Integer).description(Some(
                    "After so many milliseconds of silence comes a comment; null if never.",
                )),
            )
            .required("position")
            .required("resumed")
            .required("heartbeat")
            .build(),
    ))
}

fn reset() -> RefOr<Schema> {
    let reasons = [
        ResetReason::Malformed,
        ResetReason::Epoch,
        ResetReason::Ahead,
        ResetReason::Evicted,
        ResetReason::TooFar,
    ];
    Item::new(RESET)
        .description("The stream cannot go on from the id that was named: what follows begins anew.")
        .build(data_of(
            object()
                .property("reason", one_of(reasons.map(ResetReason::as_str)))
                .property("asked", or_null(Type::String))
                .property("oldest", text())
                .property("now", text())
                .required("reason")
                .required("asked")
                .required("oldest")
                .required("now"),
        ))
}

fn gap() -> RefOr<Schema> {
    Item::new(GAP).description("The client was too slow: some events were left out.").build(data_of(
        object()
            .property("missed", ObjectBuilder::new().schema_type(Type::Integer))
            .property("after", text())
            .property("until", text())
            .required("missed")
            .required("after")
            .required("until")
            .build(),
    ))
}

fn object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object)
}

fn or_null(ty: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Array(vec![ty, Type::Null]))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn one_of(values: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    text().enum_values(Some(values.into_iter().map(|value| json!(value))))
}
