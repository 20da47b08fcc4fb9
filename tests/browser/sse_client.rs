//! `sse-client` in a real browser: what it does when the connection is lost, when it goes silent and when it is over,
//! and how tabs share one.

use std::net::SocketAddr;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, Ordering},
};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{Html, IntoResponse, Response};
use axum::{Json, Router, routing::get};
use serde::Serialize;
use serde_json::{Value, json};
use sse_runtime::{
    Error, Event, Hub, Result, Sse, SseEvent, Topic, client, listen, routes, serve, sse_route,
};
use sse_tests::within_limit;
use tokio::time::sleep;

use crate::{cable::Cable, chromium::Chromium, page::Page};

/// All numbers so far, then each new one.
#[sse_route("/numbers", keep_alive = "1s", retry = "100ms", slow = "latest")]
async fn numbers(sse: Sse, State(server): State<Server>) -> Result<()> {
    sse.follow(&server.topic).await?;
    Ok(())
}

#[sse_route("/countdown", retry = "1ms", end = "end")]
async fn countdown(sse: Sse) -> Result<()> {
    for left in [2, 1] {
        sse.send(Event::new("number").id(left).json(&left)?).await?;
    }
    Ok(())
}

#[derive(Serialize, SseEvent)]
#[serde(tag = "type", rename_all = "snake_case")]
enum JobEvent {
    Progress {
        percent: u8,
    },
    #[sse(terminal)]
    Done {
        job: Value,
    },
}

#[sse_route("/jobs", methods = ["POST"])]
async fn job(sse: Sse<JobEvent>, headers: HeaderMap, Json(job): Json<Value>) -> Result<()> {
    if headers.get("authorization").is_none_or(|token| token != "Bearer secret") {
        return Err(Error::from("no token").with_status(StatusCode::UNAUTHORIZED).public("who are you?"));
    }
    sse.send(JobEvent::Progress { percent: 50 }).await?;
    sse.send(JobEvent::Done { job }).await?;
    Ok(())
}

#[derive(Clone)]
struct Server {
    address: SocketAddr,
    hub: Hub,
    topic: Topic,
    numbers: Arc<Mutex<Vec<u32>>>,
    /// The status that streams are answered with, if not 0.
    refusal: Arc<AtomicU16>,
}

