//! The page of the example `htmx_dashboard`, with the htmx that it brings: events that are HTML, and what becomes of
//! the page when its stream ends, breaks, or is closed in the background.

use serde_json::json;
use sse_tests::{Example, get, get_with, post, within_limit};

use crate::{cable::Cable, chromium::Chromium, page::Page};

const NOTICES: &str = "[...htmx.find('#notices').children].map(line => line.textContent)";
/// A line that only a snapshot would take away.
const MARK: &str = "htmx.find('#service-0').dataset.marked = ''; null";
const IS_MARKED: &str = "'marked' in htmx.find('#service-0').dataset";

async fn wait_until_live(page: &Page) {
    page.wait_until("htmx.find('#state').textContent === 'Live'").await;
}

/// Writes in the form of the page, and waits for the form that comes back.
async fn write(page: &Page, text: &str) {
    page.run(&format!(
        "old = form;
         htmx.find('#text').value = {};
         form.requestSubmit()",
        json!(text)
    ))
    .await;
    page.wait_until("form !== old").await;
}

/// Somebody without a browser writes.
async fn write_elsewhere(example: &Example, text: &str) {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let written = post(example.address(), "/notices", &headers, &format!("text={text}")).await;
    assert_eq!(written.status(), 200);
}

#[tokio::test]
async fn what_one_window_changes_all_windows_show() {
    let example = Example::start("htmx_dashboard").await;
    let chromium = Chromium::launch().await;
    let first = chromium.open(&example.url("/")).await;
    wait_until_live(&first).await;
    first.wait_until("htmx.find('#open').textContent === '1'").await;
    // Another window: as a tab in the first one, it would send that to the background.
    let second = chromium.open_private(&example.url("/")).await;
    wait_until_live(&second).await;
    for page in [&first, &second] {
        page.wait_until("htmx.find('#open').textContent === '2'").await;
    }

    let payments = "htmx.find('#service-1').innerText.split(/\\s+/).join(' ')";
    for state in ["slow", "down", "up"] {
        // The button is a new one each time, from the last event.
        first.run("htmx.find('#service-1 button').click()").await;
        for page in [&first, &second] {
            page.wait_until(&format!("{payments} === 'Payments {state} Change'")).await;
        }
    }
    assert_eq!(second.run("document.querySelectorAll('#services li').length").await, 4);

    second.close().await;
    first.wait_until("htmx.find('#open').textContent === '1'").await;
}

