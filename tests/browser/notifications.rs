//! The page of the example `notifications`: who sees what, and what becomes of it over a lost connection.

use serde_json::{Value, json};
use sse_tests::{Example, post};

use crate::{cable::Cable, chromium::Chromium, page::Page};

/// What the page shows, oldest first.
const SHOWN: &str = "[...list.children].reverse().map(line => \
                     `${line.querySelector('b').textContent}: ${line.querySelector('p').textContent}`)";

async fn log_in(page: &Page, name: &str) {
    page.run(&format!("element('name').value = '{name}'; null")).await;
    page.leave_by("login.requestSubmit()").await;
    page.wait_until(&format!("document.body.dataset.user === '{name}'")).await;
    page.wait_until("element('state').textContent === 'Connected'").await;
}

/// Writes in the form of the page and waits until it says that it is sent.
async fn send(page: &Page, to: &str, text: &str) {
    let write = format!("element('to').value = '{to}'; element('text').value = '{text}'; null");
    page.run(&write).await;
    page.run("element('outcome').textContent = ''; letter.requestSubmit()").await;
    page.wait_until(&format!("element('outcome').textContent === 'Sent to {to}'")).await;
}

async fn wait_for_shown(page: &Page, count: usize) -> Value {
    page.wait_until(&format!("list.children.length >= {count}")).await;
    page.run(SHOWN).await
}

/// Somebody who writes to bob without a browser.
struct Friend {
    cookie: String,
}

impl Friend {
    async fn of_bob(example: &Example) -> Self {
        let welcome = post(example.address(), "/login", &[], "name=friend").await;
        let cookie = welcome.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        Self { cookie: cookie.expect("a session").to_owned() }
    }

    async fn writes(&self, example: &Example, text: &str) {
        let headers = [("cookie", self.cookie.as_str())];
        let sent = post(example.address(), "/notify", &headers, &format!("to=bob&text={text}")).await;
        assert_eq!(sent.status(), 204);
    }
}

#[tokio::test]
async fn two_users_see_their_own_notifications_only() {
    let example = Example::start("notifications").await;
    let chromium = Chromium::launch().await;
    let ada = chromium.open_private(&example.url("/")).await;
    let bob = chromium.open_private(&example.url("/")).await;
    assert_eq!(ada.run("source === ''").await, true, "nobody listens before the login");
    log_in(&ada, "ada").await;
    log_in(&bob, "bob").await;

    send(&ada, "bob", "for bob 1").await;
    send(&bob, "ada", "for ada").await;
    send(&ada, "bob", "for bob 2").await;
    assert_eq!(wait_for_shown(&bob, 2).await, json!(["ada: for bob 1", "ada: for bob 2"]));
    assert_eq!(wait_for_shown(&ada, 1).await, json!(["bob: for ada"]));
    assert_eq!(ada.run("document.cookie").await, "", "the session is not for scripts");

    send(&bob, "bob", "<b>not bold</b>").await;
    let own = wait_for_shown(&bob, 3).await;
    assert_eq!(own[2], "bob: <b>not bold</b>");
}

#[tokio::test]
async fn what_was_sent_while_the_connection_was_lost_arrives_once() {
    let example = Example::start("notifications").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let bob = chromium.open(&cable.url("/")).await;
    log_in(&bob, "bob").await;
    let friend = Friend::of_bob(&example).await;
    friend.writes(&example, "before").await;
    wait_for_shown(&bob, 1).await;
    // Counted at the stream, because the page would hide a second one.
    bob.run(
        "received = [];
         source.addEventListener('notification', ({ data }) => received.push(JSON.parse(data).text));
         source.addEventListener('sse-open', ({ data }) => resumed = JSON.parse(data).resumed);
         null",
    )
    .await;

    cable.cut();
    bob.wait_until("element('state').textContent === 'Reconnecting'").await;
    for text in ["one", "two", "three"] {
        friend.writes(&example, text).await;
    }
    cable.mend();
    wait_for_shown(&bob, 4).await;
    friend.writes(&example, "after").await;
    let shown = wait_for_shown(&bob, 5).await;
    let expected = ["friend: before", "friend: one", "friend: two", "friend: three", "friend: after"];
    assert_eq!(shown, json!(expected));
    assert_eq!(bob.run("received").await, json!(["one", "two", "three", "after"]));
    assert_eq!(bob.run("resumed").await, true);
    assert_eq!(bob.run("element('state').textContent").await, "Connected");
}

#[tokio::test]
async fn who_missed_more_than_is_remembered_is_told_and_gets_what_is_kept() {
    let example = Example::start("notifications").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let bob = chromium.open(&cable.url("/")).await;
    log_in(&bob, "bob").await;
    let friend = Friend::of_bob(&example).await;
    friend.writes(&example, "before").await;
    wait_for_shown(&bob, 1).await;

    cable.cut();
    bob.wait_until("element('state').textContent === 'Reconnecting'").await;
    for n in 1..=101 {
        friend.writes(&example, &n.to_string()).await;
    }
    cable.mend();
    bob.wait_until("element('state').textContent === 'Connected, loaded anew (evicted)'").await;
    let shown = wait_for_shown(&bob, 50).await;
    let kept: Vec<_> = (52..=101).map(|n| format!("friend: {n}")).collect();
    assert_eq!(shown, json!(kept));
}

#[tokio::test]
async fn who_comes_back_to_the_page_finds_what_was_sent_meanwhile() {
    let example = Example::start("notifications").await;
    let chromium = Chromium::launch().await;
    let bob = chromium.open(&example.url("/")).await;
    log_in(&bob, "bob").await;
    let friend = Friend::of_bob(&example).await;
    friend.writes(&example, "before").await;
    wait_for_shown(&bob, 1).await;

    bob.go_to("about:blank").await;
    friend.writes(&example, "meanwhile").await;
    bob.go_to(&example.url("/")).await;
    assert_eq!(wait_for_shown(&bob, 2).await, json!(["friend: before", "friend: meanwhile"]));
}

#[tokio::test]
async fn a_logout_ends_the_streams_of_all_tabs_and_they_stay_closed() {
    let example = Example::start("notifications").await;
    let chromium = Chromium::launch().await;
    let first = chromium.open(&example.url("/")).await;
    log_in(&first, "bob").await;
    let second = chromium.open(&example.url("/")).await;
    second.wait_until("element('state').textContent === 'Connected'").await;

    first.leave_by("logout.requestSubmit()").await;
    assert_eq!(first.run("document.body.dataset.user").await, "");
    second.wait_until("source.readyState === EventSource.CLOSED").await;
    assert_eq!(second.run("element('state').textContent").await, "You are logged out. Log in again");
    assert_eq!(second.requests("/notifications"), [Some(200), Some(401)]);
    let friend = Friend::of_bob(&example).await;
    friend.writes(&example, "too late").await;
    assert_eq!(second.run("list.children.length").await, 0);
}
