//! The example `who_may_listen`: what a browser sends by itself, what the page does where it sends nothing, and that
//! neither costs a number.

use serde_json::json;
use sse_tests::Example;

use crate::{cable::Cable, chromium::Chromium, page::Page};

/// Short names for what the sections show.
const SETUP: &str = "state = (id) => document.querySelector(`#${id} .state`).textContent;
    numbers = (id) => (document.querySelector(`#${id} output`).textContent.match(/[0-9]+/g) ?? []).map(Number);
    whole = (id) => numbers(id).every((n, i) => n === numbers(id)[0] + i);
    null";

async fn open(chromium: &Chromium, url: &str) -> Page {
    let page = chromium.open(url).await;
    page.run(SETUP).await;
    page
}

async fn log_in(page: &Page, id: &str, name: &str) {
    let form = format!("document.querySelector('#{id} form')");
    page.run(&format!("{form}.elements.name.value = '{name}'; {form}.requestSubmit(); null")).await;
    page.wait_until(&format!("state('{id}') === 'Hello, {name}'")).await;
    more_numbers(page, id).await;
}

async fn more_numbers(page: &Page, id: &str) {
    page.run(&format!("before = numbers('{id}').length; null")).await;
    page.wait_until(&format!("numbers('{id}').length >= before + 2")).await;
}

/// All numbers from the first to the last, each once.
async fn assert_whole(page: &Page, id: &str) {
    let numbers = page.run(&format!("numbers('{id}')")).await;
    assert_eq!(page.run(&format!("whole('{id}')")).await, true, "{numbers}");
}

#[tokio::test]
async fn a_cookie_is_sent_by_itself_and_a_logout_in_another_tab_ends_the_stream() {
    let example = Example::start("who_may_listen").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = open(&chromium, &cable.url("/")).await;
    page.wait_until("state('cookie') === 'Log in first'").await;

    log_in(&page, "cookie", "ada").await;
    assert_eq!(page.run("document.cookie").await, "", "the session is not for scripts");
    cable.cut();
    page.wait_until("state('cookie') === 'Reconnecting'").await;
    cable.mend();
    page.wait_until("state('cookie') === 'Hello, ada'").await;
    more_numbers(&page, "cookie").await;
    assert_whole(&page, "cookie").await;

    let other = open(&chromium, &cable.url("/")).await;
    other.wait_until("state('cookie') === 'Hello, ada'").await;
    other.run("document.querySelector('#cookie .end').click(); null").await;
    for page in [&page, &other] {
        page.wait_until("state('cookie') === 'Log in first'").await;
        assert_eq!(page.requests("/cookie/events").last(), Some(&Some(401)));
    }
}

#[tokio::test]
async fn each_connection_has_a_ticket_of_its_own_and_goes_on_where_the_last_one_was() {
    let example = Example::start("who_may_listen").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = open(&chromium, &cable.url("/")).await;

    log_in(&page, "ticket", "ada").await;
    cable.cut();
    page.wait_until("state('ticket') === 'Reconnecting'").await;
    cable.mend();
    page.wait_until("state('ticket') === 'Hello, ada'").await;
    more_numbers(&page, "ticket").await;
    assert_whole(&page, "ticket").await;

    let asked: Vec<_> = page.requested().into_iter().filter(|url| url.contains("/ticket/events?")).collect();
    let mut different = asked.clone();
    different.sort();
    different.dedup();
    assert!(asked.len() >= 2 && different.len() == asked.len(), "none was used twice: {asked:?}");
    assert!(!page.requests("/ticket/events").contains(&Some(401)), "the browser did not come back by itself");
    let tickets = asked.iter().filter_map(|url| url.split("ticket=").nth(1)?.split('&').next());
    for ticket in tickets {
        assert!(!example.printed().iter().any(|line| line.contains(ticket)), "it is in the log");
    }
}

#[tokio::test]
async fn a_token_that_ends_or_is_revoked_is_renewed_and_no_number_is_missed() {
    let example = Example::start("who_may_listen").await;
    let chromium = Chromium::launch().await;
    let page = open(&chromium, &example.url("/")).await;

    log_in(&page, "header", "ada").await;
    // The token ends after ten seconds, and the stream with it.
    page.wait_for_responses("/header/events", 2).await;
    page.wait_until("state('header') === 'Hello, ada'").await;
    more_numbers(&page, "header").await;
    let statuses = page.requests("/header/events");
    assert!(
        statuses.iter().all(|status| *status == Some(200)),
        "renewed before it was refused: {statuses:?}"
    );

    page.run("document.querySelector('#header .end').click(); null").await;
    page.wait_for_responses("/header/events", statuses.len() + 2).await;
    assert_eq!(page.requests("/header/events")[statuses.len()..], [Some(401), Some(200)]);
    page.wait_until("state('header') === 'Hello, ada'").await;
    more_numbers(&page, "header").await;
    assert_whole(&page, "header").await;
}

#[tokio::test]
async fn a_page_of_another_site_reads_nothing_even_if_its_name_is_this_machine() {
    let example = Example::start("who_may_listen").await;
    let port = example.address().port();
    // To the browser, `evil.test` is 127.0.0.1: what a page gets that makes its own name resolve to this machine.
    let chromium = Chromium::launch_resolving("evil.test").await;
    let page = chromium.open(&format!("http://evil.test:{port}/")).await;
    assert_eq!(page.run("location.origin").await, format!("http://evil.test:{port}"));
    let read = "fetch('/cookie/events').then(async (it) => [it.status, await it.text()])";
    let refused = page.run(read).await;
    assert_eq!(
        (&refused[0], refused[1].as_str().map(|text| text.contains("evil.test"))),
        (&json!(421), Some(true))
    );
    let closed = "new Promise((done) => {
        const source = new EventSource('/cookie/events');
        source.onmessage = source.onopen = () => done('open');
        source.onerror = () => source.readyState === EventSource.CLOSED && done('closed');
    })";
    assert_eq!(page.run(closed).await, "closed");
}
