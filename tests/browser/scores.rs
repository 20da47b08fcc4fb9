//! The page of the example `scores`: what a late visitor sees, and what a reload, a lost connection and a restart do.

use sse_tests::{Example, get};

use crate::{cable::Cable, chromium::Chromium, page::Page};

/// The first match of the list was over before the server began, so no event ever tells of it.
const OVER: &str = "rows.rows[0].innerText.split(/\\s+/).join(' ') === 'Final Harbour 3 : 2 Old Mill'";

/// Waits until the page shows a match that has changed since now.
async fn wait_for_a_change(page: &Page) {
    page.run("before = rows.innerText; null").await;
    page.wait_until("rows.innerText !== before").await;
}

#[tokio::test]
async fn who_opens_the_page_late_sees_the_whole_table_then_each_change_and_again_after_a_reload() {
    let example = Example::start("scores").await;
    let mut early = get(example.address(), "/scores").await;
    for _ in 0..10 {
        early.event().await.expect("matches go on");
    }
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    for visit in 1..=2 {
        page.wait_until("rows.rows.length === 6").await;
        assert_eq!(page.run(OVER).await, true, "{}", page.run("rows.innerText").await);
        assert_eq!(page.run("element('state').textContent").await, "Live");
        wait_for_a_change(&page).await;
        assert_eq!(page.run("rows.rows.length").await, 6);
        assert_eq!(page.requests("/scores").len(), visit);
        page.go_to(&example.url("/")).await;
    }
}

#[tokio::test]
async fn a_lost_connection_costs_no_news_and_needs_no_second_table() {
    let example = Example::start("scores").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&cable.url("/")).await;
    page.wait_until("rows.rows.length === 6").await;
    wait_for_a_change(&page).await;
    // It would come back with a snapshot only.
    page.run("rows.rows[0].remove(); null").await;

    cable.cut();
    page.wait_until("element('state').textContent === 'Reconnecting'").await;
    page.run(
        "source.addEventListener('sse-open', ({ data }) => resumed = JSON.parse(data).resumed);
         null",
    )
    .await;
    cable.mend();
    page.wait_until("element('state').textContent === 'Live'").await;
    wait_for_a_change(&page).await;
    assert_eq!(page.run("resumed && rows.rows.length === 5").await, true);
}

#[tokio::test]
async fn a_restart_of_the_server_replaces_the_table() {
    let mut example = Example::start("scores").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    page.wait_until("rows.rows.length === 6").await;
    wait_for_a_change(&page).await;
    page.run("rows.insertRow().textContent = 'a match of the old server'; null").await;

    let port = example.address().port();
    assert!(example.terminate().await.success());
    let _restarted = Example::start_on("scores", port).await;
    page.wait_until("element('state').textContent === 'Live, loaded anew (epoch)'").await;
    page.wait_until("rows.rows.length === 6").await;
    assert_eq!(page.run(OVER).await, true, "{}", page.run("rows.innerText").await);
}

/// The kernel and the browser buffer so much that no browser falls behind a stream of a few events a second: the
/// event is made in the page.
#[tokio::test]
async fn a_gap_makes_the_page_ask_for_the_table_again() {
    let example = Example::start("scores").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    page.wait_until("rows.rows.length === 6").await;

    page.run(
        "first = source;
         source.dispatchEvent(new MessageEvent('sse-gap', { data: JSON.stringify({ missed: 12 }) }));
         null",
    )
    .await;
    page.wait_until("element('state').textContent === 'Live, loaded anew (12 events missed)'").await;
    page.wait_until("rows.rows.length === 6").await;
    assert_eq!(page.run("first.readyState === EventSource.CLOSED").await, true);
    assert_eq!(page.requests("/scores"), [Some(200), Some(200)]);
}
