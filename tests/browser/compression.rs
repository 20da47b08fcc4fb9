//! A compressed stream in a browser: its `EventSource` decompresses what has come, and waits for nothing more.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::json;
use sse_runtime::{Compression, Result, Sse, listen, routes, serve, sse_route};
use tokio::sync::Semaphore;

use crate::chromium::Chromium;

#[sse_route("/steps", end = "end")]
async fn steps(sse: Sse, State(allowed): State<Arc<Semaphore>>) -> Result<()> {
    for n in 0..8 {
        allowed.acquire().await?.forget();
        // From the third on, a compressor is at work.
        sse.send(format!("step {n} {}", "and more ".repeat(n * 50))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_event_of_a_compressed_stream_is_shown_when_it_is_sent() {
    let allowed = Arc::new(Semaphore::new(0));
    let streams: Router<Arc<Semaphore>> = routes![steps];
    let app = streams
        .layer(Compression::new())
        .route("/page", get(|| async { "" }))
        .with_state(Arc::clone(&allowed));
    let listener = listen("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(listener, app).into_future());

    let chromium = Chromium::launch().await;
    let page = chromium.open_blank(&format!("http://{address}/page")).await;
    page.run(
        "seen = [];
         source = new EventSource('/steps');
         source.onmessage = (event) => seen.push(event.data);
         null",
    )
    .await;
    for n in 0..8 {
        allowed.add_permits(1);
        page.wait_until(&format!("seen.length === {n} + 1")).await;
    }
    let numbers = page.run("seen.map((data) => data.split(' ')[1]).join()").await;
    assert_eq!(numbers, "0,1,2,3,4,5,6,7");
    page.wait_until("source.readyState === EventSource.CLOSED").await;
    assert_eq!(page.requests("/steps"), [Some(200), Some(204)]);
    let coding = "fetch('/steps').then(({ headers }) => headers.get('content-encoding'))";
    assert_eq!(page.run(coding).await, json!("gzip"));
}
