//! The chat of `ai_ui`, with answers that go on without their client: `useChat({ resume: true })` comes back to them.
//!
//! ```text
//! cargo run --example ai_resume
//! curl -N http://127.0.0.1:3000/api/chat -H 'content-type: application/json' \
//!     -d '{"id": "my-chat", "messages": [{"role": "user", "parts": [{"type": "text", "text": "Who is there?"}]}]}'
//! curl -iN http://127.0.0.1:3000/api/chat/my-chat/stream
//! curl -X DELETE http://127.0.0.1:3000/api/chat/my-chat/stream
//! ```
//!
//! In an app of yours, a proxy for `/api/chat` and `useChat({ id, messages, resume: true })`: a page that is loaded again
//! asks `GET /api/chat/{id}/stream`, and gets the whole answer under way and what follows, or 204 when there is none. Their
//! `stop()` closes the connection, which here stops nothing; so after it, the page sends the DELETE, and the terminal says
//! how many tokens the model did not have to make. Who does neither leaves the model to itself for a minute.

mod model;
mod ui_messages;

use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::delete,
};
use model::Parrot;
use serde::Deserialize;
use sse_runtime::{
    Disconnect, Error, Result, Run, RunId, Runs, Sse, StatusCode, listen, routes, serve, sse_route,
};
use ui_messages::{Chat, tell};

/// Answers the user's last message, and goes on with that when the user is gone.
#[sse_route("/api/chat", methods = ["POST"], bare, run = "15m", run_idle = "1m")]
async fn chat(sse: Sse, State(chats): State<Chats>, Json(asked): Json<Asked>) -> Result<()> {
    let refused = |why: &str| Error::from(why).with_status(StatusCode::BAD_REQUEST).public(why);
    let Asked { id, chat } = asked;
    let model = chat.model.as_deref().unwrap_or("parrot");
    let model = Parrot::named(model).ok_or_else(|| refused(&format!("There is no model {model}.")))?;
    let prompt = chat.prompt().ok_or_else(|| refused("There is nothing to answer."))?;
    let answer = model.answer(&prompt, chat.limit());
    let (meter, run) = (answer.meter(), sse.run().ok_or("this route has runs")?.id());
    chats.begin(&id, run);
    // Of a run, this is its end, and not that of a connection.
    sse.on_disconnect(move |over: Disconnect| async move {
        tracing::info!("{} after {meter}", over.reason);
        chats.end(&id, run);
    });
    tell(&sse, &prompt, answer).await
}

/// Where their client looks for an answer under way, when a page is opened.
// Not a way back into the middle: it asks for all, and shows it in place of what it had.
#[sse_route("/api/chat/{id}/stream", bare)]
async fn resume(sse: Sse, id: String, State(chats): State<Chats>) -> Result<()> {
    match chats.answering(&id) {
        Some(run) => {
            sse.set_header("x-vercel-ai-ui-message-stream", "v1")?;
            chats.runs.follow(&sse, run.id()).await?;
        }
        None => sse.respond(StatusCode::NO_CONTENT)?,
    }
    Ok(())
}

/// Stops the model.
async fn stop(State(chats): State<Chats>, Path(id): Path<String>) -> StatusCode {
    if let Some(run) = chats.answering(&id) {
        run.cancel();
    }
    StatusCode::NO_CONTENT
}

/// What their transport sends, with the id that `useChat` has for the conversation. Here it is all that one needs to know;
/// where users log in, it has to be one of theirs.
#[derive(Deserialize)]
struct Asked {
    id: String,
    #[serde(flatten)]
    chat: Chat,
}

/// Which conversation has an answer under way.
#[derive(Clone)]
struct Chats {
    runs: Runs,
    answering: Arc<Mutex<HashMap<String, RunId>>>,
}

impl Chats {
    /// A newer answer takes the place of one that was still under way, and ends it.
    fn begin(&self, chat: &str, run: RunId) {
        let before = self.lock().insert(chat.to_owned(), run);
        if let Some(before) = before.and_then(|before| self.runs.get(before)) {
            before.cancel();
        }
    }

    fn end(&self, chat: &str, run: RunId) {
        let mut answering = self.lock();
        if answering.get(chat) == Some(&run) {
            answering.remove(chat);
        }
    }

    fn answering(&self, chat: &str) -> Option<Run> {
        let run = self.lock().get(chat).copied()?;
        self.runs.get(run).filter(|run| !run.is_over())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, RunId>> {
        self.answering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn app() -> Router {
    let chats = Chats { runs: Runs::in_memory(), answering: Arc::default() };
    Router::new()
        .merge(routes![chat, resume])
        .route("/api/chat/{id}/stream", delete(stop))
        .layer(chats.runs.clone())
        .with_state(chats)
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
