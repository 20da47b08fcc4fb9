//! The pages of the example `hypermedia`, with the Turbo and the Datastar that it brings: both fed by streams of one
//! server, over lost connections and a restart.

use serde_json::{Value, json};
use sse_tests::{Example, get};

use crate::{cable::Cable, chromium::Chromium, page::Page};

/// What a page shows: each choice with its votes.
const SHOWN: &str = "[...document.querySelectorAll('#choices li')].map(line => \
                     `${line.querySelector('span').textContent}: ${line.querySelector('b').textContent}`)";
const PROBLEM: &str = "document.querySelector('[role=alert]').textContent";

async fn wait_for_shown(page: &Page, choices: &[&str]) {
    page.wait_until(&format!("JSON.stringify({SHOWN}) === JSON.stringify({})", json!(choices))).await;
}

/// Clicks, and waits until the page has sent its request and has been answered.
async fn vote(page: &Page, n: usize) {
    let before = page.requests("/vote/").len();
    page.run(&format!("document.querySelectorAll('#choices button')[{n}].click()")).await;
    page.wait_for_responses("/vote/", before + 1).await;
}

/// Types a choice, as a user does, and sends the form.
async fn add(page: &Page, text: &str) {
    let typed = json!(text);
    page.run(&format!(
        "field = document.querySelector('#form input');
         field.value = {typed};
         field.dispatchEvent(new Event('input', {{ bubbles: true }}));
         document.getElementById('form').requestSubmit()"
    ))
    .await;
}

/// A page of each library, in windows of their own: Datastar closes its stream in the background.
async fn both(chromium: &Chromium, url: impl Fn(&str) -> String) -> [Page; 2] {
    let turbo = chromium.open_private(&url("/turbo")).await;
    let datastar = chromium.open_private(&url("/datastar")).await;
    for page in [&turbo, &datastar] {
        wait_for_shown(page, &["Tea: 0", "Coffee: 0"]).await;
    }
    for (page, stream) in [(&turbo, "/turbo/updates"), (&datastar, "/datastar/updates")] {
        page.wait_for_responses(stream, 1).await;
    }
    [turbo, datastar]
}

