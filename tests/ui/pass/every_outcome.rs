//! What a handler may return.

#![deny(warnings)]

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use sse_runtime::{SendError, Sse, routes, sse_route};

enum AppError {
    Send,
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        match self {
            AppError::Send => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

impl From<SendError> for AppError {
    fn from(_: SendError) -> AppError {
        AppError::Send
    }
}

type AppResult = Result<(), AppError>;

#[sse_route("/nothing")]
async fn nothing(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/unit")]
async fn unit(sse: Sse) -> () {
    sse.send("tick").await.ok();
}

#[sse_route("/own")]
async fn own(sse: Sse) -> Result<(), AppError> {
    sse.send("tick").await?;
    Ok(())
}

#[sse_route("/alias")]
async fn alias(sse: Sse) -> AppResult {
    Ok(sse.send("tick").await?)
}

#[sse_route("/any")]
async fn any(sse: Sse) -> sse_runtime::Result {
    let number: u32 = "1".parse()?;
    sse.send(number.to_string()).await?;
    Ok(())
}

#[sse_route("/status")]
async fn status(sse: Sse) -> Result<(), StatusCode> {
    sse.send("tick").await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn main() {
    let _app: axum::Router = routes![nothing, unit, own, alias, any, status];
}
