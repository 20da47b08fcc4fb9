//! The documents of routes as people write them.

use std::collections::BTreeMap;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sse_runtime::testing::TestClient;
use sse_runtime::{Api, DescribeArgument, Result, SendError, Sse, SseEvent, api, sse_route};
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::validator::valid;

#[derive(Serialize, ToSchema)]
struct Report {
    lines: Vec<String>,
}

/// What a job tells.
#[derive(Serialize, SseEvent, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum JobEvent {
    Queued,
    /// How far it has come.
    Progress {
        percent: u8,
    },
    #[sse(id = "number", name = "log")]
    LogLine {
        number: u64,
        text: Option<String>,
    },
    #[serde(skip)]
    #[allow(dead_code)]
    Internal,
    /// There will be no more.
    #[sse(terminal)]
    Done {
        report: Report,
    },
}

#[derive(Deserialize, IntoParams)]
struct Options {
    /// Report every line of the log, too.
    #[allow(dead_code)]
    verbose: Option<bool>,
}

/// An error that says what it becomes.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
enum JobError {
    /// There is no such job.
    #[response(status = 404)]
    NoSuchJob,
    #[response(status = 500, description = "Broken.")]
    Broken(#[to_schema] Problem),
}

#[derive(ToSchema)]
#[allow(dead_code)]
struct Problem {
    what: String,
}

impl From<SendError> for JobError {
    fn from(_: SendError) -> Self {
        Self::NoSuchJob
    }
}

impl IntoResponse for JobError {
    fn into_response(self) -> Response {
        StatusCode::NOT_FOUND.into_response()
    }
}

struct User;

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Ok(Self)
    }
}

impl DescribeArgument for User {
    fn describe(operation: &mut Operation) {
        operation.security = Some(vec![SecurityRequirement::new("session", [""; 0])]);
    }
}

/// Streams the progress
/// of one job.
///
/// Until it is done.
#[sse_route("/jobs/{id}/events")]
async fn job_events(
    sse: Sse<JobEvent>,
    id: u64,
    _user: User,
    State(()): State<()>,
    Query(_options): Query<Options>,
) -> Result<(), JobError> {
    sse.send(JobEvent::Queued).await?;
    sse.send(JobEvent::Progress { percent: 100 }).await?;
    sse.send(JobEvent::LogLine { number: 1, text: None }).await?;
    sse.send(JobEvent::Done { report: Report { lines: vec![id.to_string()] } }).await?;
    Ok(())
}

#[derive(Deserialize, ToSchema)]
struct Prompt {
    #[allow(dead_code)]
    text: String,
}

#[derive(Serialize, SseEvent)]
enum Named {
    #[sse(name = "word")]
    Word { text: String },
}

#[sse_route("/rooms/{room}/chat", methods = ["POST", "PUT"], end = "finished")]
#[deprecated]
async fn chat(sse: Sse<Named>, room: String, prompt: Result<Json<Prompt>, JsonRejection>) -> Result {
    drop(prompt);
    sse.send(Named::Word { text: room }).await?;
    Ok(())
}

#[sse_route("/files/{*path}")]
async fn files(sse: Sse, Path(path): Path<String>) -> Result {
    sse.send(path).await?;
    Ok(())
}

mod other {
    use super::*;

    #[derive(Serialize, SseEvent, ToSchema)]
    #[sse(name = "tick")]
    pub(crate) struct Tick {
        at: u64,
    }

    /// Of the same name as another.
    #[sse_route("/ticks", bare)]
    pub(crate) async fn files(sse: Sse<Tick>) -> Result {
        sse.send(Tick { at: 1 }).await?;
        Ok(())
    }
}

#[allow(deprecated)]
fn all() -> Api {
    api![job_events, chat, files, other::files].title("All").description("Every kind of route.")
}

fn documents(api: &Api) -> [Value; 2] {
    [api.openapi(), api.client_openapi()].map(|document| serde_json::to_value(document).expect("JSON"))
}