#[tokio::test]
async fn votes_and_choices_of_each_page_reach_both() {
    let example = Example::start("hypermedia").await;
    let chromium = Chromium::launch().await;
    let pages = both(&chromium, |path| example.url(path)).await;
    let [turbo, datastar] = &pages;

    vote(turbo, 0).await;
    vote(datastar, 1).await;
    vote(datastar, 1).await;
    for page in &pages {
        wait_for_shown(page, &["Tea: 1", "Coffee: 2"]).await;
    }

    add(turbo, "<img src=x onerror='hit = true'>").await;
    let third = "<img src=x onerror='hit = true'>: 0";
    for page in &pages {
        wait_for_shown(page, &["Tea: 1", "Coffee: 2", third]).await;
    }
    add(datastar, "Mate & 'more' $text {choices}").await;
    for page in &pages {
        wait_for_shown(page, &["Tea: 1", "Coffee: 2", third, "Mate & 'more' $text {choices}: 0"]).await;
    }
    // What came with an event is alive: its button votes, and its votes change.
    vote(turbo, 3).await;
    vote(datastar, 3).await;
    for page in &pages {
        wait_for_shown(page, &["Tea: 1", "Coffee: 2", third, "Mate & 'more' $text {choices}: 2"]).await;
        assert_eq!(page.run("document.querySelectorAll('#choices span *').length").await, 0);
        assert_eq!(page.run("typeof hit").await, "undefined");
        assert_eq!(page.run("document.querySelector('#form input').value").await, "");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_choice_is_said_where_it_was_typed() {
    let example = Example::start("hypermedia").await;
    let chromium = Chromium::launch().await;
    let long = "x".repeat(41);
    for page in &both(&chromium, |path| example.url(path)).await {
        add(page, &long).await;
        page.wait_until(&format!("{PROBLEM} === 'A choice is one line of 1 to 40 characters.'")).await;
        assert_eq!(page.run("document.querySelector('#form input').value").await, json!(long));
        add(page, "short").await;
        page.wait_until(&format!("{PROBLEM} === ''")).await;
        page.wait_until("document.querySelector('#form input').value === ''").await;
    }
}

#[tokio::test]
async fn a_lost_connection_costs_neither_page_anything() {
    let example = Example::start("hypermedia").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let pages = both(&chromium, |path| cable.url(path)).await;
    let elsewhere = chromium.open_private(&example.url("/turbo")).await;
    vote(&elsewhere, 0).await;
    for page in &pages {
        wait_for_shown(page, &["Tea: 1", "Coffee: 0"]).await;
        // All choices anew would take the mark away.
        page.run("document.querySelector('#choices li').dataset.marked = ''; null").await;
    }

    cable.cut();
    vote(&elsewhere, 1).await;
    add(&elsewhere, "Water").await;
    wait_for_shown(&elsewhere, &["Tea: 1", "Coffee: 1", "Water: 0"]).await;
    for page in &pages {
        assert_eq!(page.run(SHOWN).await, json!(["Tea: 1", "Coffee: 0"]));
    }
    cable.mend();
    for page in &pages {
        wait_for_shown(page, &["Tea: 1", "Coffee: 1", "Water: 0"]).await;
        assert_eq!(page.run("'marked' in document.querySelector('#choices li').dataset").await, true);
    }
}

#[tokio::test]
async fn after_a_restart_of_the_server_both_pages_begin_anew() {
    let mut example = Example::start("hypermedia").await;
    let chromium = Chromium::launch().await;
    let pages = both(&chromium, |path| example.url(path)).await;
    add(&pages[0], "Water").await;
    vote(&pages[1], 0).await;
    for page in &pages {
        wait_for_shown(page, &["Tea: 1", "Coffee: 0", "Water: 0"]).await;
    }

    let port = example.address().port();
    assert!(example.terminate().await.success());
    let _restarted = Example::start_on("hypermedia", port).await;
    for page in &pages {
        wait_for_shown(page, &["Tea: 0", "Coffee: 0"]).await;
    }
    vote(&pages[1], 1).await;
    for page in &pages {
        wait_for_shown(page, &["Tea: 0", "Coffee: 1"]).await;
    }
}

#[tokio::test]
async fn each_library_gets_the_events_that_it_reads() {
    let example = Example::start("hypermedia").await;
    let chromium = Chromium::launch().await;
    let mut streams = Vec::new();
    for path in ["/turbo/updates", "/datastar/updates"] {
        let mut stream = get(example.address(), path).await;
        assert_eq!(stream.event().await.expect("a first event").name, "sse-open");
        streams.push(stream);
    }
    let [turbo, datastar] = &mut streams[..] else { panic!("two streams") };
    let all = turbo.event().await.expect("all choices");
    assert_eq!((all.name.as_str(), all.data.matches("<li>").count()), ("message", 2), "{all:?}");
    let votes = datastar.event().await.expect("all votes");
    let signals: Value =
        serde_json::from_str(votes.data.strip_prefix("signals ").expect("signals")).expect("JSON");
    assert_eq!(
        (votes.name.as_str(), signals),
        ("datastar-patch-signals", json!({ "votes": { "of0": 0, "of1": 0 } }))
    );
    let all = datastar.event().await.expect("all choices");
    assert_eq!(all.name, "datastar-patch-elements");
    assert_eq!(
        all.data.lines().take(3).collect::<Vec<_>>(),
        ["mode inner", "selector #choices", "elements <li>"]
    );
    assert!(all.data.lines().skip(2).all(|line| line.starts_with("elements ")), "{all:?}");

    let page = chromium.open(&example.url("/turbo")).await;
    vote(&page, 1).await;
    let counted = turbo.event().await.expect("a vote");
    let html = "<turbo-stream action=\"update\" target=\"votes-1\"><template>1</template></turbo-stream>";
    assert_eq!((counted.name.as_str(), counted.data.as_str()), ("message", html));
    let counted = datastar.event().await.expect("a vote");
    let signals = "signals {\"votes\":{\"of1\":1}}";
    assert_eq!((counted.name.as_str(), counted.data.as_str()), ("datastar-patch-signals", signals));
}
