//! One tab: scripts run in it, the requests that it made, and its end.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sse_tests::{LIMIT, within_limit};
use tokio::time::{Instant, sleep};

use crate::chromium::Devtools;

/// How often a condition in the page is looked at.
const GLANCE: Duration = Duration::from_millis(25);

/// A tab of the browser.
pub(crate) struct Page {
    devtools: Arc<Devtools>,
    target: Value,
    session: String,
}

impl Page {
    /// Takes over a tab and starts to record its requests.
    pub(crate) async fn attach(devtools: Arc<Devtools>, target: Value, session: String) -> Self {
        let page = Self { devtools, target, session };
        page.command("Page.enable", json!({})).await;
        page.command("Network.enable", json!({})).await;
        page
    }

    /// Has a script run in every page of this tab, before those of the page.
    pub(crate) async fn before_others(&self, script: &str) {
        self.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    pub(crate) async fn go_to(&self, url: &str) {
        let outcome = self.command("Page.navigate", json!({ "url": url })).await;
        assert!(outcome.get("errorText").is_none(), "{url}: {outcome}");
        self.wait_until("document.readyState === 'complete'").await;
    }

    /// Goes to an address and answers that one request itself, with an empty page: scripts of the test
    /// then run on the origin of `url`, without a page of the server's around them.
    pub(crate) async fn go_to_blank(&self, url: &str) {
        self.command("Fetch.enable", json!({ "patterns": [{ "urlPattern": url }] })).await;
        let answer = async {
            let paused = self.event("Fetch.requestPaused").await;
            let html = json!([{ "name": "content-type", "value": "text/html" }]);
            let response =
                json!({ "requestId": paused["requestId"], "responseCode": 200, "responseHeaders": html });
            self.command("Fetch.fulfillRequest", response).await;
        };
        tokio::join!(self.go_to(url), answer);
        self.command("Fetch.disable", json!({})).await;
    }

    /// Runs a script in the page and returns its value.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let mut outcome = self.command("Runtime.evaluate", params).await;
        assert!(outcome.get("exceptionDetails").is_none(), "{script}: {outcome}");
        outcome["result"]["value"].take()
    }

    /// Runs a script that leads to another page, and waits until that is there.
    pub(crate) async fn leave_by(&self, script: &str) {
        let mut events = self.devtools.events();
        let loaded = |events: &Vec<Value>| {
            let loads = events.iter().filter(|event| event["method"] == "Page.loadEventFired");
            loads.filter(|event| event["sessionId"] == self.session.as_str()).count()
        };
        let before = loaded(&events.borrow());
        self.run(script).await;
        let next = events.wait_for(|events| loaded(events) > before);
        within_limit(script, next).await.expect("Chromium is connected");
    }

    /// Waits until an expression in the page is true.
    pub(crate) async fn wait_until(&self, condition: &str) {
        let deadline = Instant::now() + LIMIT;
        while self.run(condition).await != Value::Bool(true) {
            if Instant::now() > deadline {
                let text = self.run("document.body?.innerText").await;
                panic!("not true after {LIMIT:?}: {condition}; the page says {text}");
            }
            sleep(GLANCE).await;
        }
    }

    /// The requests for addresses that contain `part`, in order: the status of each response, `None`
    /// while there is none.
    pub(crate) fn requests(&self, part: &str) -> Vec<Option<u64>> {
        self.requests_in(&self.devtools.events().borrow(), part)
    }

    /// Waits until there were `count` requests for addresses that contain `part`, and each has its response.
    pub(crate) async fn wait_for_responses(&self, part: &str, count: usize) {
        let mut events = self.devtools.events();
        let all = events.wait_for(|events| {
            let requests = self.requests_in(events, part);
            requests.len() >= count && requests.iter().all(Option::is_some)
        });
        within_limit(part, all).await.expect("Chromium is connected");
    }

    fn requests_in(&self, events: &[Value], part: &str) -> Vec<Option<u64>> {
        let mine = |method: &'static str| {
            let of_this_tab = events.iter().filter(|event| event["sessionId"] == self.session.as_str());
            of_this_tab.filter(move |event| event["method"] == method).map(|event| &event["params"])
        };
        mine("Network.requestWillBeSent")
            .filter(|sent| sent["request"]["url"].as_str().is_some_and(|url| url.contains(part)))
            .map(|sent| {
                let mut responses = mine("Network.responseReceived");
                let own = responses.find(|response| response["requestId"] == sent["requestId"]);
                own.and_then(|response| response["response"]["status"].as_u64())
            })
            .collect()
    }

    /// The addresses of all requests so far, in order.
    pub(crate) fn requested(&self) -> Vec<String> {
        let events = self.devtools.events();
        let events = events.borrow();
        let of_this_tab = events.iter().filter(|event| event["sessionId"] == self.session.as_str());
        let sent = of_this_tab.filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| event["params"]["request"]["url"].as_str()).map(str::to_owned).collect()
    }

    /// What its `EventSource`s have received so far, all of it.
    pub(crate) fn received(&self) -> String {
        let events = self.devtools.events();
        let events = events.borrow();
        let of_this_tab = events.iter().filter(|event| event["sessionId"] == self.session.as_str());
        let received = of_this_tab.filter(|event| event["method"] == "Network.eventSourceMessageReceived");
        received.map(|event| event["params"].to_string()).collect()
    }

    /// Gives the tab another size than the small one of a browser that nobody sees.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Shows the tab. One that is not shown runs its scripts, but paints nothing.
    pub(crate) async fn show(&self) {
        self.command("Page.bringToFront", json!({})).await;
    }

    /// Stops its scripts, as browsers do with tabs that nobody has looked at for long.
    pub(crate) async fn freeze(&self) {
        self.command("Page.setWebLifecycleState", json!({ "state": "frozen" })).await;
    }

    pub(crate) async fn thaw(&self) {
        self.command("Page.setWebLifecycleState", json!({ "state": "active" })).await;
    }

    /// Ends the tab's process, so that the page has no time for a last word.
    pub(crate) async fn crash(self) {
        // It never answers.
        tokio::select! {
            _ = self.devtools.command(Some(&self.session), "Page.crash", json!({})) => {}
            _ = self.event("Inspector.targetCrashed") => {}
        }
    }

    /// Closes the tab, as a user does.
    pub(crate) async fn close(self) {
        self.devtools.command(None, "Target.closeTarget", json!({ "targetId": self.target })).await;
    }

    /// Waits for an event of this tab, past or future, and returns its parameters.
    async fn event(&self, method: &str) -> Value {
        let mut events = self.devtools.events();
        let wanted =
            |event: &&Value| event["method"] == method && event["sessionId"] == self.session.as_str();
        let arrived = events.wait_for(|events| events.iter().any(|event| wanted(&event)));
        let events = within_limit(method, arrived).await.expect("Chromium is connected");
        events.iter().rfind(wanted).map(|event| event["params"].clone()).expect("it has arrived")
    }

    async fn command(&self, method: &str, params: Value) -> Value {
        self.devtools.command(Some(&self.session), method, params).await
    }
}
