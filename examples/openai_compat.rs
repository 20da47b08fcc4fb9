//! A server that OpenAI's clients take for OpenAI: chat completions, streamed or whole, with their errors.
//!
//! ```text
//! cargo run --example openai_compat
//! curl -N http://127.0.0.1:3000/v1/chat/completions -H 'authorization: Bearer sk-parrot' \
//!     -H 'content-type: application/json' \
//!     -d '{"model": "parrot", "stream": true, "messages": [{"role": "user", "content": "Who is there?"}]}'
//! ```
//!
//! You see the answer come word by word, and `[DONE]`. Stop curl in the middle of a longer one: the terminal says how
//! many tokens the model did not have to make. Without `"stream": true` the answer is one JSON object. Their SDKs need
//! nothing but this key and `http://127.0.0.1:3000/v1` as the base URL. The model is a toy (`model/mod.rs`): it says
//! back what it was told.

mod model;

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Extension, Json, Router,
    extract::{FromRequestParts, rejection::JsonRejection},
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
};
use model::{Answer, OutOfBreath, Parrot, tokens};
use serde::{Deserialize, Serialize};
use sse_runtime::{Disconnect, PublicMessage, Result, SendError, Sse, listen, routes, serve, sse_route};

/// What a client has to show, as `Authorization: Bearer sk-parrot`.
const KEY: &str = "sk-parrot";

/// Answers the user's last message.
// `bare`: their clients accept nothing but JSON, and know no event of ours. `open_after`: the whole answer may take its
// time to come, and is no stream for that.
#[sse_route("/v1/chat/completions", methods = ["POST"], bare, open_after = "off")]
async fn chat_completions(
    sse: Sse,
    _caller: Caller,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<(), ApiError> {
    let Json(request) = body?;
    let model = Parrot::named(&request.model).ok_or_else(|| ApiError::no_model(&request.model))?;
    let prompt = request.prompt().ok_or_else(ApiError::no_prompt)?;
    let limit = request.max_completion_tokens.or(request.max_tokens).unwrap_or(usize::MAX);
    let mut answer = model.answer(&prompt, limit);
    let meter = answer.meter();
    sse.on_disconnect(move |gone: Disconnect| async move { tracing::info!("{} after {meter}", gone.reason) });

    let reply = Reply::new(&request, &prompt);
    if request.stream != Some(true) {
        return reply.respond(&sse, &mut answer).await;
    }
    if let Err(error) = reply.stream(&sse, &mut answer, request.wants_usage()).await {
        // The head is out, with status 200: the client hears of it in the stream, which then ends without `[DONE]`.
        tracing::error!("in the middle of an answer: {}", error.body.error.message);
        sse.send_json(error.body).await?;
    }
    Ok(())
}

/// Everything else that they can ask for is passed over in silence, as a parrot does.
#[derive(Deserialize)]
struct Request {
    model: String,
    messages: Vec<Turn>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_completion_tokens: Option<usize>,
    /// The name that it has in older clients.
    max_tokens: Option<usize>,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl Request {
    /// The text of the user's last message.
    fn prompt(&self) -> Option<String> {
        let last = self.messages.iter().rfind(|turn| turn.role == "user")?;
        Some(match last.content.as_ref()? {
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => parts.iter().map(|Part::Text { text }| text.as_str()).collect(),
        })
    }

    fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage) == Some(true)
    }
}

/// What all the pieces of one reply have in common.
struct Reply {
    id: String,
    created: u64,
    model: String,
    prompt_tokens: usize,
}

