//! The page of the example `tls_h2`: what a browser makes of a hundred streams, over HTTP/2 and over HTTP/1.1.

use std::time::{Duration, Instant};

use serde_json::json;
use sse_tests::Example;

use crate::chromium::Chromium;

/// What the cells of the open streams show, each number once.
const TICKS: &str = "[...new Set([...document.querySelectorAll('.open')].map(cell => cell.textContent))]";

/// The address of the page over TLS, as the example prints it.
async fn secure(example: &Example) -> String {
    let line = example.wait_for_line(|line| line.contains("https://")).await;
    line.split_once("listening on ").expect("an address").1.to_owned()
}

#[tokio::test]
async fn over_http_2_all_hundred_streams_share_one_connection() {
    let example = Example::start("tls_h2").await;
    let chromium = Chromium::launch_trusting().await;
    let page = chromium.open(&secure(&example).await).await;

    page.wait_until("element('open').textContent === '100 of 100'").await;
    assert_eq!(page.run("element('protocol').textContent").await, "HTTP/2");
    assert_eq!(page.run("element('connections').textContent").await, "1", "as the server counts them");
    assert_eq!(page.requests("/ticks"), [Some(200); 100]);
    for _ in 0..2 {
        page.run(&format!("before = String({TICKS}); null")).await;
        // Every stream has the next tick, and no stream another one.
        page.wait_until(&format!("{TICKS}.length === 1 && {TICKS}[0] > 0 && {TICKS}[0] !== before")).await;
    }
    page.wait_until("element('other').textContent.startsWith('answered')").await;
    assert_eq!(page.run("peers.size").await, 100);
}

#[tokio::test]
async fn over_http_1_six_streams_are_all_that_a_browser_opens() {
    let example = Example::start("tls_h2").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;

    page.wait_until("peers.size === 6").await;
    assert_eq!(page.run("element('protocol').textContent").await, "HTTP/1.1");
    for _ in 0..2 {
        page.run(&format!("before = String({TICKS}); null")).await;
        page.wait_until(&format!("{TICKS}.length === 1 && {TICKS}[0] > 0 && {TICKS}[0] !== before")).await;
        assert_eq!(page.run("element('open').textContent").await, "6 of 100");
        assert_eq!(page.run("element('connections').textContent").await, "6");
        assert_eq!(page.run("element('other').textContent").await, "waits for a connection");
    }
    let states = "[0, 1, 2].map(state => sources.filter(source => source.readyState === state).length)";
    assert_eq!(page.run(states).await, json!([94, 6, 0]), "the others wait and are not refused");

    page.run("[...peers.keys()].forEach(source => { source.close(); peers.delete(source); })").await;
    page.wait_until("peers.size === 6").await;
    assert_eq!(page.run(states).await, json!([88, 6, 6]));
}

#[tokio::test]
async fn a_shutdown_ends_the_streams_of_both_ports_with_a_last_event() {
    let mut example = Example::start("tls_h2").await;
    let chromium = Chromium::launch_trusting().await;
    let pages =
        [(chromium.open(&secure(&example).await).await, 100), (chromium.open(&example.url("/")).await, 6)];
    for (page, streams) in &pages {
        page.wait_until(&format!("peers.size === {streams}")).await;
        page.run(
            "byes = [];
             sources.forEach(source => source.addEventListener('sse-bye', ({ data }) => byes.push(data)));
             null",
        )
        .await;
    }

    let asked = Instant::now();
    assert!(example.terminate().await.success());
    assert!(asked.elapsed() < Duration::from_secs(4), "not cut, but ended: {:?}", asked.elapsed());
    for (page, streams) in &pages {
        page.wait_until("peers.size === 0").await;
        let bye = json!([r#"{"reason":"ServerShutdown"}"#]);
        assert_eq!(page.run("[...new Set(byes)]").await, bye);
        assert_eq!(page.run("byes.length").await, *streams);
    }
}