#[test]
fn a_document_of_every_kind_of_route_is_valid() {
    let [document, clients] = documents(&all());
    valid(&document);
    valid(&clients);
    assert_eq!(document["openapi"], "3.2.0");
    let info = json!({ "title": "All", "version": "0.1.0", "description": "Every kind of route." });
    assert_eq!(document["info"], info);
}

#[test]
fn an_operation_says_what_its_signature_says() {
    let [document, _] = documents(&all());
    let operation = &document["paths"]["/jobs/{id}/events"]["get"];
    assert_eq!(operation["summary"], "Streams the progress of one job");
    assert_eq!(operation["description"], "Until it is done.");
    assert_eq!(operation["operationId"], "job_events");
    assert_eq!(operation["security"], json!([{ "session": [] }]));
    let parameters: Vec<_> = operation["parameters"].as_array().expect("a list").iter().collect();
    let places: Vec<_> = parameters.iter().map(|parameter| (&parameter["name"], &parameter["in"])).collect();
    let expected = [("id", "path"), ("verbose", "query"), ("Last-Event-ID", "header")];
    assert_eq!(
        places,
        expected
            .map(|(name, place)| (json!(name), json!(place)))
            .iter()
            .map(|(a, b)| (a, b))
            .collect::<Vec<_>>()
    );
    assert_eq!(parameters[0]["schema"]["type"], "integer");
    assert_eq!(parameters[1]["description"], "Report every line of the log, too.");
    assert_eq!(parameters[2]["required"], false);
    let responses: BTreeMap<String, Value> =
        serde_json::from_value(operation["responses"].clone()).expect("an object");
    let statuses: Vec<_> = responses.keys().map(String::as_str).collect();
    assert_eq!(statuses, ["200", "204", "400", "404", "406", "500"]);
    assert_eq!(responses["404"]["description"], "There is no such job.");
    assert!(document["components"]["schemas"]["Report"].is_object());
}

#[test]
fn each_event_is_a_member_of_one_of_with_its_name_and_the_schema_of_its_data() {
    let [document, _] = documents(&all());
    let content = &document["paths"]["/jobs/{id}/events"]["get"]["responses"]["200"]["content"];
    let items = content["text/event-stream"]["itemSchema"]["oneOf"].as_array().expect("a list");
    let names: Vec<_> = items.iter().map(|item| item["properties"]["event"]["enum"].clone()).collect();
    let expected = ["queued", "progress", "log", "done", "end"].map(|name| json!([name]));
    assert_eq!(names[..5], expected, "the last by `finish`");
    assert_eq!(
        items[1],
        json!({
            "type": "object",
            "title": "progress",
            "description": "How far it has come.",
            "required": ["event", "data"],
            "properties": {
                "event": { "type": "string", "enum": ["progress"] },
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {
                        "type": "object",
                        "description": "How far it has come.",
                        "required": ["percent", "type"],
                        "properties": {
                            "percent": { "type": "integer", "format": "int32", "minimum": 0 },
                            "type": { "type": "string", "enum": ["progress"] },
                        },
                    },
                },
                "id": { "type": "string" },
            },
        })
    );
    assert_eq!(items[2]["required"], json!(["event", "data", "id"]));
    assert_eq!(
        items[2]["properties"]["data"]["contentSchema"]["properties"]["type"]["enum"],
        json!(["log_line"])
    );
    assert_eq!(items[3]["x-sse-terminal"], true);
    assert_eq!(
        items[3]["description"],
        "There will be no more.\n\nAfter this event there is nothing more to come: a client can close the stream."
    );
    assert_eq!(items[5], json!({ "$ref": "#/components/schemas/SseRuntimeEvent" }));
}

