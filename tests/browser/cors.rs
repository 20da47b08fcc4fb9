//! The example `cors`: two real origins, and a third that is on no list.

use serde_json::json;
use sse_tests::Example;

use crate::{cable::Cable, chromium::Chromium, page::Page};

/// The address of the page, which is of another origin than the streams.
async fn page_of(example: &Example) -> String {
    let line = example.wait_for_line(|line| line.starts_with("open ")).await;
    line.split_once("open ").expect("the line was chosen for it").1.to_owned()
}

async fn listen(page: &Page, name: &str) {
    page.run(&format!("choice.elements.name.value = '{name}'; choice.requestSubmit(); null")).await;
}

const SAID: &str = "[element('native').textContent, element('client').textContent]";
const ELEMENT: &str = "element = (id) => document.getElementById(id); null";

#[tokio::test]
async fn a_page_of_a_listed_origin_reads_the_stream_with_its_cookie_both_ways() {
    let example = Example::start("cors").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&page_of(&example).await).await;
    page.run(ELEMENT).await;
    assert_ne!(page.run("location.origin").await, example.url("").as_str(), "two origins");

    listen(&page, "ada").await;
    page.wait_until(&format!("{SAID}.every((said) => /^ada: [0-9]+$/.test(said))")).await;
    page.run(&format!("before = {SAID}.join(); null")).await;
    page.wait_until(&format!("{SAID}.join() !== before")).await;
    assert_eq!(page.requests("/events"), [Some(200), Some(200)], "one each, and no preflight");

    // Who does not ask for credentials sends no cookie, and reads why it is refused.
    let refused =
        format!("fetch('{}').then(async (it) => [it.status, await it.text()])", example.url("/events"));
    assert_eq!(page.run(&refused).await, json!([401, "no nickname"]));
}

#[tokio::test]
async fn a_page_of_another_origin_gets_nothing() {
    let example = Example::start("cors").await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&page_of(&example).await.replace("127.0.0.1", "localhost")).await;
    page.run(ELEMENT).await;

    listen(&page, "eve").await;
    page.wait_until("element('native').textContent === 'refused'").await;
    page.wait_until("element('client').textContent.startsWith('0 ')").await;
    let url = example.url("/events");
    for options in ["{}", "{ credentials: 'include' }", "{ headers: { 'last-event-id': 'a-1' } }"] {
        let outcome = page.run(&format!("fetch('{url}', {options}).then(() => 'read', () => 'kept')")).await;
        assert_eq!(outcome, "kept", "{options}");
    }
    let opaque =
        format!("fetch('{url}', {{ mode: 'no-cors' }}).then(({{ status, body }}) => [status, body])");
    assert_eq!(page.run(&opaque).await, json!([0, null]));
}

#[tokio::test]
async fn a_lost_connection_is_resumed_across_origins() {
    let example = Example::start("cors").await;
    // To a browser, its end is one more origin; what is allowed is the page's.
    let cable = Cable::to(example.address()).await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&page_of(&example).await).await;
    let script = format!(
        "numbers = {{ native: [], client: [] }}; resumed = {{ native: [], client: [] }};
         (async () => {{
           const {{ connect }} = await import('/sse-client.js');
           const body = new URLSearchParams({{ name: 'ada' }});
           await fetch('{nickname}', {{ method: 'POST', body, credentials: 'include' }});
           source = new EventSource('{events}', {{ withCredentials: true }});
           source.addEventListener('number', ({{ data }}) => numbers.native.push(Number(data)));
           source.addEventListener('sse-open', ({{ data }}) => resumed.native.push(JSON.parse(data).resumed));
           stream = connect('{events}', {{
             credentials: 'include',
             on: {{ hello() {{}}, number: (n) => numbers.client.push(n) }},
             onOpen: (open) => resumed.client.push(open.resumed),
           }});
         }})()",
        nickname = cable.url("/nickname"),
        events = cable.url("/events"),
    );
    page.run(&script).await;
    page.wait_until("numbers.native.length >= 2 && numbers.client.length >= 2").await;

    cable.cut();
    page.wait_until("source.readyState === EventSource.CONNECTING && stream.state === 'waiting'").await;
    let before = page.run("[numbers.native.length, numbers.client.length]").await;
    cable.mend();
    let more = format!(
        "numbers.native.length >= {} + 2 && numbers.client.length >= {} + 2",
        before[0].as_u64().expect("a number"),
        before[1].as_u64().expect("a number")
    );
    page.wait_until(&more).await;
    let in_order = "Object.values(numbers).every((all) => all.every((n, i) => n === all[0] + i))";
    assert_eq!(page.run(in_order).await, true, "{}", page.run("numbers").await);
    assert_eq!(page.run("[resumed.native.at(-1), resumed.client.at(-1)]").await, json!([true, true]));
}
