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

mod model;

use std::env;

use axum::{Json, Router, response::Html, routing::get};
use model::{OutOfBreath, Parrot, tokens};
use serde::{Deserialize, Serialize};
use sse_runtime::{Disconnect, Error, Result, Sse, StatusCode, listen, routes, serve, sse_route};

/// Answers the user's last message.
// `bare`: their client takes each event for a part of the message, and one that is none for an error.
#[sse_route("/api/chat", methods = ["POST"], bare)]
async fn chat(sse: Sse, Json(chat): Json<Chat>) -> Result<()> {
    let refused = |why: &str| Error::from(why).with_status(StatusCode::BAD_REQUEST).public(why);
    let model = chat.model.as_deref().unwrap_or("parrot");
    let model = Parrot::named(model).ok_or_else(|| refused(&format!("There is no model {model}.")))?;
    let prompt = chat.prompt().ok_or_else(|| refused("There is nothing to answer."))?;
    let mut answer = model.answer(&prompt, chat.max_tokens.unwrap_or(usize::MAX));
    let meter = answer.meter();
    sse.on_disconnect(move |gone: Disconnect| async move { tracing::info!("{} after {meter}", gone.reason) });

    sse.set_header("x-vercel-ai-ui-message-stream", "v1")?;
    let message_id = format!("msg-{:016x}", fastrand::u64(..));
    sse.send_json(Part::Start { message_id }).await?;
    sse.send_json(Part::StartStep).await?;
    sse.send_json(Part::TextStart { id: TEXT }).await?;
    loop {
        match answer.next().await {
            Ok(Some(delta)) => sse.send_json(Part::TextDelta { id: TEXT, delta }).await?,
            Ok(None) => break,
            Err(broken) => return fail(&sse, &broken).await,
        }
    }
    sse.send_json(Part::TextEnd { id: TEXT }).await?;
    sse.send_json(Part::FinishStep).await?;
    let finish_reason = if answer.is_cut_short() { "length" } else { "stop" };
    let message_metadata = Usage { asked: tokens(&prompt).count(), answered: answer.meter().said() };
    sse.send_json(Part::Finish { finish_reason, message_metadata }).await?;
    sse.send("[DONE]").await?;
    Ok(())
}

/// The head is out, with status 200, and to their client a stream that just ends is a complete one.
async fn fail(sse: &Sse, broken: &OutOfBreath) -> Result<()> {
    tracing::error!("in the middle of an answer: {broken}");
    sse.send_json(Part::Error { error_text: broken.to_string() }).await?;
    sse.send("[DONE]").await?;
    Ok(())
}

/// What the transport sends with each message: the whole conversation. The rest is not theirs: what an app puts into
/// the transport's `body` arrives beside it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chat {
    messages: Vec<Message>,
    model: Option<String>,
    max_tokens: Option<usize>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    parts: Vec<Said>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Said {
    Text {
        text: String,
    },
    /// Where a step began, a file, what a tool did.
    #[serde(other)]
    Other,
}

impl Chat {
    /// The text of the user's last message.
    fn prompt(&self) -> Option<String> {
        let last = self.messages.iter().rfind(|message| message.role == "user")?;
        let texts = last.parts.iter().filter_map(|part| match part {
            Said::Text { text } => Some(text.as_str()),
            Said::Other => None,
        });
        Some(texts.collect()).filter(|text: &String| !text.is_empty())
    }
}

/// There is one text in each answer, so that its id only has to be the same in all of its parts.
const TEXT: &str = "text-1";

/// A part of the message, as it is told to the client: an event without a name.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Part {
    Start { message_id: String },
    StartStep,
    TextStart { id: &'static str },
    TextDelta { id: &'static str, delta: String },
    TextEnd { id: &'static str },
    FinishStep,
    Finish { finish_reason: &'static str, message_metadata: Usage },
    Error { error_text: String },
}

/// Not theirs: what an app wants to know of a message is its own affair. In tokens.
#[derive(Serialize)]
struct Usage {
    asked: usize,
    answered: usize,
}

fn app() -> Router {
    let page = || async { Html(include_str!("ai_ui.html")) };
    // Where `useChat({ resume: true })` looks for an answer under way. Here there is none: it ends with its client.
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