impl Server {
    async fn start() -> Self {
        let listener = listen("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let hub = Hub::in_memory().build();
        let numbers = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&numbers);
        let topic = hub.topic("numbers").snapshot(move || {
            let table = Event::new("table").json(&*shown.lock().expect("not poisoned"));
            async { Ok([table]) }
        });
        let server = Self { address, hub, topic, numbers, refusal: Arc::default() };
        let streams = routes![numbers, countdown, job].layer(from_fn_with_state(server.clone(), refuse));
        let page = || async { Html(include_str!("sse_client.html")) };
        let no_workers = [(header::CONTENT_SECURITY_POLICY, "worker-src 'none'")];
        let app = Router::new()
            .route("/", get(page))
            .route("/without-workers", get(move || async move { (no_workers, page().await) }))
            .merge(client::routes())
            .merge(streams)
            // The browser would keep connections for later, and on a cable that goes silent so would they.
            .layer(map_response(|response: Response| async { ([(header::CONNECTION, "close")], response) }))
            .with_state(server.clone());
        tokio::spawn(serve(listener, app).into_future());
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The state first, then the event: as the guide says.
    async fn publish(&self, number: u32) {
        self.numbers.lock().expect("not poisoned").push(number);
        self.topic.publish(Event::new("number").json(&number)).await.expect("it is published");
    }

    fn subscribers(&self) -> usize {
        self.hub.stats().subscribers
    }

    async fn wait_for_subscribers(&self, wanted: usize) {
        let reached = async {
            while self.subscribers() != wanted {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let now = self.subscribers();
        within_limit(&format!("waiting for {wanted} subscribers, {now} at first"), reached).await;
    }
}

async fn refuse(State(server): State<Server>, request: Request, next: Next) -> Response {
    match StatusCode::from_u16(server.refusal.load(Ordering::Relaxed)) {
        Ok(refusal) => refusal.into_response(),
        Err(_) => next.run(request).await,
    }
}

/// Opens a tab, and a stream in it.
async fn open(chromium: &Chromium, url: &str, path: &str, options: Value) -> Page {
    let page = chromium.open(url).await;
    watch(&page, path, options).await;
    page
}

async fn watch(page: &Page, path: &str, options: Value) {
    page.wait_until("window.ready === true").await;
    page.run(&format!("watch('{path}', {options}); null")).await;
}

async fn wait_for_shown(page: &Page, numbers: &[u32]) {
    page.wait_until(&format!("shown.join() === '{}'", json!(numbers).to_string().trim_matches(['[', ']'])))
        .await;
}

async fn wait_until_told(page: &Page, word: &str) {
    page.wait_until(&format!("told.some(word => word.startsWith('{word}'))")).await;
}

#[tokio::test]
async fn a_cut_connection_costs_nothing_over_either_transport() {
    let server = Server::start().await;
    let cable = Cable::to(server.address).await;
    let chromium = Chromium::launch().await;
    for (round, transport) in (0..).zip(["fetch", "eventsource"]) {
        let first = 4 * round + 1;
        server.publish(first).await;
        let page = open(&chromium, &cable.url("/"), "/numbers", json!({ "transport": transport })).await;
        wait_for_shown(&page, &(1..=first).collect::<Vec<_>>()).await;
        server.publish(first + 1).await;
        wait_for_shown(&page, &(1..=first + 1).collect::<Vec<_>>()).await;

        cable.cut();
        wait_until_told(&page, "waiting").await;
        server.publish(first + 2).await;
        server.publish(first + 3).await;
        cable.mend();
        wait_for_shown(&page, &(1..=first + 3).collect::<Vec<_>>()).await;
        assert_eq!(
            page.run("told.filter(word => word.startsWith('open '))").await,
            json!(["open false", "open true"])
        );
        let sent = format!("ids.length === 3 && stream.lastEventId.endsWith('-{}')", first + 3);
        assert_eq!(page.run(&sent).await, true, "{}", page.run("ids").await);
    }
}

#[tokio::test]
async fn an_event_source_that_has_given_up_is_replaced_until_the_answer_is_no() {
    let server = Server::start().await;
    let cable = Cable::to(server.address).await;
    let chromium = Chromium::launch().await;
    server.publish(1).await;
    let page =
        open(&chromium, &cable.url("/"), "/numbers", json!({ "transport": "eventsource", "retry": 50 }))
            .await;
    wait_for_shown(&page, &[1]).await;

    server.refusal.store(502, Ordering::Relaxed);
    cable.cut();
    wait_until_told(&page, "waiting").await;
    server.publish(2).await;
    cable.mend();
    wait_until_told(&page, "error 502").await;
    server.refusal.store(0, Ordering::Relaxed);
    wait_for_shown(&page, &[1, 2]).await;
    assert_eq!(page.run("told.filter(word => word.startsWith('open ')).at(-1)").await, "open true");

    for (status, last) in [(204, "end"), (403, "given up 403")] {
        server.refusal.store(status, Ordering::Relaxed);
        cable.cut();
        page.wait_until("stream.state !== 'open'").await;
        cable.mend();
        wait_until_told(&page, last).await;
        assert_eq!(page.run("stream.state").await, "closed");
        server.refusal.store(0, Ordering::Relaxed);
        watch(&page, "/numbers", json!({ "transport": "eventsource", "retry": 50 })).await;
        page.wait_until("stream.state === 'open'").await;
    }
}

#[tokio::test]
async fn a_connection_that_goes_silent_is_given_up_and_replaced() {
    let server = Server::start().await;
    let cable = Cable::to(server.address).await;
    let chromium = Chromium::launch().await;
    server.publish(1).await;
    let page = open(&chromium, &cable.url("/"), "/numbers", json!({})).await;
    wait_for_shown(&page, &[1]).await;
    // For twice as long as it waits there is no event, but there are comments.
    page.run("before = performance.now(); null").await;
    page.wait_until("performance.now() > before + 4000").await;
    assert_eq!(page.run("told.length").await, 2, "{}", page.run("told").await);

    cable.silence();
    server.publish(2).await;
    wait_for_shown(&page, &[1, 2]).await;
    let told = page.run("told.slice(2)").await;
    assert_eq!(told, json!(["waiting", "error 0 silent for 2 s", "connecting", "open", "open true"]));
    server.wait_for_subscribers(1).await;
}

#[tokio::test]
async fn who_cannot_go_on_is_told_why_and_begins_anew() {
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    server.publish(1).await;
    let page = open(&chromium, &server.url("/"), "/numbers", json!({ "lastEventId": "abc-7" })).await;
    wait_for_shown(&page, &[1]).await;
    assert_eq!(page.run("told").await, json!(["open", "reset epoch", "open false"]));
}

#[tokio::test]
async fn after_a_terminal_event_nothing_is_asked_for_again() {
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&server.url("/")).await;
    for (path, options, shown) in [
        ("/countdown?fetch", json!({}), json!([2, 1])),
        ("/countdown?eventsource", json!({ "transport": "eventsource" }), json!([2, 1])),
        ("/countdown?listed", json!({ "terminal": ["number"] }), json!([2])),
        ("/countdown?shared", json!({ "share": true }), json!([2, 1])),
    ] {
        page.run("shown.length = told.length = 0").await;
        watch(&page, path, options).await;
        page.wait_until("told.at(-1) === 'end'").await;
        assert_eq!(page.run("shown").await, shown, "{path}");
        assert_eq!(page.run("told").await, json!(["open", "closed", "end"]), "{path}");
    }
    // One that came back would have done so by now: it is told to after a millisecond.
    watch(&page, "/countdown?last", json!({})).await;
    page.wait_until("told.filter(word => word === 'end').length === 2").await;
    for path in ["fetch", "eventsource", "listed"] {
        assert_eq!(page.requests(&format!("?{path}")).len(), 1, "{path}");
    }
}

#[tokio::test]
async fn who_closes_or_aborts_leaves_no_connection() {
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&server.url("/")).await;
    for options in [json!({}), json!({ "transport": "eventsource" }), json!({ "share": true })] {
        for leave in ["stream.close()", "abort()"] {
            watch(&page, "/numbers", options.clone()).await;
            server.wait_for_subscribers(1).await;
            page.run(&format!("{leave}; null")).await;
            assert_eq!(page.run("stream.state").await, "closed");
            server.wait_for_subscribers(0).await;
        }
    }
}

#[tokio::test]
async fn a_page_that_is_put_away_lets_go_of_its_connection_and_goes_on_when_it_is_shown_again() {
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    let turn =
        |kind: &str| format!("dispatchEvent(new PageTransitionEvent('{kind}', {{ persisted: true }}))");
    for (number, share) in [(1, false), (3, true)] {
        server.publish(number).await;
        let page = open(&chromium, &server.url("/"), "/numbers", json!({ "share": share })).await;
        page.wait_until(&format!("shown.includes({number})")).await;
        page.run(&turn("pagehide")).await;
        server.wait_for_subscribers(0).await;
        server.publish(number + 1).await;
        page.run(&turn("pageshow")).await;
        page.wait_until(&format!("shown.includes({number} + 1)")).await;
        assert_eq!(page.run("told.at(-1)").await, "open true");
        page.close().await;
        server.wait_for_subscribers(0).await;
    }
}

#[tokio::test]
async fn when_the_network_is_back_nobody_waits_for_the_time_that_was_set() {
    let server = Server::start().await;
    let cable = Cable::to(server.address).await;
    let chromium = Chromium::launch().await;
    // The route asks for less, but cannot as long as it is not reached.
    let page = chromium.open(&cable.url("/")).await;
    page.wait_until("window.ready === true").await;
    cable.cut();
    watch(&page, "/numbers", json!({ "retry": 3_600_000 })).await;
    wait_until_told(&page, "error 0").await;
    cable.mend();
    page.run("dispatchEvent(new Event('online')); null").await;
    wait_until_told(&page, "open false").await;
}

#[tokio::test]
async fn a_post_carries_its_token_and_a_refusal_its_reason() {
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&server.url("/")).await;
    page.wait_until("window.ready === true").await;
    let post = |token: &str| {
        format!(
            "(async () => {{
                const {{ connect, StreamError }} = await import('/sse-client.js');
                const headers = {{ authorization: 'Bearer {token}', 'content-type': 'application/json' }};
                const got = [];
                try {{
                    const options = {{ method: 'POST', headers, body: JSON.stringify({{ pages: 3 }}) }};
                    for await (const {{ data }} of connect('/jobs', options)) got.push(data);
                }} catch (error) {{
                    got.push([error instanceof StreamError, error.status, error.body]);
                }}
                return got;
            }})()"
        )
    };
    let done = json!([{ "type": "progress", "percent": 50 }, { "type": "done", "job": { "pages": 3 } }]);
    assert_eq!(page.run(&post("secret")).await, done);
    let refused = page.run(&post("wrong")).await;
    assert_eq!((&refused[0][0], &refused[0][1]), (&json!(true), &json!(401)));
    assert!(refused[0][2].as_str().is_some_and(|body| body.contains("who are you?")), "{refused}");
    assert_eq!(page.requests("/jobs"), [Some(200), Some(401)]);
}

