//! Types, operations and paths of the same name, and where routes are mounted.

use axum::Router;
use serde::Serialize;
use serde_json::{Value, json};
use sse_runtime::testing::TestClient;
use sse_runtime::{Api, Result, Sse, SseEvent, api, sse_route};
use utoipa::ToSchema;

use crate::validator::valid;

mod builds {
    use super::*;

    #[derive(Serialize, ToSchema)]
    pub(crate) struct Report {
        pub(crate) warnings: u32,
    }

    #[derive(Serialize, SseEvent, ToSchema)]
    #[serde(tag = "type", rename_all = "snake_case")]
    pub(crate) enum JobEvent {
        Built { report: Report },
    }

    #[sse_route("/builds")]
    pub(crate) async fn events(sse: Sse<JobEvent>) -> Result<()> {
        sse.send(JobEvent::Built { report: Report { warnings: 0 } }).await?;
        Ok(())
    }
}

mod exports {
    use super::*;

    #[derive(Serialize, ToSchema)]
    pub(crate) struct Report {
        pub(crate) url: String,
    }

    #[derive(Serialize, SseEvent, ToSchema)]
    #[serde(tag = "type", rename_all = "snake_case")]
    pub(crate) enum JobEvent {
        Exported { report: Report },
    }

    #[sse_route("/exports")]
    pub(crate) async fn events(sse: Sse<JobEvent>) -> Result<()> {
        sse.send(JobEvent::Exported { report: Report { url: String::new() } }).await?;
        Ok(())
    }

    #[sse_route("/more_exports")]
    pub(crate) async fn more(sse: Sse<JobEvent>) -> Result<()> {
        sse.send(JobEvent::Exported { report: Report { url: String::new() } }).await?;
        Ok(())
    }
}

/// The schema that a path's stream refers to, and that of the report in it.
fn reports(document: &Value, path: &str) -> (Value, Value) {
    let follow = |schema: &Value| {
        let reference = schema["$ref"].as_str().expect("a reference");
        document.pointer(reference.trim_start_matches('#')).expect("it is there").clone()
    };
    let stream = &document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"];
    let union = follow(&stream["schema"]);
    let report = follow(&union["oneOf"][0]["properties"]["report"]);
    (union["oneOf"][0]["properties"]["type"]["enum"][0].clone(), report["properties"].clone())
}

#[test]
fn types_of_one_name_in_two_modules_are_two_components() {
    let api: Api = api![builds::events, exports::events, exports::more];
    let [document, clients] =
        [api.openapi(), api.client_openapi()].map(|document| serde_json::to_value(document).expect("JSON"));
    valid(&document);
    valid(&clients);
    let (name, report) = reports(&clients, "/builds");
    assert_eq!((name, report["warnings"]["type"].clone()), (json!("built"), json!("integer")));
    for path in ["/exports", "/more_exports"] {
        let (name, report) = reports(&clients, path);
        assert_eq!((name, report["url"]["type"].clone()), (json!("exported"), json!("string")));
    }
    let names: Vec<_> = clients["components"]["schemas"].as_object().expect("schemas").keys().collect();
    assert_eq!(names, ["JobEvent", "JobEvent2", "Report", "Report2"]);
    let items = &document["paths"]["/exports"]["get"]["responses"]["200"]["content"]["text/event-stream"]["itemSchema"]
        ["oneOf"];
    let data = &items[0]["properties"]["data"]["contentSchema"];
    assert_eq!(data["properties"]["report"]["$ref"], "#/components/schemas/Report2");
}

#[sse_route("/chat", methods = ["GET", "POST"])]
async fn chat(sse: Sse) -> Result<()> {
    sse.send("a").await?;
    Ok(())
}

#[sse_route("/chat/post")]
async fn chat_post(sse: Sse) -> Result<()> {
    sse.send("a").await?;
    Ok(())
}

#[test]
fn an_operation_of_several_methods_takes_no_name_of_another() {
    let apis: [Api; 2] = [api![chat, chat_post], api![chat_post, chat]];
    for api in apis {
        valid(&serde_json::to_value(api.openapi()).expect("JSON"));
    }
}

#[sse_route("/")]
async fn root(sse: Sse) -> Result<()> {
    sse.send("a").await?;
    Ok(())
}

#[sse_route("/ticks", methods = ["GET"])]
async fn get_ticks(sse: Sse) -> Result<()> {
    sse.send("a").await?;
    Ok(())
}

#[sse_route("/ticks", methods = ["POST", "PUT"])]
async fn put_ticks(sse: Sse) -> Result<()> {
    sse.send("a").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_nested_route_is_documented_where_it_is() {
    for prefix in ["/v1", "/v1/"] {
        let api: Api = api![root, get_ticks, put_ticks].nest(prefix);
        let document = serde_json::to_value(api.openapi()).expect("JSON");
        valid(&document);
        let client = TestClient::new(Router::from(api));
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in item.as_object().expect("operations").keys() {
                let method = method.to_uppercase().parse().expect("a method");
                let status = client.request(method, path).response().await.status;
                assert_eq!(status, 200, "nested at {prefix}: {path}");
            }
        }
    }
}

#[test]
fn a_parameter_of_the_place_where_routes_are_nested_is_documented() {
    let api: Api = api![get_ticks, put_ticks].nest("/tenants/{tenant}");
    let document = serde_json::to_value(api.openapi()).expect("JSON");
    valid(&document);
    assert!(document["paths"]["/tenants/{tenant}/ticks"].is_object());
}
