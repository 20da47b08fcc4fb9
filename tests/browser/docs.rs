//! The documentation page: what it shows of a stream's events, that "Test Request" shows them one by one as they
//! arrive, also of a run, which it comes back to and ends, and answers into a stream; and that it asks no other machine for
//! anything.

use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sse_runtime::{Replies, Result, Sse, SseEvent, api, listen, serve, sse_route};
use utoipa::ToSchema;

use crate::{
    chromium::Chromium,
    page::Page,
    sample::{self, Steps},
};

/// Notes where the page's policy keeps it from going, which is then not among its requests. (A library in Scalar
/// probes whether it may compile code. It may not, and does without.)
const NOTE_VIOLATIONS: &str = "violations = [];
    document.addEventListener('securitypolicyviolation', ({ blockedURI }) => {
        if (blockedURI !== 'eval') violations.push(blockedURI);
    })";

/// What is in sight, by what it is and says.
const IN_SIGHT: &str = "inSight = (kind, text) => [...document.querySelectorAll(kind)]
    .find(element => element.checkVisibility() && element.innerText.trim().startsWith(text)); null";

/// The names of what is shown with a type, sorted: parameters, responses, the fields of events and payloads.
const NAMES: &str = "[...document.querySelectorAll('.property-name')].map(name => name.innerText).sort()";

/// The stream as it is shown by "Test Request".
const RECEIVED: &str = "document.querySelector('[role=dialog] .whitespace-pre-wrap')?.innerText ?? ''";

/// The page of the sample, as on a desk.
async fn open(chromium: &Chromium) -> (Page, Steps, String) {
    let (address, steps) = sample::start().await;
    let origin = format!("http://{address}/");
    let page = chromium.open_after(NOTE_VIOLATIONS, &format!("{origin}docs")).await;
    page.resize(1500, 1200).await;
    page.run(IN_SIGHT).await;
    page.wait_until("inSight('button', 'Test Request') !== undefined").await;
    (page, steps, origin)
}

/// Every request of the page was to its own server, and it tried no other.
async fn asked_nobody_else(page: &Page, origin: &str) {
    let asked = page.requested();
    let others: Vec<_> =
        asked.iter().filter(|url| !url.starts_with(origin) && !url.starts_with("data:")).collect();
    assert!(others.is_empty(), "{others:#?}");
    for part in ["docs", "docs/scalar-", "openapi.json"] {
        assert!(asked.iter().any(|url| url.starts_with(&format!("{origin}{part}"))), "{part} of {asked:#?}");
    }
    assert_eq!(page.run("violations").await, json!([]));
}

#[tokio::test]
async fn the_page_shows_the_fields_of_each_event_and_of_its_payload() {
    let chromium = Chromium::launch().await;
    let (page, _steps, origin) = open(&chromium).await;
    assert_eq!(page.run("document.title").await, "Jobs");
    page.wait_until("inSight('button', 'One of\\n·\\nprogress') !== undefined").await;
    let always = ["200", "204", "400", "406", "Last-Event-ID", "data", "event", "id", "id"];
    let progress = [&always[..], &["percent", "step", "type"]].concat();
    assert_eq!(page.run(NAMES).await, json!(progress));
    assert_eq!(page.run("inSight('p', 'How far the job is.') !== undefined").await, true);

    page.run("inSight('button', 'One of').click()").await;
    page.wait_until("inSight('[role=option]', 'done') !== undefined").await;
    assert_eq!(
        page.run("[...document.querySelectorAll('[role=option]')].map(option => option.innerText)").await,
        json!(["progress", "done", "end", "SseRuntimeEvent"])
    );
    page.run("inSight('[role=option]', 'done').click()").await;
    page.wait_until("inSight('p', 'The job is done.') !== undefined").await;
    let done = [&always[..], &["type", "url"]].concat();
    assert_eq!(page.run(NAMES).await, json!(done));
    asked_nobody_else(&page, &origin).await;
}

#[tokio::test]
async fn a_request_from_the_page_shows_each_event_when_it_is_sent() {
    let chromium = Chromium::launch().await;
    let (page, steps, origin) = open(&chromium).await;
    page.run("inSight('button', 'Test Request').click()").await;
    let value = "inSight('[contenteditable][data-placeholder=Value]', '')";
    page.wait_until(&format!("{value} !== undefined")).await;
    page.run(&format!("{value}.focus(); document.execCommand('insertText', false, '7')")).await;
    page.run("inSight('button', 'Send').click()").await;

    // The handler waits for each step: what is shown of the first event is there before the second exists.
    for (sent, newest) in [(1, r#""percent":25"#), (2, r#""percent":75"#), (3, r#""url":"/results/7""#)] {
        steps.allow(1);
        page.wait_until(&format!("({RECEIVED}).includes('{newest}')")).await;
        let events = page.run(&format!("({RECEIVED}).match(/^event: /mg).length")).await;
        assert_eq!(events, sent, "{}", page.run(RECEIVED).await);
    }
    assert_eq!(page.requests("/jobs/"), [Some(200)]);
    asked_nobody_else(&page, &origin).await;
}

/// What is said.
#[derive(Serialize, SseEvent, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    /// A word.
    Word { text: String },
}