#[tokio::test]
async fn tabs_share_one_connection_and_each_has_all_numbers_once() {
    const TABS: usize = 8;
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    let publisher = {
        let server = server.clone();
        tokio::spawn(async move {
            for number in 1.. {
                server.publish(number).await;
                sleep(Duration::from_millis(3)).await;
            }
        })
    };
    let mut tabs = Vec::new();
    for _ in 0..TABS {
        let tab = open(&chromium, &server.url("/"), "/numbers", json!({ "share": true })).await;
        tab.wait_until("shown.length > 0").await;
        tabs.push(tab);
    }
    server.wait_for_subscribers(1).await;
    publisher.abort();
    let all = server.numbers.lock().expect("not poisoned").clone();
    for tab in &tabs {
        wait_for_shown(tab, &all).await;
        let in_order = "ids.every((id, at) => at === 0 || id === ids[at - 1] + 1)";
        assert_eq!(tab.run(in_order).await, true, "{}", tab.run("ids").await);
        assert_eq!(tab.run("told.filter(word => word.startsWith('open '))").await, json!(["open false"]));
        assert_eq!(tab.requests("/numbers"), [], "the worker asks, not the tab");
    }

    let last = tabs.pop().expect("a tab");
    for tab in tabs {
        tab.close().await;
    }
    server.publish(1_000_000).await;
    last.wait_until("shown.at(-1) === 1_000_000").await;
    assert_eq!(server.subscribers(), 1);
    last.close().await;
    server.wait_for_subscribers(0).await;
}

