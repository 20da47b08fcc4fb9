//! The inspector's page, beside a page whose streams it shows: what it tells, and what its buttons do to that page.

use serde_json::json;
use sse_tests::{Example, get};

use crate::{chromium::Chromium, page::Page};

/// The row of the stream whose path this is.
fn row(path: &str) -> String {
    format!(
        "[...element('streams').tBodies[0].rows].find(row => row.cells[1].textContent.startsWith('{path}'))"
    )
}

/// A page with three streams, and the inspector beside it, which has seen them.
async fn open(example: &Example, chromium: &Chromium) -> (Page, Page) {
    let page = chromium.open(&example.url("/")).await;
    page.wait_until("Object.values(rooms).every(room => room.opened === 1)").await;
    let inspector = chromium.open(&example.url("/_sse")).await;
    inspector.run("element = id => document.getElementById(id); null").await;
    inspector.wait_until("element('state').textContent === 'Live'").await;
    inspector.wait_until("element('streams').tBodies[0].rows.length === 3").await;
    (page, inspector)
}

/// Chooses a stream, and waits until the inspector tells of it alone.
async fn choose(inspector: &Page, path: &str) {
    inspector.run(&format!("{}.click()", row(path))).await;
    inspector.wait_until(&format!("element('facts').innerText.includes('{path}')")).await;
}

#[tokio::test]
async fn routes_streams_and_topics_appear_and_events_while_they_leave() {
    let example = Example::start("inspector").await;
    let chromium = Chromium::launch().await;
    let (page, inspector) = open(&example, &chromium).await;

    let routes = "[...element('routes').tBodies[0].rows].map(row => row.cells[1].textContent)";
    assert_eq!(inspector.run(routes).await, json!(["/rooms/{room}", "/clock", "/kettle"]));
    let topics =
        "[...document.querySelectorAll('#hubs tbody tr')].map(row => row.cells[0].textContent).sort()";
    inspector.wait_until(&format!("({topics}).join() === 'attic,garden,lobby'")).await;
    let clock = row("/clock");
    inspector.wait_until(&format!("Number({clock}.cells[4].textContent) >= 3")).await;
    assert_eq!(inspector.run(&format!("{clock}.cells[2].textContent")).await, "127.0.0.1");
    let name = page.run("visitor").await;
    let lobby = row("/rooms/lobby");
    assert_eq!(inspector.run(&format!("{lobby}.querySelector('.chip').textContent")).await, name);

    inspector
        .wait_until("[...element('tail').children].some(line => line.innerText.startsWith('tick'))")
        .await;
    inspector
        .wait_until("[...element('tail').children].some(line => line.innerText.startsWith('said'))")
        .await;
    inspector.wait_until("element('line').getAttribute('d')?.match(/L/g).length >= 3").await;
    inspector.wait_until("/^Events per second: [1-9]/.test(element('picture').ariaLabel)").await;
    inspector.show().await;
    let height = inspector.run("element('line').getBoundingClientRect().height").await;
    assert!(height.as_f64() > Some(1.0), "it is drawn: {height}");

    // A page that leaves is gone from it, too.
    page.close().await;
    inspector.wait_until("element('streams').tBodies[0].rows.length === 0").await;
    assert_eq!(inspector.run("element('no-streams').textContent").await, "No stream is open.");
    let from_elsewhere: Vec<_> = inspector.requested();
    let origin = example.url("/");
    assert!(
        from_elsewhere.iter().all(|url| url.starts_with(&origin) || url == "data:,"),
        "{from_elsewhere:?}"
    );
}

#[tokio::test]
async fn a_stream_is_closed_and_its_page_comes_back() {
    let example = Example::start("inspector").await;
    let chromium = Chromium::launch().await;
    let (page, inspector) = open(&example, &chromium).await;
    choose(&inspector, "/rooms/lobby").await;
    inspector.run("element('close').click()").await;
    inspector.wait_until("element('answer').textContent.endsWith(': closed')").await;

    page.wait_until("rooms['/rooms/lobby'].closed.includes('Kicked: closed in the inspector')").await;
    page.wait_until("rooms['/rooms/lobby'].opened === 2").await;
    assert_eq!(page.run("rooms['/rooms/garden'].opened").await, 1, "the others go on");
    inspector.wait_until("element('whose').textContent.endsWith('which is over')").await;
    inspector.wait_until("element('streams').tBodies[0].rows.length === 3").await;
    assert_eq!(inspector.run("element('close').disabled && element('stall').disabled").await, true);
}