#[derive(Deserialize, ToSchema)]
struct Prompt {
    text: String,
}

/// Says it, and goes on.
#[sse_route("/talk", methods = ["POST"], run = "5m")]
async fn talk(sse: Sse<Said>, Json(prompt): Json<Prompt>) -> Result<()> {
    sse.send(Said::Word { text: format!("word{}", prompt.text) }).await?;
    std::future::pending().await
}

#[derive(Deserialize, ToSchema)]
struct Answer {
    choice: u8,
}

/// Asks.
#[sse_route("/ask", end = "end")]
async fn ask(sse: Sse<Said>, mut replies: Replies<Answer>) -> Result<()> {
    sse.send(Said::Word { text: "choose".into() }).await?;
    if let Some(answer) = replies.next().await {
        sse.send(Said::Word { text: format!("chosen{}", answer.choice) }).await?;
        answer.respond("thank you")?;
    }
    Ok(())
}

/// Opens "Test Request" of an operation, fills its parameters in, and sends it.
async fn send(page: &Page, summary: &str, request: &str, parameters: &[(&str, &str)]) {
    page.run(&format!("inSight('a, button', '{summary}').click()")).await;
    let button = format!(
        "[...document.querySelectorAll('button')].find(one => one.innerText.replace(/\\s+/g, ' ').includes('Test Request ({request})'))"
    );
    page.wait_until(&format!("{button} !== undefined")).await;
    page.run(&format!("{button}.click()")).await;
    for (name, value) in parameters {
        let field = format!(
            "[...document.querySelectorAll('[role=dialog] tr')]
                 .find(row => row.innerText.trim().startsWith('{name}'))?.querySelector('[data-placeholder=Value]')"
        );
        page.wait_until(&format!("{field} instanceof HTMLElement")).await;
        page.run(&format!("{field}.focus(); document.execCommand('insertText', false, '{value}')")).await;
    }
    page.wait_until("inSight('button', 'Send') !== undefined").await;
    page.run("inSight('button', 'Send').click()").await;
}

/// What the dialog says, and what stands in it by a pattern.
async fn found(page: &Page, pattern: &str) -> String {
    let script = format!("({RECEIVED}).match({pattern})?.[1]");
    page.wait_until(&format!("{script} !== undefined")).await;
    page.run(&script).await.as_str().expect("a text").to_owned()
}

async fn close(page: &Page) {
    page.run("document.querySelector('[role=dialog]').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))")
        .await;
    page.wait_until("!inSight('button', 'Send')").await;
}

#[tokio::test]
async fn the_page_begins_a_run_comes_back_to_it_ends_it_and_answers_into_a_stream() {
    let listener = listen("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(serve(listener, Router::from(api![talk, ask])).into_future());
    let chromium = Chromium::launch().await;
    let docs = async || {
        let page = chromium.open_after(NOTE_VIOLATIONS, &format!("{origin}docs")).await;
        page.resize(1500, 1200).await;
        page.run(IN_SIGHT).await;
        page.wait_until("inSight('button', 'Test Request') !== undefined").await;
        page
    };
    let page = docs().await;
    let operations = [
        "Says it, and goes on",
        "Comes back to a run of talk",
        "Ends a run of talk",
        "Asks",
        "Answers into a stream of ask",
    ];
    for summary in operations {
        assert_eq!(
            page.run(&format!("inSight('a, button', '{summary}') !== undefined")).await,
            true,
            "{summary}"
        );
    }

    send(&page, operations[0], "post /talk", &[]).await;
    let run = found(&page, r#"/"run":"(\w+)"/"#).await;
    found(&page, "/(word)/").await;
    close(&page).await;
    send(&page, operations[1], "get /talk", &[("run", &run)]).await;
    found(&page, "/(word)/").await;
    let other = docs().await;
    send(&other, operations[2], "delete /talk", &[("run", &run)]).await;
    other.wait_until("document.querySelector('[role=dialog]').innerText.includes('204 No Content')").await;
    assert_eq!(found(&page, r#"/"reason":"(\w+)"/"#).await, "Cancelled");
    close(&page).await;
    close(&other).await;

    send(&page, operations[3], "get /ask", &[]).await;
    let token = found(&page, r#"/"token":"(\w+)"/"#).await;
    send(&other, operations[4], "post /ask", &[("reply", &token)]).await;
    other.wait_until("document.querySelector('[role=dialog]').innerText.includes('thank you')").await;
    found(&page, "/(chosen0)/").await;
    found(&page, "/(sse-end)/").await;
    for page in [&page, &other] {
        asked_nobody_else(page, &origin).await;
    }
}