#[test]
fn what_describes_itself_less_is_documented_by_what_is_known() {
    let [document, _] = documents(&all());
    let chat = &document["paths"]["/rooms/{room}/chat"];
    assert_eq!(
        (&chat["post"]["operationId"], &chat["put"]["operationId"]),
        (&json!("chat_post"), &json!("chat_put"))
    );
    assert_eq!(chat["post"]["deprecated"], true);
    let body = &chat["post"]["requestBody"];
    assert_eq!(body["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Prompt");
    let items = &chat["post"]["responses"]["200"]["content"]["text/event-stream"]["itemSchema"]["oneOf"];
    assert_eq!(items[0]["title"], "word");
    assert_eq!(items[0]["properties"]["data"]["contentSchema"], json!({}));
    assert_eq!((&items[1]["title"], &items[1]["x-sse-terminal"]), (&json!("finished"), &json!(true)));

    let files = &document["paths"]["/files/{path}"]["get"];
    assert_eq!(
        files["parameters"][0],
        json!({ "name": "path", "in": "path", "required": true, "schema": { "type": "string" } })
    );
    let any = &files["responses"]["200"]["content"]["text/event-stream"]["itemSchema"];
    assert_eq!(
        (&any["properties"]["data"], &any["required"]),
        (&json!({ "type": "string" }), &json!(["data"]))
    );

    let ticks = &document["paths"]["/ticks"]["get"];
    assert_eq!(ticks["operationId"], "other_files");
    let only = &ticks["responses"]["200"]["content"]["text/event-stream"]["itemSchema"];
    assert_eq!(only["properties"]["data"]["contentSchema"], json!({ "$ref": "#/components/schemas/Tick" }));
    assert_eq!(
        ticks["responses"].as_object().map(serde_json::Map::len),
        Some(1),
        "a bare route answers as it will"
    );
}

#[test]
fn the_document_for_generators_has_the_union_of_the_data() {
    let [document, clients] = documents(&all());
    assert_eq!(clients["openapi"], "3.1.0");
    let content = &clients["paths"]["/jobs/{id}/events"]["get"]["responses"]["200"]["content"];
    let stream = &content["text/event-stream"];
    assert_eq!(stream["schema"], json!({ "$ref": "#/components/schemas/JobEvent" }));
    assert!(stream.get("itemSchema").is_none(), "3.1 does not know it");
    assert_eq!(clients["components"]["schemas"]["Report"], document["components"]["schemas"]["Report"]);
    let union = clients["components"]["schemas"]["JobEvent"]["oneOf"].as_array().expect("a union");
    assert_eq!(union.len(), 4);
}

#[utoipa::path(get, path = "/jobs", responses((status = 200, body = Vec<Problem>)))]
async fn list() -> &'static str {
    "[]"
}

#[derive(OpenApi)]
#[openapi(paths(list), components(schemas(Problem)))]
struct Others;

#[tokio::test(start_paused = true)]
async fn it_merges_with_the_documents_of_others_nests_and_is_served() {
    let api = api![job_events].nest("/v1").merge_openapi(Others::openapi()).documents_at("/about/");
    let [document, clients] = documents(&api);
    valid(&document);
    valid(&clients);
    assert_eq!(clients["paths"]["/jobs"]["get"]["responses"]["200"]["description"], "OK");
    assert_eq!(document["openapi"], "3.2.0");
    let paths: Vec<_> = document["paths"].as_object().expect("paths").keys().collect();
    assert_eq!(paths, ["/jobs", "/v1/jobs/{id}/events"]);

    let app: Router = Router::new().route("/jobs", get(list)).merge(api);
    let client = TestClient::new(app);
    let served = client.get("/about/openapi.json").response().await;
    assert_eq!(
        (served.status.as_u16(), &served.headers["content-type"]),
        (200, &"application/json".parse().expect("a value"))
    );
    assert_eq!(served.json::<Value>(), document);
    let again = client.get("/about/openapi.json").header("if-none-match", served.headers["etag"].as_bytes());
    assert_eq!(again.response().await.status, 304);
    assert_eq!(client.get("/about/openapi.client.json").response().await.json::<Value>()["openapi"], "3.1.0");
    assert_eq!(client.get("/about/docs").response().await.status, 200);
    let names = client.get("/v1/jobs/7/events").stream().await.take(4).await;
    let names: Vec<_> = names.into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["queued", "progress", "log", "done"], "by the names that the document says");
    assert_eq!(client.get("/jobs/7/events").response().await.status, 404);
}