#[tokio::test]
async fn a_stream_is_stalled_and_released_and_misses_nothing() {
    let example = Example::start("inspector").await;
    let chromium = Chromium::launch().await;
    let (page, inspector) = open(&example, &chromium).await;
    page.wait_until("rooms['/clock'].list.children.length >= 1").await;
    choose(&inspector, "/clock").await;
    inspector.run("element('stall').click()").await;
    inspector.wait_until("element('answer').textContent.endsWith(': stalled')").await;
    inspector.wait_until(&format!("{}.innerText.includes('stalled')", row("/clock"))).await;
    let heard = page.run("rooms['/clock'].list.firstChild.textContent").await;

    // The page notices; the other streams are as they were.
    page.show().await;
    page.wait_until("document.querySelectorAll('main section')[2].innerText.includes('silent for')").await;
    assert_eq!(page.run("rooms['/clock'].list.firstChild.textContent").await, heard);
    assert_eq!(page.run("rooms['/clock'].opened").await, 1);

    inspector.show().await;
    inspector.wait_until("element('stall').textContent === 'Release'").await;
    inspector.run("element('stall').click()").await;
    page.wait_until(&format!("rooms['/clock'].list.firstChild.textContent !== {heard}")).await;
    let heard: u64 = heard
        .as_str()
        .and_then(|text| text.strip_prefix("tick "))
        .expect("a tick")
        .parse()
        .expect("a number");
    let all = "[...rooms['/clock'].list.children].map(line => line.textContent)";
    let all = page.run(all).await.to_string();
    assert!(all.contains(&format!("\"tick {}\"", heard + 1)), "{all}");
}

#[tokio::test]
async fn a_run_is_shown_with_its_clients_and_cancelled() {
    let example = Example::start("inspector").await;
    let chromium = Chromium::launch().await;
    let (page, inspector) = open(&example, &chromium).await;
    assert_eq!(inspector.run("element('runs-section').hidden").await, true, "there is none");

    page.run("document.getElementById('kettle').click()").await;
    page.wait_until("location.hash.length === 27 && kettle?.readyState === EventSource.OPEN").await;
    let id = page.run("location.hash.slice(1)").await;
    let id = id.as_str().expect("an id");
    let cells = "[...element('runs').tBodies[0].rows[0]?.cells ?? []].map(cell => cell.textContent)";
    let attached = |count: u32| format!("({cells})[5] === '{count}'");
    inspector.wait_until(&attached(1)).await;
    assert_eq!(inspector.run(&format!("({cells})[1]")).await, format!("{}…", &id[..6]));
    assert_eq!(inspector.run(&format!("({cells})[2]")).await, "/kettle");
    assert_eq!(inspector.run(&format!("({cells})[8]")).await, "running");
    inspector.wait_until(&format!("Number(({cells})[6]) >= 3 && /^4 m \\d+ s$/.test(({cells})[4])")).await;
    assert_eq!(
        inspector.run("element('runs-note').textContent").await,
        "of this process; 1 go on, 0 are over"
    );

    let mut other = get(example.address(), &format!("/kettle?run={id}")).await;
    assert_eq!(other.event().await.expect("the first").name, "sse-open");
    inspector.wait_until(&attached(2)).await;
    drop(other);
    inspector.wait_until(&attached(1)).await;

    // Pressed once, the button asks; and after a while forgets that.
    let button = "element('runs').tBodies[0].rows[0].querySelector('button')";
    inspector.run(&format!("{button}.click()")).await;
    assert_eq!(inspector.run(&format!("{button}.textContent")).await, "Cancel, really?");
    inspector.wait_until(&format!("{button}.textContent === 'Cancel'")).await;
    assert_eq!(inspector.run(&format!("({cells})[8]")).await, "running");
    inspector.run(&format!("{button}.click(); {button}.click()")).await;
    inspector.wait_until("/^Run \\d+: cancelled$/.test(element('answer').textContent)").await;

    example.wait_for_line(|line| line.ends_with("the kettle is off: Cancelled")).await;
    let degrees = "document.getElementById('degrees').textContent";
    page.wait_until(&format!("{degrees} === 'It is off: Cancelled, cancelled in the inspector.'")).await;
    inspector.wait_until(&format!("({cells})[8] === 'Cancelled' && {button}.hidden")).await;
    inspector.wait_until("element('runs-note').textContent.endsWith('0 go on, 1 are over')").await;
    assert_eq!(page.run("Object.values(rooms).every(room => room.opened === 1)").await, true, "others go on");

    // It was told of the run's events and of its clients' places in it, but never whose they were.
    let received = inspector.received();
    for told in ["degrees", &format!("{}….", &id[..6])] {
        assert!(received.contains(told), "{told}");
    }
    assert!(!received.contains(&id[..7]));
    assert_eq!(
        inspector.run(&format!("document.documentElement.outerHTML.includes('{}')", &id[..7])).await,
        false
    );
    assert!(!inspector.requested().concat().contains(&id[..7]));
}

