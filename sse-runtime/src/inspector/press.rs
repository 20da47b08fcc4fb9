//! The buttons.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::Inner;
use crate::Event;
use crate::stream::NotSent;

/// Does to a stream what its button says: `close`, `stall`, `release`, or `send` with `{"name": .., "data": ..}`.
pub(super) async fn press(
    State(inspector): State<Arc<Inner>>,
    Path((id, button)): Path<(u64, String)>,
    body: Bytes,
) -> Response {
    let Some(stream) = inspector.find(id) else {
        return (StatusCode::NOT_FOUND, format!("there is no open stream {id}")).into_response();
    };
    let done = match &*button {
        "close" => {
            let closed = inspector.registry.kick(|open| open.id.get() == id, "closed in the inspector") > 0;
            closed.then_some("closed").ok_or("it is ending already")
        }
        "stall" => stream.stall().then_some("stalled").ok_or("it is stalled already, or ending"),
        "release" => stream.release().then_some("released").ok_or("it is not stalled"),
        "send" => return send(&stream, &body).into_response(),
        _ => return (StatusCode::NOT_FOUND, "there is no such button").into_response(),
    };
    match done {
        Ok(done) => done.into_response(),
        Err(why_not) => (StatusCode::CONFLICT, why_not).into_response(),
    }
}

fn send(stream: &crate::stream::Shared, body: &[u8]) -> (StatusCode, String) {
    let event = match read(body) {
        Ok(event) => event,
        Err(why) => return (StatusCode::BAD_REQUEST, why),
    };
    match stream.inject(&event) {
        Ok(()) => (StatusCode::OK, "sent".to_owned()),
        Err(why @ NotSent::Event(_)) => (StatusCode::UNPROCESSABLE_ENTITY, why.to_string()),
        Err(why) => (StatusCode::CONFLICT, why.to_string()),
    }
}

fn read(body: &[u8]) -> Result<Event, String> {
    let said: Value = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
    let text = |key: &str| match said.get(key) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(&**text),
        Some(other) => Err(format!("`{key}` is to be a text, not {other}")),
    };
    let (name, data) = (text("name")?, text("data")?);
    let event = if name.is_empty() { Event::default() } else { Event::new(name) };
    Ok(event.data(data))
}