impl Reply {
    fn new(request: &Request, prompt: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            id: format!("chatcmpl-{:016x}", fastrand::u64(..)),
            created: now.as_secs(),
            model: request.model.clone(),
            prompt_tokens: tokens(prompt).count(),
        }
    }

    /// Sends the answer token by token. The first chunk names the role, and one says why there is no more: their
    /// helpers take a stream without these for a broken one.
    async fn stream(&self, sse: &Sse, answer: &mut Answer, usage: bool) -> Result<(), ApiError> {
        sse.send_json(self.chunk(Some("assistant"), Some(""), None)).await?;
        while let Some(token) = answer.next().await? {
            sse.send_json(self.chunk(None, Some(&token), None)).await?;
        }
        sse.send_json(self.chunk(None, None, Some(finish_reason(answer)))).await?;
        if usage {
            sse.send_json(self.piece(CHUNK, vec![], Some(self.usage(answer)))).await?;
        }
        sse.send("[DONE]").await?;
        Ok(())
    }

    /// Answers in one piece, when all of it is there.
    async fn respond(&self, sse: &Sse, answer: &mut Answer) -> Result<(), ApiError> {
        let mut content = String::new();
        while let Some(token) = answer.next().await? {
            content.push_str(&token);
        }
        let said = Said::Message { role: "assistant", content: &content, refusal: () };
        let choice = Choice { index: 0, said, logprobs: (), finish_reason: Some(finish_reason(answer)) };
        sse.respond(Json(self.piece("chat.completion", vec![choice], Some(self.usage(answer)))))?;
        Ok(())
    }

    fn chunk<'a>(
        &'a self,
        role: Option<&'static str>,
        content: Option<&'a str>,
        finish_reason: Option<&'static str>,
    ) -> Piece<'a> {
        let said = Said::Delta { role, content };
        self.piece(CHUNK, vec![Choice { index: 0, said, logprobs: (), finish_reason }], None)
    }

    fn piece<'a>(
        &'a self,
        object: &'static str,
        choices: Vec<Choice<'a>>,
        usage: Option<Usage>,
    ) -> Piece<'a> {
        let Self { id, created, model, .. } = self;
        Piece { id, object, created: *created, model, choices, usage }
    }

    fn usage(&self, answer: &Answer) -> Usage {
        let completion_tokens = answer.meter().said();
        let prompt_tokens = self.prompt_tokens;
        Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
    }
}

fn finish_reason(answer: &Answer) -> &'static str {
    if answer.is_cut_short() { "length" } else { "stop" }
}

const CHUNK: &str = "chat.completion.chunk";

/// A chunk, or the whole answer.
#[derive(Serialize)]
struct Piece<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<Choice<'a>>,
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    #[serde(flatten)]
    said: Said<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Said<'a> {
    Delta {
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<&'a str>,
    },
    Message {
        role: &'static str,
        content: &'a str,
        refusal: (),
    },
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
}

/// Somebody with the key. Extractors run in order: who has it not, hears nothing of what else is wrong.
struct Caller;

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let key =
            parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match key {
            Some(KEY) => Ok(Self),
            Some(_) => Err(ApiError::unauthorized("Incorrect API key provided.", Some("invalid_api_key"))),
            None => Err(ApiError::unauthorized("You didn't provide an API key.", None)),
        }
    }
}

/// An error as their clients read it: by the status they choose the exception, and fill it from the body.
struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

#[derive(Serialize)]
struct ErrorBody {
    error: ErrorObject,
}

#[derive(Serialize)]
struct ErrorObject {
    message: String,
    r#type: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let r#type = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
        let error = ErrorObject { message: message.into(), r#type, param: None, code: None };
        Self { status, body: ErrorBody { error } }
    }

    fn unauthorized(message: &str, code: Option<&'static str>) -> Self {
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, message);
        refusal.body.error.code = code;
        refusal
    }

    fn no_model(name: &str) -> Self {
        let mut refusal = Self::new(StatusCode::NOT_FOUND, format!("The model `{name}` does not exist."));
        refusal.body.error.code = Some("model_not_found");
        refusal
    }

    fn no_prompt() -> Self {
        let mut refusal = Self::new(StatusCode::BAD_REQUEST, "There is no message with the role `user`.");
        refusal.body.error.param = Some("messages");
        refusal
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        // For JSON that does not fit, axum says 422, and they say 400.
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            other => other,
        };
        Self::new(status, rejection.body_text())
    }
}

impl From<OutOfBreath> for ApiError {
    fn from(broken: OutOfBreath) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, broken.to_string())
    }
}

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // For the log: the runtime writes there what a handler fails with.
        let message = PublicMessage(self.body.error.message.clone());
        (self.status, Extension(message), Json(self.body)).into_response()
    }
}

fn app() -> Router {
    routes![chat_completions]
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