#[tokio::test]
async fn a_late_tab_that_is_ahead_of_the_shared_connection_is_told_nothing_twice() {
    let server = Server::start().await;
    let cable = Cable::to(server.address).await;
    let chromium = Chromium::launch().await;
    server.publish(1).await;
    let early = open(&chromium, &cable.url("/"), "/numbers", json!({ "share": true })).await;
    wait_for_shown(&early, &[1]).await;

    // The shared connection misses this for now; the late tab's own one begins with it.
    cable.silence();
    server.publish(2).await;
    let late = open(&chromium, &cable.url("/"), "/numbers", json!({ "share": true })).await;
    wait_for_shown(&late, &[1, 2]).await;
    wait_until_told(&early, "error 0 silent").await;
    wait_for_shown(&early, &[1, 2]).await;
    server.publish(3).await;
    for (tab, one_by_one) in [(&early, 2), (&late, 1)] {
        wait_for_shown(tab, &[1, 2, 3]).await;
        assert_eq!(tab.run("ids.length").await, one_by_one);
    }
    server.wait_for_subscribers(1).await;
}

#[tokio::test]
async fn shared_tabs_come_through_a_lost_connection_and_a_reset_together() {
    let server = Server::start().await;
    let cable = Cable::to(server.address).await;
    let chromium = Chromium::launch().await;
    server.publish(1).await;
    let mut tabs = Vec::new();
    for _ in 0..2 {
        let tab = open(&chromium, &cable.url("/"), "/numbers", json!({ "share": true })).await;
        wait_for_shown(&tab, &[1]).await;
        tabs.push(tab);
    }
    server.wait_for_subscribers(1).await;
    cable.cut();
    for tab in &tabs {
        wait_until_told(tab, "waiting").await;
    }
    server.publish(2).await;
    cable.mend();
    for tab in &tabs {
        wait_for_shown(tab, &[1, 2]).await;
        assert_eq!(tab.run("told.at(-1)").await, "open true");
    }

    // More than is kept of a topic.
    cable.cut();
    for tab in &tabs {
        tab.wait_until("stream.state === 'waiting'").await;
    }
    for number in 3..2_000 {
        server.publish(number).await;
    }
    cable.mend();
    for tab in &tabs {
        wait_for_shown(tab, &(1..2_000).collect::<Vec<_>>()).await;
        assert_eq!(tab.run("told.slice(-2)").await, json!(["reset evicted", "open false"]));
    }
    server.publish(2_000).await;
    for tab in &tabs {
        tab.wait_until("shown.at(-1) === 2000").await;
    }
}

