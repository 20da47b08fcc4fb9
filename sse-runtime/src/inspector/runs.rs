//! The runs, and the button that ends one. Each goes by its number: its id is for its clients alone.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::Inner;
use super::overview::millis;
use super::secret::masked;
use super::tail::shown;
use super::view::View;
use crate::runs::{Run, RunInfo, runs_of};
use crate::stream::DisconnectReason;

/// How many a page is told of.
const MOST: usize = 100;

/// Those that go on first, the oldest of them before the others; then those that are over, the newest before the others.
pub(super) fn to_json(inspector: &Inner, view: &View) -> Value {
    let mut runs: Vec<_> = runs_of(&inspector.registry).into_iter().map(|run| (run.info(), run)).collect();
    let all = runs.len();
    let going = runs.iter().filter(|(info, _)| info.ended.is_none()).count();
    runs.retain(|(info, run)| wants(view, info, run));
    let matching = runs.len();
    runs.sort_by_key(|(info, run)| match info.ended {
        None => (0, run.number(), Reverse(0)),
        Some(_) => (1, 0, Reverse(run.number())),
    });
    runs.truncate(MOST);
    let rows: Vec<_> = runs.iter().map(|(info, run)| run_json(info, run)).collect();
    json!({ "all": all, "going": going, "matching": matching, "rows": rows })
}

fn wants(view: &View, info: &RunInfo, run: &Run) -> bool {
    let (id, path) = (masked(info.id.as_str()), masked(run.path()));
    let principal = info.principal.as_deref().map(masked);
    let ended = info.ended.map(DisconnectReason::as_str);
    let texts = [Some(&*id), Some(&*path), Some(info.route), principal.as_deref(), ended];
    texts.into_iter().flatten().any(|text| view.wants(text)) || run.number().to_string() == view.filter
}

fn run_json(info: &RunInfo, run: &Run) -> Value {
    json!({
        "number": run.number(),
        "id": masked(info.id.as_str()),
        "route": info.route,
        "path": shown(run.path()),
        "principal": info.principal.as_deref().map(shown),
        "age": millis(info.age),
        "left": info.ended.is_none().then(|| millis(run.left())),
        "attached": info.attached,
        "events": info.events,
        "bytes": info.bytes,
        "begun": run.has_begun(),
        "ended": info.ended.map(DisconnectReason::as_str),
    })
}

/// Does to a run what its button says: `cancel`.
pub(super) async fn press(
    State(inspector): State<Arc<Inner>>,
    Path((number, button)): Path<(u64, String)>,
) -> Response {
    let of_number = |run: &Run| run.number() == number;
    let Some(run) = runs_of(&inspector.registry).into_iter().find(of_number) else {
        return (StatusCode::NOT_FOUND, format!("there is no run {number}")).into_response();
    };
    if button != "cancel" {
        return (StatusCode::NOT_FOUND, "there is no such button").into_response();
    }
    if run.cancel_because("cancelled in the inspector") {
        "cancelled".into_response()
    } else {
        (StatusCode::CONFLICT, "it is over, or about to be").into_response()
    }
}
