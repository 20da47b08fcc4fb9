//! The page of the example `ai_ui`, which reads a stream that it asked for with a POST.

use serde_json::json;
use sse_tests::Example;

use crate::{chromium::Chromium, page::Page};

/// Types a question and sends it.
async fn ask(page: &Page, question: &str) {
    page.run(&format!(
        "element('question').value = {}; element('form').requestSubmit(); null",
        json!(question)
    ))
    .await;
}

#[tokio::test]
async fn the_answer_grows_word_by_word_and_the_next_question_has_its_own() {
    let example = Example::start("ai_ui").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    page.run(
        "shown = new Set();
         note = () => shown.add(element('list').lastChild.textContent);
         new MutationObserver(note).observe(element('list'), { childList: true, subtree: true });
         null",
    )
    .await;
    ask(&page, "Who is there?").await;
    page.wait_until("element('state').textContent === 'Ready' && messages.length === 2").await;
    assert_eq!(page.run("[...shown]").await, json!(["Who is there?", "", "Who ", "Who is "]));

    ask(&page, "Nobody.").await;
    page.wait_until("element('state').textContent === 'Ready' && messages.length === 4").await;
    let lines =
        page.run("[...element('list').children].map(line => [line.dataset.role, line.textContent])").await;
    let expected = [
        ["user", "Who is there?"],
        ["assistant", "Who is there?"],
        ["user", "Nobody."],
        ["assistant", "Nobody."],
    ];
    assert_eq!(lines, json!(expected));
}

#[tokio::test]
async fn the_stop_button_stops_the_model() {
    let example = Example::start("ai_ui").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    ask(&page, &"word ".repeat(1000)).await;
    page.wait_until(
        "element('list').lastChild?.textContent.startsWith('word word ') && messages.length === 2",
    )
    .await;
    assert_eq!(page.run("element('state').textContent").await, "Answering");
    page.run("element('stop').click(); null").await;
    page.wait_until("element('state').textContent === 'Stopped'").await;
    let left = |line: &str| line.contains("ClientClosed after ") && line.contains(" of 1000 tokens");
    example.wait_for_line(left).await;
    assert_eq!(page.run("element('send').disabled || !element('stop').disabled").await, false);
}

#[tokio::test]
async fn a_closed_tab_stops_the_model_and_a_server_that_goes_is_no_end_of_an_answer() {
    let mut example = Example::start("ai_ui").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    let other = chromium.open(&example.url("/")).await;
    for page in [&page, &other] {
        ask(page, &"word ".repeat(1000)).await;
        page.wait_until("messages.length === 2 && messages[1].parts[0].text !== ''").await;
    }
    other.close().await;
    example
        .wait_for_line(|line| line.contains("ClientClosed after ") && line.contains(" of 1000 tokens"))
        .await;
    assert!(example.terminate().await.success());
    page.wait_until("element('state').textContent === 'The answer broke off.'").await;
}
