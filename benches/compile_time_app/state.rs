//! What every module uses: the same in both crates.

use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::{broadcast, watch};

#[derive(Clone)]
pub struct App {
    pub jobs: Jobs,
    pub feed: Feed,
}

impl FromRef<App> for Jobs {
    fn from_ref(app: &App) -> Self {
        app.jobs.clone()
    }
}

impl FromRef<App> for Feed {
    fn from_ref(app: &App) -> Self {
        app.feed.clone()
    }
}

#[derive(Clone)]
pub struct Jobs(pub Arc<Vec<watch::Receiver<u32>>>);

impl Jobs {
    pub fn find(&self, id: usize) -> Result<watch::Receiver<u32>, AppError> {
        self.0.get(id).cloned().ok_or(AppError::NotFound(id))
    }
}

#[derive(Clone)]
pub struct Feed(pub broadcast::Sender<Arc<str>>);

impl Feed {
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.subscribe()
    }

    pub async fn page(&self, cursor: u64) -> Result<Vec<String>, AppError> {
        tokio::task::yield_now().await;
        if cursor > 1000 { Err(AppError::Exhausted) } else { Ok(vec![cursor.to_string()]) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("no job {0}")]
    NotFound(usize),
    #[error("nothing is left")]
    Exhausted,
    #[error(transparent)]
    Send(#[from] sse_runtime::SendError),
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}
