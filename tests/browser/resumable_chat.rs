//! The page of the example `resumable_chat`: an answer that outlives its page, its tab and its connection.

use std::time::Duration;

use serde_json::{Value, json};
use sse_tests::{Example, post_json};

use crate::cable::Cable;
use crate::chromium::Chromium;
use crate::nginx::Nginx;
use crate::page::Page;

/// What the page shows of the last answer.
const ANSWER: &str =
    "element('list').querySelector(':scope > [data-role=assistant]:last-child')?.textContent ?? ''";

async fn ask(page: &Page, question: &str) {
    let ask =
        format!("element('question').value = {}; element('form').requestSubmit(); null", json!(question));
    page.run(&ask).await;
}

/// Waits until more is shown than before, and returns it.
async fn grown(page: &Page, before: &str) -> String {
    page.wait_until(&format!("({ANSWER}).length > {} + 40", before.encode_utf16().count())).await;
    text(&page.run(ANSWER).await)
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The answer as it should be: asked for by somebody without a page, who stays to its end.
async fn answer(example: &Example, question: &str) -> String {
    let body = json!({ "prompt": question }).to_string();
    let mut stream = post_json(example.address(), "/chat", &[], &body).await;
    let mut answer = String::new();
    loop {
        let event = stream.event().await.expect("it ends with `done`");
        match event.name.as_str() {
            "token" => answer += &serde_json::from_str::<String>(&event.data).expect("a token"),
            "done" => return answer,
            _ => assert_eq!(event.name, "sse-open"),
        }
    }
}

fn is_end(line: &str) -> bool {
    line.contains(" after ") && line.contains(" spared")
}

#[tokio::test]
async fn an_answer_survives_a_reload_a_killed_tab_and_a_cut_connection() {
    let example = Example::start("resumable_chat").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let question = "the \"sea\"";
    let seen = async {
        let page = chromium.open(&cable.url("/")).await;
        ask(&page, question).await;
        let mut seen = vec![grown(&page, "").await];

        page.leave_by("location.reload()").await;
        seen.push(grown(&page, &seen[0]).await);

        page.crash().await;
        let page = chromium.open(&cable.url("/")).await;
        seen.push(grown(&page, &seen[1]).await);

        cable.cut();
        page.wait_until("element('state').textContent === 'Reconnecting'").await;
        cable.mend();
        page.wait_until("element('state').textContent === 'Answering'").await;
        seen.push(grown(&page, &seen[2]).await);
        assert!(page.requests("/chat?run=").len() >= 2, "over another connection");

        // What is left of an EventSource after an answer of 502, as from a proxy whose server is away.
        page.run("source.close(); source.onerror({ target: source }); null").await;
        page.wait_until("element('state').textContent === 'Answering'").await;
        seen.push(grown(&page, &seen[3]).await);

        page.wait_until("element('state').textContent === 'Ready'").await;
        seen.push(text(&page.run(ANSWER).await));
        // What is over needs no run.
        page.leave_by("location.reload()").await;
        seen.push(text(&page.run(ANSWER).await));
        seen
    };
    let (seen, answer) = tokio::join!(seen, answer(&example, question));
    assert!(answer.contains("20. One parrot sat on a wall and talked of the \"sea\"."), "{answer}");
    for (n, seen) in seen.iter().enumerate() {
        assert!(answer.starts_with(seen), "{n}: {seen}");
    }
    for part in &seen[..5] {
        assert!(part.len() < answer.len(), "all of it was there before it could be in danger");
    }
    assert_eq!(seen[5..], [answer.as_str(), answer.as_str()]);
    let ends: Vec<_> = example.printed().into_iter().filter(|line| is_end(line)).collect();
    assert_eq!(ends.len(), 2, "one model for each question: {ends:?}");
    assert!(ends.iter().all(|end| end.contains("Completed") && end.ends_with(", 0 spared")), "{ends:?}");
}

#[tokio::test]
async fn the_stop_button_stops_the_model_for_all_who_listen() {
    let example = Example::start("resumable_chat").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&cable.url("/")).await;

    // Asked while nobody is there: the question is sent again, under the same key.
    cable.cut();
    ask(&page, "the moon").await;
    page.wait_until("element('state').textContent === 'Reconnecting'").await;
    cable.mend();
    let before = grown(&page, "").await;
    let other = chromium.open(&cable.url("/")).await;
    grown(&other, &before).await;

    other.run("element('stop').click(); null").await;
    for page in [&page, &other] {
        page.wait_until("element('state').textContent === 'Stopped'").await;
    }
    let end = example.wait_for_line(is_end).await;
    assert!(end.contains("Cancelled after ") && !end.ends_with(" 0 spared"), "{end}");
    let shown = page.run(ANSWER).await;
    assert_eq!(shown, other.run(ANSWER).await);
    page.leave_by("location.reload()").await;
    assert_eq!(page.run(ANSWER).await, shown);
    assert_eq!(page.run("element('state').textContent").await, "Stopped");
    assert_eq!(example.printed().iter().filter(|line| is_end(line)).count(), 1, "there was one model");

    // And the next question has an answer of its own.
    ask(&page, "the sun").await;
    page.wait_until(&format!("({ANSWER}).includes('talked of the sun')")).await;
}