#[test]
fn parts_can_be_taken_for_a_router_of_ones_own() {
    let (router, openapi) = all().split();
    let _: Router = router;
    assert_eq!(openapi.paths.paths.len(), 4);
}

struct Whole;

impl<S: Sync> FromRequestParts<S> for Whole {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Ok(Self)
    }
}

impl DescribeArgument for Whole {
    fn describe(operation: &mut Operation) {
        let whole = ResponseBuilder::new().description("All at once, or bit by bit.");
        let whole = whole.content("application/json", ContentBuilder::new().build());
        operation.responses.responses.insert("200".to_owned(), whole.into());
    }
}

#[sse_route("/sums", bare)]
async fn sums(sse: Sse<other::Tick>, _whole: Whole) -> Result {
    sse.respond(Json(3))?;
    Ok(())
}

#[test]
fn what_is_answered_in_place_of_the_stream_is_documented_beside_it() {
    let [document, clients] = documents(&api![sums]);
    for document in [document, clients] {
        valid(&document);
        let answer = &document["paths"]["/sums"]["get"]["responses"]["200"];
        assert_eq!(answer["description"], "All at once, or bit by bit.");
        let types: Vec<_> = answer["content"].as_object().expect("content").keys().collect();
        assert_eq!(types, ["application/json", "text/event-stream"]);
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Sort {
    Newest,
    Oldest,
}

#[derive(Deserialize, IntoParams)]
struct Listing {
    #[allow(dead_code)]
    sort: Sort,
    #[allow(dead_code)]
    then: Option<Sort>,
}

#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
enum ListError {
    #[response(status = 404)]
    Missing(Problem),
}

impl From<SendError> for ListError {
    fn from(_: SendError) -> Self {
        Self::Missing(Problem { what: String::new() })
    }
}

impl IntoResponse for ListError {
    fn into_response(self) -> Response {
        StatusCode::NOT_FOUND.into_response()
    }
}

#[sse_route("/listing")]
async fn listing(sse: Sse, Query(_): Query<Listing>) -> Result<(), ListError> {
    sse.send("a").await?;
    Ok(())
}

#[test]
fn what_parameters_and_responses_refer_to_is_there() {
    let api: Api = api![listing].schema::<Sort>().schema::<Problem>();
    let [document, clients] = documents(&api);
    valid(&document);
    valid(&clients);
}

#[test]
fn what_the_documents_lack_is_listed() {
    assert_eq!(all().undescribed(), ["chat: the event type `Named` has no `ToSchema` of utoipa 6"]);
    let lacking: Api = api![lacking];
    assert_eq!(
        lacking.undescribed(),
        [
            "lacking: the query `Query<Silent>` has no `IntoParams` of utoipa 6",
            "lacking: the body `Result<Json<Silent>, JsonRejection>` has no `ToSchema` of utoipa 6"
        ]
    );
    let [document, _] = documents(&lacking);
    let answers = &document["paths"]["/lacking"]["post"]["responses"];
    assert!(answers["400"].is_object(), "a query that cannot be parsed: {answers}");
}

#[derive(Deserialize)]
struct Silent {}

#[sse_route("/lacking", methods = ["POST"])]
async fn lacking(sse: Sse, query: Query<Silent>, body: Result<Json<Silent>, JsonRejection>) {
    drop((sse, query, body));
}

#[test]
fn a_tag_is_for_the_routes_so_far_that_have_none() {
    let api = api![job_events].tag("jobs").merge_openapi(Others::openapi()).tag("others");
    for document in documents(&api) {
        assert_eq!(document["paths"]["/jobs/{id}/events"]["get"]["tags"], json!(["jobs"]));
        assert_eq!(document["paths"]["/jobs"]["get"]["tags"], json!(["others"]));
    }
}
