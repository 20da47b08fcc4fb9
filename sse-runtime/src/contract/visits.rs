//! What else a path answers where the handler is a run, or takes replies: coming back, an end, an answer.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation as Described, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, Responses};
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{ContentBuilder, RefOr, Required};

use super::item::{any_value, text};
use super::operation::{LAST_EVENT_ID, STREAM};

/// A route's own operations, and what is beside them.
pub(super) type Operations = Vec<(HttpMethod, Described)>;

/// The names that are added to the route's: `chat_resume` and `chat_cancel`.
pub(super) const OF_RUNS: [&str; 2] = ["resume", "cancel"];
pub(super) const OF_REPLIES: &str = "reply";

/// GET comes back to a run, and DELETE ends it; whatever begins one names it in its head.
pub(super) fn add_runs(operations: &mut Operations, id: &str) {
    for (_, described) in operations.iter_mut() {
        header(described, "sse-run", "The run's id.");
    }
    let Some((_, first)) = operations.first() else { return };
    let mut resume = first.clone();
    if resume.request_body.take().is_some() {
        for of_the_body in ["415", "422"] {
            resume.responses.responses.remove(of_the_body);
        }
    }
    let mut cancel = Described::new();
    // It gets past the extractors, too.
    cancel.parameters = first.parameters.clone();
    cancel.parameters.get_or_insert_default().retain(|known| !is_named(known, LAST_EVENT_ID));
    if let Some(unreadable) = first.responses.responses.get("400") {
        cancel.responses.responses.insert("400".to_owned(), unreadable.clone());
    }
    for (_, described) in operations.iter_mut() {
        parameter(described, run(Required::False));
        parameter(described, idempotency_key());
        response(described, "404", NO_RUN);
        response(described, "503", "There is no place for another run.");
    }
    if !operations.iter().any(|(method, _)| *method == HttpMethod::Get) {
        resume.operation_id = Some(format!("{id}_{}", OF_RUNS[0]));
        resume.summary = Some(format!("Comes back to a run of {id}"));
        resume.description = Some("The run is named by `run` or by `Last-Event-ID`.".to_owned());
        parameter(&mut resume, run(Required::False));
        response(&mut resume, "404", NO_RUN);
        response(&mut resume, "405", "No run is named.");
        operations.push((HttpMethod::Get, resume));
    }
    cancel.operation_id = Some(format!("{id}_{}", OF_RUNS[1]));
    cancel.summary = Some(format!("Ends a run of {id}"));
    parameter(&mut cancel, run(Required::True));
    response(&mut cancel, "204", "It ends, and says so to all who follow it.");
    response(&mut cancel, "404", NO_RUN);
    operations.push((HttpMethod::Delete, cancel));
}