#[tokio::test]
async fn an_answer_survives_a_proxy_that_is_restarted() {
    let example = Example::start("resumable_chat").await;
    let nginx = Nginx::start(example.address()).await;
    let (http1, http2) = (nginx.http1, nginx.http2);
    let chromium = Chromium::launch().await;
    let question = "the wind";
    let seen = async {
        let page = chromium.open(&format!("http://{http1}/")).await;
        ask(&page, question).await;
        let before = grown(&page, "").await;
        // All that it passed on ends, and nobody is there.
        drop(nginx);
        page.wait_until("element('state').textContent === 'Reconnecting'").await;
        assert_eq!(page.run("fetch('/').then(() => true, () => false)").await, false);
        let shown = text(&page.run(ANSWER).await);
        let nginx = Nginx::start_at(example.address(), http1, http2).await;
        page.wait_until("element('state').textContent === 'Answering'").await;
        let after = grown(&page, &shown).await;

        // Killed, with its worker, and back again.
        drop(nginx);
        page.wait_until("element('state').textContent === 'Reconnecting'").await;
        let _nginx = Nginx::start_at(example.address(), http1, http2).await;
        page.wait_until("element('state').textContent === 'Ready'").await;
        [before, after, text(&page.run(ANSWER).await)]
    };
    let ([before, after, whole], answer) = tokio::join!(seen, answer(&example, question));
    assert!(
        answer.starts_with(&before) && answer.starts_with(&after) && after.len() < answer.len(),
        "{after}"
    );
    assert_eq!(whole, answer);
    let ends = example.printed().into_iter().filter(|line| is_end(line) && line.contains("Completed"));
    assert_eq!(ends.count(), 2, "one model for each question");
}

/// What the page shows after its server has gone and come back, and what it showed before.
async fn restarted(is_killed: bool, on_disk: bool) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = format!("redb:{}", folder.path().join("runs.redb").display());
    let start = async |port: &str| {
        let variables = [("PORT", port), ("RUNS", &runs)];
        Example::start_with("resumable_chat", &variables[..if on_disk { 2 } else { 1 }]).await
    };
    let mut example = start("0").await;
    let nginx = Nginx::start(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&format!("http://{}/", nginx.http1)).await;
    ask(&page, "the rain").await;
    let before = grown(&page, "").await;
    let port = example.address().port().to_string();
    if is_killed {
        example.kill().await;
    } else {
        assert!(example.terminate().await.success());
    }
    page.wait_until("element('state').textContent === 'Reconnecting'").await;
    // The proxy answers 502 meanwhile, at which an EventSource gives up.
    let refused = async {
        while !page.requests("/chat?run=").contains(&Some(502)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    sse_tests::within_limit("an answer of the proxy", refused).await;
    let _example = start(&port).await;
    page.wait_until("element('state').textContent === 'The rest of the answer is lost.'").await;
    let shown = text(&page.run(ANSWER).await);
    page.leave_by("location.reload()").await;
    assert_eq!(page.run(ANSWER).await, json!(shown), "it stays");
    // And the next question has an answer.
    ask(&page, "the sun").await;
    page.wait_until(&format!("({ANSWER}).includes('talked of the sun')")).await;
    (before, shown)
}

#[tokio::test]
async fn after_a_killed_server_the_page_shows_what_was_written_down_and_says_that_the_rest_is_lost() {
    for on_disk in [true, false] {
        let (before, shown) = restarted(true, on_disk).await;
        assert!(shown.starts_with(&before), "{shown:?} after {before:?}");
    }
}

#[tokio::test]
async fn after_a_restarted_server_too() {
    for on_disk in [true, false] {
        let (before, shown) = restarted(false, on_disk).await;
        assert!(shown.starts_with(&before), "{shown:?} after {before:?}");
    }
}
