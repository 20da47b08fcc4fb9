//! The page of the example `quiz`, by two who play: questions over the stream, answers into it, scores to both.

use serde_json::{Value, json};
use sse_tests::Example;

use crate::cable::Cable;
use crate::chromium::Chromium;
use crate::page::Page;

/// The table, best first.
const TABLE: &str =
    "[...element('scores').rows].map(row => [...row.cells].map(cell => cell.textContent).join(' '))";

async fn join(chromium: &Chromium, url: &str, name: &str) -> Page {
    let page = chromium.open(url).await;
    page.run(&format!("element('name').value = '{name}'; element('join').requestSubmit(); null")).await;
    asked(&page, 1).await;
    page
}

async fn asked(page: &Page, number: u8) {
    let number = format!("element('number').textContent === 'Question {number} of 5'");
    page.wait_until(&format!("!element('asked').hidden && {number}")).await;
}

/// Presses the button that says this.
async fn choose(page: &Page, text: &str) {
    page.run(&format!(
        "[...element('choices').children].find(one => one.textContent === '{text}').click(); null"
    ))
    .await;
}

async fn see(pages: [&Page; 2], table: [&str; 2]) {
    for page in pages {
        page.wait_until(&format!("JSON.stringify({TABLE}) === {}", json!(json!(table).to_string()))).await;
    }
}

#[tokio::test]
async fn two_play_and_both_see_the_scores_of_both() {
    let example = Example::start("quiz").await;
    let chromium = Chromium::launch().await;
    let ada = join(&chromium, &example.url("/"), "Ada").await;
    choose(&ada, "Last-Event-ID").await;
    asked(&ada, 2).await;
    // Who comes later sees what was before.
    let bob = join(&chromium, &example.url("/"), "Bob").await;
    see([&ada, &bob], ["Ada 1 1", "Bob 0 0"]).await;
    choose(&bob, "Range").await;
    asked(&bob, 2).await;
    bob.wait_until("element('state').textContent === 'No: Last-Event-ID.'").await;
    see([&ada, &bob], ["Ada 1 1", "Bob 1 0"]).await;

    for (number, right) in [(2, "204"), (3, "an empty line"), (4, "retry"), (5, "nothing")] {
        asked(&bob, number).await;
        choose(&bob, right).await;
        bob.wait_until("element('state').textContent.startsWith('Right.')").await;
    }
    bob.wait_until("element('state').textContent === 'Right. That was the last question.'").await;
    see([&ada, &bob], ["Bob 5 4", "Ada 1 1"]).await;
    // Bob watches.
    choose(&ada, "301").await;
    see([&ada, &bob], ["Bob 5 4", "Ada 2 1"]).await;
}

/// Posts an answer from the page, with a key, as often as that; what was answered each time.
async fn post(page: &Page, key: &str, times: usize, answer: Value) -> Value {
    page.run(&format!(
        "Promise.all(Array.from({{ length: {times} }}, async () => {{
             const headers = {{ 'content-type': 'application/json', 'idempotency-key': '{key}' }};
             const body = JSON.stringify({answer});
             const response = await fetch('/quiz?reply=' + token, {{ method: 'POST', headers, body }});
             return [response.status, await response.text()];
         }}))"
    ))
    .await
}

#[tokio::test]
async fn one_answers_twice_and_another_too_late() {
    let example = Example::start("quiz").await;
    let chromium = Chromium::launch().await;
    let ada = join(&chromium, &example.url("/"), "Ada").await;
    let bob = join(&chromium, &example.url("/"), "Bob").await;
    // Over a bad network, each answer is on its way three times.
    let answer = json!({ "question": 0, "choice": 1 });
    let verdict = json!([200, r#"{"is_right":true,"right":"Last-Event-ID"}"#]);
    assert_eq!(post(&ada, "a", 3, answer.clone()).await, json!([verdict, verdict, verdict]));
    asked(&ada, 2).await;
    assert_eq!(post(&ada, "a", 1, answer.clone()).await, json!([verdict]), "the same, later");
    see([&ada, &bob], ["Ada 1 1", "Bob 0 0"]).await;
    // With another key, it is another answer, to a question that is over.
    assert_eq!(post(&ada, "b", 1, answer).await, json!([[409, "this question is answered"]]));

    // Bob has two windows, and answers in the first what the second still shows.
    let me = bob.run("sessionStorage.quiz").await;
    let second = chromium.open(&example.url("/")).await;
    second.run(&format!("me = JSON.parse({me}); play(); null")).await;
    asked(&second, 1).await;
    for (number, right) in [(1, "Last-Event-ID"), (2, "204"), (3, "an empty line"), (4, "retry")] {
        asked(&bob, number).await;
        choose(&bob, right).await;
    }
    asked(&bob, 5).await;
    see([&second, &ada], ["Bob 4 4", "Ada 1 1"]).await;
    choose(&second, "Range").await;
    asked(&second, 5).await;
    choose(&bob, "nothing").await;
    bob.wait_until("element('state').textContent === 'Right. That was the last question.'").await;
    assert_eq!(
        post(&bob, "c", 1, json!({ "question": 4, "choice": 0 })).await,
        json!([[404, "no such stream"]])
    );
    choose(&second, "the end").await;
    second.wait_until("element('asked').hidden").await;
    see([&ada, &second], ["Bob 5 5", "Ada 1 1"]).await;
    see([&bob, &second], ["Bob 5 5", "Ada 1 1"]).await;
}

#[tokio::test]
async fn a_lost_connection_and_a_reload_ask_again_what_is_not_answered() {
    let example = Example::start("quiz").await;
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let ada = join(&chromium, &cable.url("/"), "Ada").await;
    let bob = join(&chromium, &example.url("/"), "Bob").await;
    choose(&ada, "Last-Event-ID").await;
    asked(&ada, 2).await;
    let first = ada.run("token").await;

    cable.cut();
    ada.wait_until("element('state').textContent === 'Reconnecting'").await;
    choose(&bob, "Last-Event-ID").await;
    asked(&bob, 2).await;
    cable.mend();
    see([&ada, &bob], ["Ada 1 1", "Bob 1 1"]).await;
    ada.wait_until("[...element('choices').children].every(button => !button.disabled)").await;
    assert_ne!(ada.run("token").await, first);
    asked(&ada, 2).await;
    // What was answered before is not counted again, and a token of a stream that is over leads nowhere.
    let post = |token: &str| {
        format!(
            "fetch('/quiz?reply=' + {token}, {{ method: 'POST', headers: {{ 'content-type': 'application/json' }},
             body: JSON.stringify({{ question: 0, choice: 1 }}) }}).then(answer => answer.status)"
        )
    };
    assert_eq!(ada.run(&post(&first.to_string())).await, 404);
    assert_eq!(ada.run(&post("token")).await, 409);

    choose(&ada, "204").await;
    asked(&ada, 3).await;
    ada.leave_by("location.reload()").await;
    asked(&ada, 3).await;
    see([&ada, &bob], ["Ada 2 2", "Bob 1 1"]).await;
}
