//! The stream of one client that follows a run.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use tokio::sync::watch;

use super::elsewhere::Lost;
use super::run::{Attached, End, Phase, RunState};
use crate::error::{Error, SendError};
use crate::stream::Sse;

/// The header that says which run it is.
const RUN: &str = "sse-run";

/// What the handler of such a stream does.
pub(crate) async fn attend(client: Sse, run: Arc<RunState>, attached: Attached) -> Result<(), Box<Response>> {
    outcome(follow(&client, &run, attached).await)
}

/// Sends the events of a run, from where the client left off, until it is over.
pub(super) async fn follow(client: &Sse, run: &RunState, _attached: Attached) -> Result<(), SendError> {
    let mut phase = run.phase.subscribe();
    drop(client.set_header(RUN, run.id.as_str()));
    let Some(first) = begun(&mut phase).await else {
        let answer = run.opening().answer.take();
        // It went to the client that began it.
        let answer = answer.unwrap_or_else(|| StatusCode::CONFLICT.into_response());
        return client.respond(answer);
    };
    if let Some(head) = run.opening().head.take() {
        client.hidden().shared().set_head(head);
    }
    // It may be too late for that, if the log took its time.
    drop(client.set_header(RUN, run.id.as_str()));
    tokio::select! {
        followed = run.log.follow(client, first) => followed,
        end = ended(&mut phase) => {
            let sent = run.log.follow_until(client, first, end.last).await;
            if end.is_cut && sent.is_ok() {
                client.hidden().shared().say(&Lost(run.id));
            }
            client.hidden().shared().end_with(end.reason);
            sent
        }
    }
}

pub(super) fn outcome(followed: Result<(), SendError>) -> Result<(), Box<Response>> {
    match followed {
        Ok(()) | Err(SendError::Closed | SendError::Finished) => Ok(()),
        Err(error) => Err(Box::new(Error::from(error).into_response())),
    }
}

/// Waits until it is known whether there is a run; the number before its first event.
async fn begun(phase: &mut watch::Receiver<Phase>) -> Option<u64> {
    match phase.wait_for(|phase| *phase != Phase::Begins).await {
        Ok(phase) => phase.first(),
        // The task was dropped with its runtime.
        Err(_) => None,
    }
}

async fn ended(phase: &mut watch::Receiver<Phase>) -> End {
    match phase.wait_for(|phase| phase.end().is_some()).await.ok().and_then(|phase| phase.end()) {
        Some(end) => end,
        None => std::future::pending().await,
    }
}
