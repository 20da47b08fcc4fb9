//! A server that Anthropic's clients take for Anthropic: messages, streamed or whole, with their errors.
//!
//! ```text
//! cargo run --example anthropic_compat
//! curl -N http://127.0.0.1:3000/v1/messages -H 'x-api-key: sk-parrot' -H 'anthropic-version: 2023-06-01' \
//!     -H 'content-type: application/json' -d '{"model": "parrot", "max_tokens": 100, "stream": true,
//!     "messages": [{"role": "user", "content": "Who is there?"}]}'
//! ```
//!
//! You see an event for each step of the answer, named after its type. Stop curl in the middle of a longer one: the
//! terminal says how many tokens the model did not have to make. Without `"stream": true` the answer is one JSON
//! object. Their SDKs need nothing but this key and `http://127.0.0.1:3000` as the base URL. The model is a toy
//! (`model/mod.rs`): it says back what it was told. Ask for `parrot-tired` to see one that breaks in the middle.

mod model;

use std::env;

use axum::{
    Extension, Json, Router,
    extract::{FromRequestParts, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
};
use model::{Answer, OutOfBreath, Parrot, tokens};
use serde::{Deserialize, Serialize};
use sse_runtime::{
    Disconnect, EventError, EventWriter, PublicMessage, Result, SendError, Sse, SseEvent, listen, routes,
    serve, sse_route,
};

/// What a client has to show, as `x-api-key: sk-parrot` or as `Authorization: Bearer sk-parrot`.
const KEY: &str = "sk-parrot";

/// Answers the user's last message.
// `bare`: their clients accept nothing but JSON, and know no event of ours. `open_after`: the whole answer may take its
// time to come, and is no stream for that.
#[sse_route("/v1/messages", methods = ["POST"], bare, open_after = "off")]
async fn messages(
    sse: Sse<Said>,
    Caller { request_id }: Caller,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<(), ApiError> {
    reply(&sse, &request_id, body).await.map_err(|problem| ApiError { request_id, problem })
}

async fn reply(
    sse: &Sse<Said>,
    request_id: &str,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<(), Problem> {
    let Json(request) = body?;
    let model = Parrot::named(&request.model).ok_or_else(|| Problem::no_model(&request.model))?;
    let prompt = request.prompt().ok_or_else(Problem::no_prompt)?;
    let mut answer = model.answer(&prompt, request.max_tokens);
    let (id, meter) = (request_id.to_owned(), answer.meter());
    sse.on_disconnect(move |gone: Disconnect| async move {
        tracing::info!("{id}: {} after {meter}", gone.reason);
    });

    sse.set_header("request-id", request_id)?;
    let message = Message::begin(&request.model, &prompt);
    if request.stream != Some(true) {
        return respond(sse, message, &mut answer).await;
    }
    if let Err(problem) = stream(sse, message, &mut answer).await {
        // The head is out, with status 200, and to their clients a stream that just ends is a complete one.
        tracing::error!("{request_id}: in the middle of an answer: {}", problem.message);
        sse.send(Said::Error(problem.body(request_id))).await?;
    }
    Ok(())
}

/// Sends the answer token by token: a message with one block of text in it.
async fn stream(sse: &Sse<Said>, message: Message, answer: &mut Answer) -> Result<(), Problem> {
    sse.send(Said::Step(Step::MessageStart { message })).await?;
    let content_block = Block::Text { text: String::new() };
    sse.send(Said::Step(Step::ContentBlockStart { index: 0, content_block })).await?;
    sse.send(Said::Step(Step::Ping)).await?;
    while let Some(text) = answer.next().await? {
        let delta = Delta::TextDelta { text };
        sse.send(Said::Step(Step::ContentBlockDelta { index: 0, delta })).await?;
    }
    sse.send(Said::Step(Step::ContentBlockStop { index: 0 })).await?;
    let delta = Stop::of(answer);
    let usage = Output { output_tokens: answer.meter().said() };
    sse.send(Said::Step(Step::MessageDelta { delta, usage })).await?;
    sse.send(Said::Step(Step::MessageStop)).await?;
    Ok(())
}

/// Answers in one piece, when all of it is there.
async fn respond(sse: &Sse<Said>, mut message: Message, answer: &mut Answer) -> Result<(), Problem> {
    let mut text = String::new();
    while let Some(token) = answer.next().await? {
        text.push_str(&token);
    }
    message.content.push(Block::Text { text });
    message.stop = Stop::of(answer);
    message.usage.output_tokens = answer.meter().said();
    sse.respond(Json(message))?;
    Ok(())
}

/// Everything else that they can ask for is passed over in silence, as a parrot does.
#[derive(Deserialize)]
struct Request {
    model: String,
    max_tokens: usize,
    messages: Vec<Turn>,
    stream: Option<bool>,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

impl Request {
    /// The text of the user's last message.
    fn prompt(&self) -> Option<String> {
        let last = self.messages.iter().rfind(|turn| turn.role == "user")?;
        Some(match &last.content {
            Content::Text(text) => text.clone(),
            Content::Blocks(blocks) => blocks.iter().map(|Block::Text { text }| text.as_str()).collect(),
        })
    }
}

/// An event: a step of the answer or, in the place of one, what went wrong.
enum Said {
    Step(Step),
    Error(ErrorBody),
}

// By hand only because of the name `error`, which the derive refuses: in a browser it is the `EventSource`'s own.
impl SseEvent for Said {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        match self {
            Self::Step(step) => step.write(event),
            Self::Error(error) => {
                event.name("error")?;
                event.json(error)
            }
        }
    }
}

/// Each carries its name in its data too: there their clients look.
#[derive(Serialize, SseEvent)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Step {
    MessageStart { message: Message },
    ContentBlockStart { index: u8, content_block: Block },
    Ping,
    ContentBlockDelta { index: u8, delta: Delta },
    ContentBlockStop { index: u8 },
    MessageDelta { delta: Stop, usage: Output },
    MessageStop,
}

/// The whole answer or, at its start, all of it that is known.
#[derive(Serialize)]
struct Message {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: String,
    content: Vec<Block>,
    #[serde(flatten)]
    stop: Stop,
    usage: Usage,
}

impl Message {
    fn begin(model: &str, prompt: &str) -> Self {
        Self {
            id: format!("msg_{:016x}", fastrand::u64(..)),
            r#type: "message",
            role: "assistant",
            model: model.to_owned(),
            content: Vec::new(),
            stop: Stop { stop_reason: None, stop_sequence: () },
            usage: Usage { input_tokens: tokens(prompt).count(), output_tokens: 0 },
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text { text: String },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Delta {
    TextDelta { text: String },
}

#[derive(Serialize)]
struct Stop {
    stop_reason: Option<&'static str>,
    stop_sequence: (),
}

impl Stop {
    fn of(answer: &Answer) -> Self {
        let reason = if answer.is_cut_short() { "max_tokens" } else { "end_turn" };
        Self { stop_reason: Some(reason), stop_sequence: () }
    }
}

#[derive(Serialize)]
struct Usage {
    input_tokens: usize,
    output_tokens: usize,
}

#[derive(Serialize)]
struct Output {
    output_tokens: usize,
}

/// Somebody with the key, and the number under which we speak of the request, also in the log. Extractors run in
/// order: who has no key, hears nothing of what else is wrong.
struct Caller {
    request_id: String,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let request_id = format!("req_{:016x}", fastrand::u64(..));
        let headers = &parts.headers;
        // The one place is documented, the other is where the SDKs have it by now.
        let bearer = || headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ");
        let key = headers.get("x-api-key").map(HeaderValue::as_bytes).or_else(bearer);
        let problem = if key != Some(KEY.as_bytes()) {
            Problem::new(StatusCode::UNAUTHORIZED, "invalid x-api-key")
        } else if !headers.contains_key("anthropic-version") {
            Problem::new(StatusCode::BAD_REQUEST, "anthropic-version: header is required")
        } else {
            return Ok(Self { request_id });
        };
        Err(ApiError { request_id, problem })
    }
}

/// What went wrong.
struct Problem {
    status: StatusCode,
    message: String,
}

#[derive(Serialize)]
struct ErrorBody {
    r#type: &'static str,
    error: ErrorObject,
    request_id: String,
}

#[derive(Serialize)]
struct ErrorObject {
    r#type: &'static str,
    message: String,
}

impl Problem {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn no_model(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("model: {name}"))
    }

    fn no_prompt() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "messages: there is none with the role `user`")
    }

    fn body(&self, request_id: &str) -> ErrorBody {
        let r#type = match self.status.as_u16() {
            401 => "authentication_error",
            404 => "not_found_error",
            413 => "request_too_large",
            529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        let error = ErrorObject { r#type, message: self.message.clone() };
        ErrorBody { r#type: "error", error, request_id: request_id.to_owned() }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        // For JSON that does not fit, axum says 422, and they say 400.
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            other => other,
        };
        Self::new(status, rejection.body_text())
    }
}

impl From<OutOfBreath> for Problem {
    fn from(broken: OutOfBreath) -> Self {
        // A status of their own making: "overloaded".
        let status = StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Self::new(status, broken.to_string())
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

/// A problem as the response to a request: by the status their clients choose the exception.
struct ApiError {
    request_id: String,
    problem: Problem,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { request_id, problem } = self;
        let body = problem.body(&request_id);
        // For the log: the runtime writes there what a handler fails with.
        let message = PublicMessage(problem.message);
        (problem.status, [("request-id", request_id)], Extension(message), Json(body)).into_response()
    }
}

fn app() -> Router {
    routes![messages]
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
