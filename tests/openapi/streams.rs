//! What routes send is what their documents say: events as they come over the wire, held against the schema of the items.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use sse_runtime::testing::{ReceivedEvent, TestClient};
use sse_runtime::{Api, EventError, EventWriter, Hub, Result, Sse, SseEvent, Topic, api, sse_route};
use utoipa::ToSchema;

use crate::validator::valid;

#[derive(Serialize, ToSchema)]
struct Part {
    name: String,
    parts: Option<Vec<Count>>,
}

#[derive(Serialize, ToSchema)]
struct Count(u32);

macro_rules! forms {
    ($($name:ident: $(#[$tag:meta])*),* $(,)?) => {
        $(
            #[derive(Serialize, SseEvent, ToSchema)]
            #[serde(rename_all = "kebab-case")]
            $(#[$tag])*
            enum $name {
                Queued,
                #[serde(skip)]
                #[allow(dead_code)]
                Internal,
                #[sse(name = "another")]
                HalfWay { percent: Option<u8>, #[serde(rename = "of")] parts: Vec<Part> },
                #[serde(rename = "whole", rename_all = "UPPERCASE")]
                Done { part: Part, #[serde(flatten)] more: Part },
                Nothing {},
            }

            impl $name {
                async fn all(sse: &Sse<Self>) -> Result<()> {
                    let part = || Part { name: "a".to_owned(), parts: Some(vec![Count(1)]) };
                    sse.send(Self::Queued).await?;
                    sse.send(Self::HalfWay { percent: None, parts: vec![part()] }).await?;
                    sse.send(Self::HalfWay { percent: Some(50), parts: vec![] }).await?;
                    sse.send(Self::Done { part: part(), more: Part { parts: None, ..part() } }).await?;
                    sse.send(Self::Nothing {}).await?;
                    Ok(())
                }
            }
        )*
    };
}

forms! {
    ByTag: #[serde(tag = "type")],
    ByKey:,
    ByContent: #[serde(tag = "t", content = "c")],
}

#[sse_route("/by_tag")]
async fn by_tag(sse: Sse<ByTag>) -> Result<()> {
    ByTag::all(&sse).await
}

#[sse_route("/by_key", end = "over")]
async fn by_key(sse: Sse<ByKey>) -> Result<()> {
    ByKey::all(&sse).await
}

#[sse_route("/by_content", max_age = "1s", bare)]
async fn by_content(sse: Sse<ByContent>) -> Result<()> {
    ByContent::all(&sse).await
}

#[derive(Serialize, SseEvent, ToSchema)]
enum Light {
    Red,
    Green,
    Off,
}

#[sse_route("/lights", max_age = "1s")]
async fn lights(sse: Sse<Light>) -> Result<()> {
    for light in [Light::Red, Light::Green, Light::Off] {
        sse.send(light).await?;
    }
    std::future::pending().await
}

#[derive(Serialize, SseEvent, ToSchema)]
#[sse(name = "reading", id = "at", retry = "3s")]
struct Reading {
    at: u64,
    value: Option<f32>,
}

#[sse_route("/readings")]
async fn readings(sse: Sse<Reading>) -> Result<()> {
    sse.send(Reading { at: 1, value: None }).await?;
    sse.send(Reading { at: 2, value: Some(0.5) }).await?;
    Err("broken".into())
}

#[derive(Serialize, SseEvent, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tree {
    Leaf,
    #[schema(no_recursion)]
    Node {
        left: Box<Tree>,
        right: Option<Box<Tree>>,
    },
    #[sse(terminal)]
    Done,
}

#[sse_route("/trees")]
async fn trees(sse: Sse<Tree>) -> Result<()> {
    let node = Tree::Node { left: Box::new(Tree::Leaf), right: None };
    sse.send(Tree::Node { left: Box::new(node), right: Some(Box::new(Tree::Leaf)) }).await?;
    sse.send(Tree::Done).await?;
    Ok(())
}

/// Has a terminal event, and is ended otherwise.
#[sse_route("/felled")]
async fn felled(sse: Sse<Tree>) -> Result<()> {
    sse.send(Tree::Leaf).await?;
    sse.finish().await?;
    Ok(())
}

/// An event called as one of the runtime's.
#[derive(Serialize, SseEvent, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Build {
    Failure { code: u8 },
    End { code: u8 },
}

#[sse_route("/builds")]
async fn builds(sse: Sse<Build>) -> Result<()> {
    sse.send(Build::Failure { code: 1 }).await?;
    sse.send(Build::End { code: 2 }).await?;
    Err(sse_runtime::Error::from("broken").public("broken"))
}

/// What nobody knows the names of.
#[derive(ToSchema, Serialize)]
struct Foreign {
    count: u8,
}

impl SseEvent for Foreign {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.json(self)
    }
}

#[sse_route("/foreign")]
async fn foreign(sse: Sse<Foreign>) -> Result<()> {
    sse.send(Foreign { count: 1 }).await?;
    Err("broken".into())
}

#[sse_route("/news")]
async fn news(sse: Sse<Light>, State(news): State<Topic<Light>>) -> Result<()> {
    sse.follow(&news).await?;
    Ok(())
}

#[track_caller]
fn hold(api: &Api<Topic<Light>>, path: &str, events: &[ReceivedEvent]) {
    let document = serde_json::to_value(api.openapi()).expect("JSON");
    valid(&document);
    valid(&serde_json::to_value(api.client_openapi()).expect("JSON"));
    let stream = &document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"];
    let schema = json!({ "allOf": [stream["itemSchema"]], "components": document["components"] });
    // To most validators, what a text holds is a text.
    let items = [schema.clone(), opened(&schema)]
        .map(|schema| jsonschema::options().offline().build(&schema).expect("a schema"));
    for event in events {
        let data: Value = serde_json::from_str(&event.data).expect("JSON");
        for (items, data) in items.iter().zip([json!(event.data), data]) {
            let mut item = json!({ "event": event.name, "data": data });
            if let Some(id) = &event.id {
                item["id"] = json!(id);
            }
            if let Some(retry) = event.retry {
                item["retry"] = json!(retry.as_millis());
            }
            let mistakes: Vec<_> = items.iter_errors(&item).map(|error| error.to_string()).collect();
            assert!(mistakes.is_empty(), "{path} sent {item}, which is not as documented: {mistakes:#?}");
        }
    }
}

/// With the schema of what a text holds in place of the text's.
fn opened(schema: &Value) -> Value {
    match schema {
        Value::Array(schemas) => schemas.iter().map(opened).collect(),
        Value::Object(fields) => match fields.get("contentSchema") {
            Some(content) => opened(content),
            None => fields.iter().map(|(key, field)| (key.clone(), opened(field))).collect(),
        },
        other => other.clone(),
    }
}

fn all() -> (Api<Topic<Light>>, Topic<Light>) {
    let hub = Hub::in_memory().build();
    let api = api![by_tag, by_key, by_content, lights, readings, trees, felled, builds, foreign, news];
    (api, hub.topic("news"))
}

async fn sent(path: &str) -> Vec<ReceivedEvent> {
    let (api, topic) = all();
    let events = TestClient::new(Router::from(api).with_state(topic)).get(path).stream().await.rest().await;
    assert!(!events.is_empty());
    events
}

macro_rules! each {
    ($($test:ident: $path:literal $names:expr,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $test() {
                let events = sent($path).await;
                let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
                assert_eq!(names, $names);
                hold(&all().0, $path, &events);
            }
        )*
    };
}

each! {
    an_enum_with_a_tag_is_as_documented: "/by_tag" ["queued", "another", "another", "whole", "nothing"],
    an_enum_without_a_tag_is_as_documented: "/by_key" ["queued", "another", "another", "whole", "nothing", "over"],
    an_enum_with_tag_and_content_is_as_documented: "/by_content" ["queued", "another", "another", "whole", "nothing"],
    units_and_goodbye_are_as_documented: "/lights" ["Red", "Green", "Off", "sse-bye"],
    a_struct_and_a_failure_are_as_documented: "/readings" ["reading", "reading", "failure"],
    a_recursive_type_is_as_documented: "/trees" ["node", "done"],
    the_end_by_finish_is_documented_beside_a_terminal_event: "/felled" ["leaf", "end"],
    events_called_as_the_runtimes_are_as_documented: "/builds" ["failure", "end", "failure"],
    a_failure_among_events_without_known_names_is_as_documented: "/foreign" ["message", "failure"],
}

#[tokio::test(start_paused = true)]
async fn what_a_topic_brings_is_as_documented() {
    let (api, topic) = all();
    let client = TestClient::new(Router::from(all().0).with_state(topic.clone()));
    let mut stream = client.get("/news").last_event_id("0-99").stream().await;
    let mut events = stream.take(2).await;
    topic.publish(Light::Green).await.expect("it is published");
    events.push(stream.next().await);
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["sse-reset", "sse-open", "Green"]);
    hold(&api, "/news", &events);
    stream.silent_for(Duration::from_millis(1)).await;
}
