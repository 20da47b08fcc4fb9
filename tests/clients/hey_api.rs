//! hey-api: a TypeScript client, generated from the OpenAPI document, whose stream has the types of our events.

use sse_tests::node;

use crate::sample;

#[tokio::test]
async fn a_generated_client_narrows_each_event_by_its_type() {
    let (address, steps) = sample::start().await;
    steps.allow(3);
    let printed = node("hey_api/main.mjs", &[&format!("http://{address}/openapi.client.json")]).await;
    assert_eq!(
        printed,
        [
            "event progress, id 25",
            "25.0 %, READING",
            "event progress, id 75",
            "75.0 %, WRITING",
            "event done, id sse-end",
            "done, see /results/7",
        ]
    );
}
