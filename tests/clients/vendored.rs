//! What the examples bring of others is what these others have published.

use sse_tests::node;

#[tokio::test]
async fn libraries_beside_the_examples_are_those_of_their_packages() {
    assert_eq!(node("vendored.mjs", &[]).await, ["htmx.min.js", "hx-sse.min.js", "turbo.es2017-esm.js"]);
}
