//! The page of the example `stocks`: many tabs on one stream, one tab without a shared worker, and what both do when
//! the stream begins anew.

use serde_json::{Value, json};
use sse_tests::{Example, get, within_limit};

use crate::{chromium::Chromium, page::Page};

/// More tabs than a browser opens connections to one server.
const TABS: usize = 8;

async fn subscribers(example: &Example) -> Value {
    let stats = get(example.address(), "/stats").await.rest().await;
    let mut stats: Value = serde_json::from_str(&stats).expect("JSON");
    stats["subscribers"].take()
}

/// Waits until the page has heard of a new price, shown or not.
async fn wait_for_news(page: &Page) {
    let newest = "[...stocks.values()].map(stock => stock.prices.at(-1)).join()";
    page.run(&format!("before = {newest}; null")).await;
    page.wait_until(&format!("{newest} !== before")).await;
}

/// Waits until the page has drawn a new price.
async fn wait_for_a_tick(page: &Page) {
    page.show().await;
    page.run("before = element('stocks').innerText; null").await;
    page.wait_until("element('stocks').innerText !== before").await;
}

#[tokio::test]
async fn all_tabs_tick_on_one_stream_and_leave_the_browser_its_connections() {
    let example = Example::start("stocks").await;
    let chromium = Chromium::launch().await;
    let mut tabs = Vec::new();
    for _ in 0..TABS {
        let tab = chromium.open(&example.url("/")).await;
        tab.wait_until("element('stocks').children.length === 50").await;
        tabs.push(tab);
    }
    for tab in &tabs {
        wait_for_news(tab).await;
        assert_eq!(tab.run("element('state').textContent").await, "Live");
        assert_eq!(tab.run("element('tabs').textContent").await, format!("{TABS} tabs on one stream"));
        assert_eq!(tab.requests("/prices"), [], "the worker asks, not the tab");
    }
    for tab in &tabs {
        wait_for_a_tick(tab).await;
    }
    assert_eq!(subscribers(&example).await, 50, "one stream, of 50 topics");
    let last = tabs.pop().expect("a tab");
    assert_eq!(last.run("fetch('/stats').then(response => response.status)").await, 200);

    last.close().await;
    let left = format!("{} tabs on one stream", TABS - 1);
    tabs[0].wait_until(&format!("element('tabs').textContent === '{left}'")).await;
    wait_for_news(&tabs[0]).await;
    for tab in tabs {
        tab.close().await;
    }
    within_limit("waiting for the worker to end", async { while subscribers(&example).await != 0 {} }).await;
}

#[tokio::test]
async fn without_a_shared_worker_the_tab_has_a_stream_of_its_own() {
    let example = Example::start("stocks").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open_after("delete window.SharedWorker", &example.url("/")).await;
    page.wait_until("element('stocks').children.length === 50").await;
    wait_for_a_tick(&page).await;
    assert_eq!(page.requests("/prices"), [Some(200)]);
    assert_eq!(subscribers(&example).await, 50);

    // Each price is added once, though the feed and the page are in one place.
    page.run(
        "told = [];
         price = take.price;
         take.price = message => { if (message.symbol === 'OPAL') told.push(message.price); price(message); };
         null",
    )
    .await;
    page.wait_until("told.length >= 3").await;
    assert_eq!(
        page.run("JSON.stringify(stocks.get('OPAL').prices.slice(-told.length)) === JSON.stringify(told)")
            .await,
        true
    );
}

#[tokio::test]
async fn who_joins_gets_a_chart_at_once_and_can_choose_another() {
    let example = Example::start("stocks").await;
    let chromium = Chromium::launch().await;
    let points = "element('chart').querySelector('polyline').getAttribute('points')";
    for _ in 0..2 {
        // The second tab gets from the worker what the first one got from the server.
        let page = chromium.open(&example.url("/?symbols=OPAL,ZINC")).await;
        page.wait_until(
            "element('stocks').children.length === 2 && element('symbol').textContent === 'OPAL'",
        )
        .await;
        assert_eq!(page.run(&format!("{points}.split(' ').length")).await, 120);
        page.run("[...document.querySelectorAll('button')].at(-1).click()").await;
        page.wait_until("element('symbol').textContent === 'ZINC'").await;
        let pressed = "[...document.querySelectorAll('button')].map(button => button.ariaPressed)";
        assert_eq!(page.run(pressed).await, json!(["false", "true"]));
        page.run(&format!("before = {points}; null")).await;
        page.wait_until(&format!("before !== {points}")).await;
    }
    assert_eq!(subscribers(&example).await, 2);

    let other = chromium.open(&example.url("/?symbols=OPAL")).await;
    other.wait_until("element('stocks').children.length === 1").await;
    assert_eq!(subscribers(&example).await, 3, "other stocks are another stream");
    let unknown = chromium.open(&example.url("/?symbols=NONE")).await;
    unknown
        .wait_until("element('state').textContent === 'Refused by the server: is there such a stock?'")
        .await;
}

#[tokio::test]
async fn a_restart_of_the_server_replaces_all_prices_in_all_tabs() {
    let mut example = Example::start("stocks").await;
    let chromium = Chromium::launch().await;
    let tabs = [chromium.open(&example.url("/")).await, chromium.open(&example.url("/")).await];
    for tab in &tabs {
        wait_for_a_tick(tab).await;
        // It would stay if the page kept what it has.
        tab.run("newButton('OLD'); null").await;
    }

    let port = example.address().port();
    assert!(example.terminate().await.success());
    let restarted = Example::start_on("stocks", port).await;
    for tab in &tabs {
        tab.wait_until("element('state').textContent === 'Live, loaded anew (epoch)'").await;
        tab.wait_until("element('stocks').children.length === 50").await;
        wait_for_a_tick(tab).await;
    }
    assert_eq!(subscribers(&restarted).await, 50);
}