#[tokio::test]
async fn a_tab_that_vanishes_without_a_word_does_not_keep_its_connection() {
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    // Another stream, so that the worker lives on.
    let other = open(&chromium, &server.url("/"), "/numbers?other", json!({ "share": true })).await;
    server.wait_for_subscribers(1).await;
    let crashing = open(&chromium, &server.url("/"), "/numbers", json!({ "share": true })).await;
    server.wait_for_subscribers(2).await;
    crashing.crash().await;
    server.wait_for_subscribers(1).await;

    // One that sleeps comes back where it was.
    server.publish(1).await;
    let sleeping = open(&chromium, &server.url("/"), "/numbers", json!({ "share": true })).await;
    wait_for_shown(&sleeping, &[1]).await;
    sleeping.freeze().await;
    server.wait_for_subscribers(1).await;
    server.publish(2).await;
    sleeping.thaw().await;
    wait_for_shown(&sleeping, &[1, 2]).await;
    assert_eq!(sleeping.run("told.at(-1)").await, "open true");
    wait_for_shown(&other, &[1, 2]).await;
}

#[tokio::test]
async fn where_there_is_no_shared_worker_each_tab_has_its_own_connection() {
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    server.publish(1).await;
    let without = chromium.open_after("delete window.SharedWorker", &server.url("/")).await;
    let forbidden = chromium.open(&server.url("/without-workers")).await;
    for page in [&without, &forbidden] {
        watch(page, "/numbers", json!({ "share": true })).await;
        wait_for_shown(page, &[1]).await;
        assert_eq!(page.requests("/numbers"), [Some(200)]);
    }
    assert_eq!(server.subscribers(), 2);
    server.publish(2).await;
    for page in [&without, &forbidden] {
        wait_for_shown(page, &[1, 2]).await;
    }
}

#[tokio::test]
async fn a_late_tab_of_a_live_share_begins_with_what_comes_next() {
    let server = Server::start().await;
    let chromium = Chromium::launch().await;
    server.publish(1).await;
    let early = open(&chromium, &server.url("/"), "/numbers", json!({ "share": "live" })).await;
    wait_for_shown(&early, &[1]).await;
    let late = open(&chromium, &server.url("/"), "/numbers", json!({ "share": "live" })).await;
    wait_until_told(&late, "open").await;
    server.publish(2).await;
    wait_for_shown(&late, &[2]).await;
    wait_for_shown(&early, &[1, 2]).await;
    assert_eq!(server.subscribers(), 1);
}
