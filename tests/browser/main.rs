//! The examples in a real browser: what its `EventSource` makes of our streams, of a restart, of the end
//! and of a closed tab.

mod ai_ui;
mod cable;
mod chromium;
mod compression;
mod cors;
mod docs;
mod htmx_dashboard;
mod hypermedia;
mod inspector;
mod job_progress;
mod long_export;
#[path = "../network/nginx/program.rs"]
#[allow(dead_code, reason = "this needs less of it than the tests of proxies")]
mod nginx;
mod notifications;
mod page;
#[path = "../servers/process.rs"]
#[allow(dead_code, reason = "this needs less of it than the tests of engines")]
mod process;
mod quiz;
mod resumable_chat;
#[path = "../sample.rs"]
mod sample;
mod scores;
mod sensors;
#[path = "../servers/server/mod.rs"]
#[allow(dead_code, unused_imports, reason = "this needs less of it than the tests of engines")]
mod server;
mod sse_client;
mod sse_client_sending;
mod stocks;
mod tls_h2;
mod who_may_listen;

use std::time::{Duration, Instant};

use chromium::Chromium;
use serde_json::json;
use sse_tests::Example;

#[tokio::test]
async fn the_quickstart_page_shows_each_event_newest_first() {
    let example = Example::start("quickstart").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;

    page.wait_until("events.children.length >= 3").await;
    assert_eq!(page.run("state.textContent").await, "Connected");
    let ticks =
        page.run("[...events.children].map(line => line.firstChild.data).reverse().slice(0, 3)").await;
    assert_eq!(ticks, json!(["tick 1", "tick 2", "tick 3"]));
}

#[tokio::test]
async fn a_closed_tab_is_noticed_within_a_second() {
    let example = Example::start("quickstart").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    page.wait_until("events.children.length >= 1").await;
    assert!(!example.printed().iter().any(|line| line.contains("ClientClosed")));

    let closed = Instant::now();
    page.close().await;
    example.wait_for_line(|line| line.contains("ClientClosed")).await;
    assert!(closed.elapsed() < Duration::from_secs(1), "after {:?}", closed.elapsed());
}

#[tokio::test]
async fn a_restart_of_the_server_loses_no_message_and_repeats_none() {
    let mut example = Example::start("messages").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open_blank(&example.url("/page")).await;
    page.run(
        "ids = [];
         source = new EventSource('/stream');
         source.addEventListener('new_message', event => ids.push(Number(event.lastEventId)));
         null",
    )
    .await;
    page.wait_until("ids.length >= 2").await;

    let port = example.address().port();
    assert!(example.terminate().await.success());
    let before = page.run("ids.length").await.as_u64().expect("a number");
    let restarted = Example::start_on("messages", port).await;
    page.wait_until(&format!("ids.length >= {} + 2", before + 1)).await;

    let ids = page.run("ids").await;
    let in_order: Vec<usize> = (1..=ids.as_array().expect("a list").len()).collect();
    assert_eq!(ids, json!(in_order));
    assert!(page.requests("/stream").len() >= 2);
    assert_eq!(restarted.address().port(), port);
}

#[tokio::test]
async fn the_status_page_fills_its_bar_and_stays_closed_after_the_end() {
    let example = Example::start("status").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/?param1=export")).await;

    page.wait_until("element('bar').value > 0 && element('bar').value < 100").await;
    assert_eq!(page.run("element('state').textContent").await, "Running");
    page.wait_until("element('state').textContent === 'Done'").await;
    assert_eq!(page.run("element('bar').value").await, 100);
    assert_eq!(page.run("source.readyState === EventSource.CLOSED").await, true);
    assert_eq!(page.requests("/status/stream"), [Some(200)]);
}

#[tokio::test]
async fn a_page_that_reconnects_after_the_end_is_told_to_stop() {
    let example = Example::start("long_task").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open_blank(&example.url("/page")).await;
    page.run(
        "results = 0;
         source = new EventSource('/reports/2025');
         source.addEventListener('result', () => results += 1);
         null",
    )
    .await;

    page.wait_until("results === 1").await;
    page.wait_until("source.readyState === EventSource.CLOSED").await;
    assert_eq!(page.run("results").await, 1);
    assert_eq!(page.requests("/reports/2025"), [Some(200), Some(204)]);
}