/// POST answers into a stream that is open.
pub(super) fn add_replies(operations: &mut Operations, id: &str, schema: Option<RefOr<Schema>>) {
    for (_, described) in operations.iter_mut() {
        header(described, "sse-reply-token", "With this, clients answer into the stream.");
    }
    let Some((_, first)) = operations.first() else { return };
    let mut reply = Described::new();
    reply.parameters = in_path(first);
    let begins = operations.iter_mut().find(|(method, _)| *method == HttpMethod::Post);
    let (described, required) = match begins {
        Some((_, begins)) => (begins, Required::False),
        None => (&mut reply, Required::True),
    };
    parameter(described, token(required.clone()));
    if !described.parameters.iter().flatten().any(|known| is_named(known, IDEMPOTENCY_KEY)) {
        parameter(described, idempotency_key());
    }
    match &mut described.request_body {
        Some(RefOr::T(begins)) => or_answer(begins, schema),
        Some(RefOr::Ref(_)) => {}
        None => described.request_body = Some(RefOr::T(body(schema, required.clone()))),
    }
    let answer = ContentBuilder::new().schema(Some(any_value())).build();
    if let RefOr::T(known) = described
        .responses
        .responses
        .entry("200".to_owned())
        .or_insert_with(|| RefOr::T(Response::new("What the handler responds.")))
    {
        known.content.entry("application/json".to_owned()).or_insert(answer.into());
    }
    for (status, text) in [
        ("202", "The reply has arrived, and the handler says nothing of it."),
        ("404", "There is no such stream, or it is over."),
        ("413", "The reply is too large."),
        ("415", "The reply is not declared as JSON."),
        ("422", "The reply is JSON of another form."),
        ("429", "Too many replies wait; `Retry-After` says how long to wait."),
        ("4XX", "The handler refuses the reply, and says why."),
    ] {
        response(described, status, text);
    }
    if matches!(required, Required::True) {
        reply.operation_id = Some(format!("{id}_{OF_REPLIES}"));
        reply.summary = Some(format!("Answers into a stream of {id}"));
        operations.push((HttpMethod::Post, reply));
    } else {
        let about = "With `reply`, it answers into a stream that is open, and begins none.";
        described.description = Some(
            described.description.as_ref().map_or(about.to_owned(), |known| format!("{known}\n\n{about}")),
        );
        for (status, text) in
            [("200", "The stream of events; to a reply, what the handler responds."), ("404", NEITHER)]
        {
            if let Some(RefOr::T(known)) = described.responses.responses.get_mut(status) {
                if [STREAM, NO_RUN].contains(&known.description.as_str()) {
                    text.clone_into(&mut known.description);
                }
            }
        }
    }
}

const NO_RUN: &str = "There is no such run.";
const NEITHER: &str = "There is no such run; or no such stream to answer into, or it is over.";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// What begins a stream, or answers into it.
fn or_answer(begins: &mut RequestBody, schema: Option<RefOr<Schema>>) {
    let Some(RefOr::T(json)) = begins.content.get_mut("application/json") else {
        let json = ContentBuilder::new().schema(Some(schema.unwrap_or_else(any_value))).build();
        begins.content.insert("application/json".to_owned(), json.into());
        return;
    };
    if let (Some(before), Some(schema)) = (json.schema.take(), schema) {
        json.schema = Some(AnyOfBuilder::new().item(before).item(schema).into());
    }
}

fn body(schema: Option<RefOr<Schema>>, required: Required) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(schema.unwrap_or_else(any_value))).build();
    RequestBodyBuilder::new().content("application/json", content).required(Some(required)).build()
}

fn in_path(described: &Described) -> Option<Vec<RefOr<Parameter>>> {
    let parameters = described.parameters.iter().flatten();
    let in_path = |known: &&RefOr<Parameter>| matches!(known, RefOr::T(known) if known.parameter_in == ParameterIn::Path);
    Some(parameters.filter(in_path).cloned().collect())
}

fn is_named(parameter: &RefOr<Parameter>, name: &str) -> bool {
    matches!(parameter, RefOr::T(known) if known.name == name)
}

fn parameter(described: &mut Described, parameter: Parameter) {
    described.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

fn header(described: &mut Described, name: &str, about: &str) {
    if let Some(RefOr::T(stream)) = described.responses.responses.get_mut("200") {
        let header = HeaderBuilder::new().schema(Some(text())).description(Some(about)).build();
        stream.headers.insert(name.to_owned(), header.into());
    }
}

fn response(described: &mut Described, status: &str, text: &str) {
    let responses: &mut Responses = &mut described.responses;
    responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(text)));
}

fn run(required: Required) -> Parameter {
    let about = "The run to come back to: its id, from the header `sse-run` or the event `sse-open`.";
    named("run", ParameterIn::Query, required, about)
}

fn token(required: Required) -> Parameter {
    let about = "The stream that is answered: its token, from the event `sse-replies` or the header `sse-reply-token`.";
    named("reply", ParameterIn::Query, required, about)
}

fn idempotency_key() -> Parameter {
    let about = "What is sent again with the same key happens once.";
    named(IDEMPOTENCY_KEY, ParameterIn::Header, Required::False, about)
}

fn named(name: &str, place: ParameterIn, required: Required, about: &str) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
    parameter.description(Some(about)).schema(Some(text())).build()
}
