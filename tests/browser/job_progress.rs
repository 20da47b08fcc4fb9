//! The page of the example `job_progress`: the browser client that the server brings, on typed events that end for good.

use serde_json::json;
use sse_tests::Example;

use crate::{cable::Cable, chromium::Chromium};

const SAID: &str = "[...jobs.children].map((line) => line.querySelector('output').innerText)";

#[tokio::test]
async fn each_job_has_a_bar_that_ends_in_its_report() {
    let example = Example::start("job_progress").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;

    page.run("pages.value = 4; order.requestSubmit(); pages.value = 3; order.requestSubmit(); null").await;
    page.wait_until(
        "[...document.querySelectorAll('progress')].some((bar) => bar.value > 0 && bar.value < 1)",
    )
    .await;
    page.wait_until(&format!("({SAID}).join() === 'the report,the report'")).await;
    page.wait_until("[...jobs.children].every((line) => line.dataset.state === 'closed')").await;
    let report = page.run("fetch(jobs.querySelector('a').href).then((report) => report.text())").await;
    assert!(report.as_str().is_some_and(|report| report.starts_with("The report of job ")), "{report}");
    for job in ["/jobs/1/events", "/jobs/2/events"] {
        assert_eq!(page.requests(job), [Some(200)], "nobody asks again after the end");
    }
}

#[tokio::test]
async fn a_job_that_fails_says_why_and_is_over_too() {
    let example = Example::start("job_progress").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;

    page.run("pages.value = 101; order.requestSubmit(); null").await;
    page.wait_until("jobs.firstChild?.dataset.state === 'closed'").await;
    assert_eq!(page.run(SAID).await, json!(["101 pages are more than the printer has"]));
}

#[tokio::test]
async fn a_lost_connection_costs_a_job_nothing() {
    let example = Example::start("job_progress").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&cable.url("/")).await;

    page.run("pages.value = 12; order.requestSubmit(); null").await;
    page.wait_until("document.querySelector('progress')?.value > 0").await;
    cable.cut();
    page.wait_until("jobs.firstChild.dataset.state === 'waiting'").await;
    cable.mend();
    page.wait_until(&format!("({SAID}).join() === 'the report'")).await;
}
