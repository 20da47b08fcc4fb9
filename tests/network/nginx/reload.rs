//! nginx that reads its configuration again.

use std::time::Duration;

use sse_runtime::DisconnectReason;
use sse_tests::within_limit;

use super::client::Protocol;
use super::ways::{Site, Way};

#[tokio::test]
async fn open_streams_stay_with_the_old_worker_and_go_on() {
    let site = Site::start().await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let way = Way { location: Some("readme"), protocol, packed: false };
        site.app.step();
        let (_client, mut events) = site.get(way, "/steps", &[]).await;
        assert!(events.line().await.starts_with("data: step 0 "));
        let old = events.header("x-worker").to_owned();

        site.nginx.reload();
        let taken_over = async {
            while site.get(way, "/steps", &[("last-event-id", "sse-end")]).await.1.header("x-worker") == old {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within_limit("a new worker", taken_over).await;
        for n in 1..4 {
            site.app.step();
            assert!(events.line().await.starts_with(&format!("data: step {n} ")));
        }
        drop(events);
        assert_eq!(site.app.gone().await, DisconnectReason::ClientClosed);
    }
}
