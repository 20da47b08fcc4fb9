//! A chat in the language of Vercel's AI SDK: its `useChat` works with it as with a server of their own.
//!
//! ```text
//! cargo run --example ai_ui
//! curl -N http://127.0.0.1:3000/api/chat -H 'content-type: application/json' \
//!     -d '{"messages": [{"role": "user", "parts": [{"type": "text", "text": "Who is there?"}]}]}'
//! ```
//!
//! Open <http://127.0.0.1:3000>: a page without a framework that reads the same stream. Ask something long and press
//! Stop: the terminal says how many tokens the model did not have to make. In an app of yours it is
//! `useChat({ transport: new DefaultChatTransport({ api: "http://127.0.0.1:3000/api/chat" }) })`, or a proxy for
//! `/api/chat` and nothing at all. The model is a toy (`model/mod.rs`): it says back what it was told.
//! Their language is in `ui_messages/mod.rs`.

mod model;
mod ui_messages;

use std::env;

use axum::{Json, Router, response::Html, routing::get};
use model::Parrot;
use sse_runtime::{Disconnect, Error, Result, Sse, StatusCode, listen, routes, serve, sse_route};
use ui_messages::{Chat, tell};

/// Answers the user's last message.
// `bare`: their client takes each event for a part of the message, and one that is none for an error.
#[sse_route("/api/chat", methods = ["POST"], bare)]
async fn chat(sse: Sse, Json(chat): Json<Chat>) -> Result<()> {
    let refused = |why: &str| Error::from(why).with_status(StatusCode::BAD_REQUEST).public(why);
    let model = chat.model.as_deref().unwrap_or("parrot");
    let model = Parrot::named(model).ok_or_else(|| refused(&format!("There is no model {model}.")))?;
    let prompt = chat.prompt().ok_or_else(|| refused("There is nothing to answer."))?;
    let answer = model.answer(&prompt, chat.limit());
    let meter = answer.meter();
    sse.on_disconnect(move |gone: Disconnect| async move { tracing::info!("{} after {meter}", gone.reason) });

    tell(&sse, &prompt, answer).await
}

fn app() -> Router {
    let page = || async { Html(include_str!("ai_ui.html")) };
    // Where `useChat({ resume: true })` looks for an answer under way. Here there is none, as it ends with its client; in
    // `ai_resume.rs` it goes on.
    let resume = || async { StatusCode::NO_CONTENT };
    Router::new().route("/", get(page)).route("/api/chat/{id}/stream", get(resume)).merge(routes![chat])
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, app()).await?;
    Ok(())
}