#[tokio::test]
async fn an_event_of_ones_own_reaches_one_page_as_it_was_written() {
    let example = Example::start("inspector").await;
    let chromium = Chromium::launch().await;
    let (page, inspector) = open(&example, &chromium).await;
    choose(&inspector, "/rooms/garden").await;
    let markup = "<img src=x onerror=alert(1)>";
    inspector
        .run(&format!(
            "form = element('send');
             form.elements.name.value = 'try';
             form.elements.data.value = '{markup}';
             form.querySelector('button').click()"
        ))
        .await;
    inspector.wait_until("element('answer').textContent.endsWith(': sent')").await;
    let texts = "[...rooms['/rooms/garden'].list.children].map(line => line.textContent)";
    page.wait_until(&format!("{texts}.includes('try {markup}')")).await;
    let others = "[...rooms['/rooms/lobby'].list.children, ...rooms['/clock'].list.children]";
    assert_eq!(page.run(&format!("{others}.some(line => line.textContent.startsWith('try'))")).await, false);

    // And it is shown as it left, as text.
    inspector.wait_until(&format!("element('tail').innerText.includes('{markup}')")).await;
    assert_eq!(inspector.run("document.images.length").await, 0);

    inspector.run("form.elements.name.value = 'a\\0b'; form.querySelector('button').click()").await;
    inspector.wait_until("element('answer').classList.contains('refused')").await;
    let answer = inspector.run("element('answer').textContent").await.to_string();
    assert!(answer.contains("name"), "{answer}");
}

#[tokio::test]
async fn a_filter_and_an_order_are_the_programs_to_apply() {
    let example = Example::start("inspector").await;
    let chromium = Chromium::launch().await;
    let (_page, inspector) = open(&example, &chromium).await;
    inspector
        .run("element('filter').value = 'GARDEN'; element('filter').oninput({ target: element('filter') })")
        .await;
    inspector.wait_until("element('streams-note').textContent === '1 of 3 match'").await;
    assert_eq!(inspector.run("element('streams').tBodies[0].rows.length").await, 1);
    assert_eq!(inspector.run("document.querySelectorAll('#hubs tbody tr').length").await, 1);
    inspector
        .run("element('filter').value = ''; element('filter').oninput({ target: element('filter') })")
        .await;
    inspector.wait_until("element('streams').tBodies[0].rows.length === 3").await;

    let numbers = "[...element('streams').tBodies[0].rows].map(row => Number(row.cells[0].textContent))";
    inspector.wait_until(&format!("(all => all[0] < all[2])({numbers})")).await;
    inspector.run("document.querySelector('[data-sort=newest]').click()").await;
    inspector.wait_until(&format!("(all => all[0] > all[2])({numbers})")).await;
}

#[tokio::test]
async fn a_restart_of_the_program_is_a_new_beginning() {
    let mut example = Example::start("inspector").await;
    let chromium = Chromium::launch().await;
    let (page, inspector) = open(&example, &chromium).await;
    choose(&inspector, "/clock").await;
    page.close().await;

    let port = example.address().port();
    assert!(example.terminate().await.success());
    inspector.wait_until("element('state').dataset.is === 'lost'").await;
    let _restarted = Example::start_on("inspector", port).await;
    inspector.wait_until("element('state').textContent === 'Live'").await;
    inspector.wait_until("element('chosen').hidden").await;
    inspector.wait_until("element('tail').children.length === 0").await;
    inspector.wait_until("element('streams').tBodies[0].rows.length === 0").await;
}

#[tokio::test]
async fn another_page_cannot_press_its_buttons() {
    let example = Example::start("inspector").await;
    let other = Example::start("quickstart").await;
    let chromium = Chromium::launch().await;
    let (_page, inspector) = open(&example, &chromium).await;
    let id = inspector.run(&format!("{}.cells[0].textContent", row("/clock"))).await;
    let id = id.as_str().expect("a number");

    // Served by this machine too, but not by this program.
    let page = chromium.open(&other.url("/")).await;
    for button in ["streams/{id}/close", "runs/{id}/cancel"] {
        let button = example.url(&format!("/_sse/{}", button.replace("{id}", id)));
        page.run(&format!(
            "asked = fetch('{button}', {{ method: 'POST', mode: 'no-cors', body: '{{}}' }}).catch(error => error.name);
             preflighted = fetch('{button}', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }} }})
               .catch(error => error.name);
             null"
        ))
        .await;
        assert_eq!(page.run("asked").await, "TypeError");
        assert_eq!(page.run("preflighted").await, "TypeError");
    }
    page.run(&format!("spy = new EventSource('{}'); null", example.url("/_sse/events"))).await;
    page.wait_until("spy.readyState === EventSource.CLOSED").await;
    assert_eq!(page.requests("/_sse/events").len(), 1, "it is refused for good");

    inspector.run("before = element('events').textContent; null").await;
    inspector.wait_until("element('events').textContent !== before").await;
    assert_eq!(
        inspector.run(&format!("{}.cells[0].textContent", row("/clock"))).await,
        id,
        "it is still open"
    );
}