#[tokio::test]
async fn what_users_write_stays_text_and_keeps_its_lines() {
    let example = Example::start("htmx_dashboard").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    wait_until_live(&page).await;

    let notices = [
        "<img src=x onerror=\"document.title='hit'\">",
        "one & two\nthree\n\nfour",
        "</li></hx-partial><hx-partial hx-target=\"#services\"></hx-partial>",
        "{open} 'quoted' \"twice\" &amp;",
    ];
    for (n, notice) in (1..).zip(notices) {
        write(&page, notice).await;
        page.wait_until(&format!("htmx.find('#notices').children.length === {n}")).await;
    }
    let newest_first: Vec<_> = notices.iter().rev().collect();
    // As it came in events, and as the server renders it.
    for _ in 0..2 {
        let shown = page.run(&format!("{NOTICES}.map(text => text.replaceAll('\\r', ''))")).await;
        assert_eq!(shown, json!(newest_first));
        assert_eq!(page.run("document.title").await, "Dashboard");
        assert_eq!(page.run("document.querySelectorAll('#services li').length").await, 4);
        assert_eq!(page.run("document.querySelectorAll('#notices li *').length").await, 0);
        page.go_to(&example.url("/")).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_notice_is_said_in_the_form_and_the_oldest_notices_go() {
    let example = Example::start("htmx_dashboard").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    wait_until_live(&page).await;
    let said = "htmx.find('[role=alert]').textContent";

    let long = format!("\n<b>{}", "x".repeat(280));
    write(&page, &long).await;
    assert_eq!(page.run(said).await, "A notice has 1 to 280 characters.");
    assert_eq!(page.run("htmx.find('#text').value").await, json!(long));
    write(&page, "short").await;
    assert_eq!(page.run(said).await, "");
    assert_eq!(page.run("htmx.find('#text').value").await, "");

    for n in 1..=10 {
        write_elsewhere(&example, &n.to_string()).await;
    }
    page.wait_until("htmx.find('#notices').firstElementChild.textContent === '10'").await;
    assert_eq!(page.run(NOTICES).await, json!(["10", "9", "8", "7", "6", "5", "4", "3", "2", "1"]));
}

#[tokio::test]
async fn after_a_lost_connection_and_in_the_background_nothing_is_missed() {
    let example = Example::start("htmx_dashboard").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&cable.url("/")).await;
    wait_until_live(&page).await;
    page.run(MARK).await;

    cable.cut();
    page.wait_until("htmx.find('#state').textContent === 'Connecting'").await;
    write_elsewhere(&example, "cut+1").await;
    write_elsewhere(&example, "cut+2").await;
    cable.mend();
    page.wait_until("htmx.find('#notices').children.length === 2").await;

    page.run(
        "closed = false; document.addEventListener('htmx:sse:after:connection', () => closed = false); null",
    )
    .await;
    let hide = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
             document.dispatchEvent(new Event('visibilitychange'))"
        )
    };
    page.run(&hide(true)).await;
    // Its own stream is gone: the next one to look counts itself alone.
    let position = within_limit("waiting for the stream to end", open_alone(&example)).await;
    write_elsewhere(&example, "hidden").await;
    assert_eq!(page.run("htmx.find('#notices').children.length").await, 2);
    page.run(&hide(false)).await;
    page.wait_until("htmx.find('#notices').children.length === 3").await;
    assert_eq!(page.run(NOTICES).await, json!(["hidden", "cut 2", "cut 1"]));
    assert_eq!(page.run(IS_MARKED).await, true, "it went on, and did not begin anew");

    let headers = [("last-event-id", position.as_str())];
    let mut back = get_with(example.address(), "/updates", &headers).await;
    let open = back.event().await.expect("a first event");
    assert!(open.data.contains("\"resumed\":true"), "{open:?}");
    let html = "<hx-partial hx-target=\"#notices\" hx-swap=\"afterbegin\"><li id=\"notice-3\">hidden</li>\n</hx-partial>";
    loop {
        let missed = back.event().await.expect("what was written since");
        assert_eq!(
            (missed.name.as_str(), missed.id.is_some()),
            ("message", true),
            "htmx swaps no other events"
        );
        if missed.data == html {
            break;
        }
    }
}

/// Waits until a stream opens while there is no other, and returns the id of its last event.
async fn open_alone(example: &Example) -> String {
    loop {
        let mut stream = get(example.address(), "/updates").await;
        let _open = stream.event().await.expect("a first event");
        let snapshot = stream.event().await.expect("a snapshot");
        if snapshot.data.contains("<hx-partial hx-target=\"#open\" hx-swap=\"innerHTML\">1</hx-partial>") {
            return snapshot.id.expect("an id");
        }
    }
}

#[tokio::test]
async fn a_restart_of_the_server_replaces_all_that_the_page_shows() {
    let mut example = Example::start("htmx_dashboard").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    wait_until_live(&page).await;
    write(&page, "of the old server").await;
    page.run("htmx.find('#service-0 button').click()").await;
    page.wait_until("document.querySelectorAll('.slow, #notices li').length === 2").await;

    let port = example.address().port();
    assert!(example.terminate().await.success());
    let _restarted = Example::start_on("htmx_dashboard", port).await;
    page.wait_until("document.querySelectorAll('.slow, #notices li').length === 0").await;
    wait_until_live(&page).await;
    write(&page, "of the new one").await;
    page.wait_until(&format!("String({NOTICES}) === 'of the new one'")).await;
}
