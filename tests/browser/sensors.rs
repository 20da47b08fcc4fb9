//! The page of the example `sensors`: rows of a real PostgreSQL, which is killed while it watches.

use std::time::Duration;

use serde_json::json;
use sse_tests::Example;
use tokio_postgres::{Client, NoTls};

use crate::chromium::Chromium;
use crate::page::Page;
use crate::server::{Postgres, Server};

async fn login(server: &Postgres) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.expect("logged in");
    tokio::spawn(connection);
    client
}

async fn start(server: &Postgres) -> (Example, Chromium, Page) {
    let example = Example::start_with("sensors", &[("DATABASE_URL", &server.url()), ("READINGS", "0")]).await;
    let chromium = Chromium::launch().await;
    let page = chromium.open(&example.url("/")).await;
    page.wait_until("element('state').textContent === 'Live'").await;
    (example, chromium, page)
}

/// What the card of a sensor says.
fn card(sensor: &str) -> String {
    format!(
        "[...document.querySelectorAll('#sensors li')].find(card => card.innerText.includes('{sensor}'))?.innerText.split(/\\s+/).join(' ')"
    )
}

#[tokio::test]
async fn who_comes_late_sees_the_last_minute_and_then_what_changes() {
    let server = Postgres::start().await;
    let (example, chromium, page) = start(&server).await;
    let client = login(&server).await;
    client
        .batch_execute("INSERT INTO readings (sensor, celsius) VALUES ('roof', 20), ('roof', 30)")
        .await
        .expect("written");
    page.wait_until(&format!("{}?.endsWith('20.0 to 30.0 °C in 2 readings')", card("roof"))).await;

    let late = chromium.open(&example.url("/")).await;
    late.wait_until(&format!("{}?.endsWith('20.0 to 30.0 °C in 2 readings')", card("roof"))).await;
    // Over the program, as a sensor would.
    let post = "fetch('/readings', { method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sensor: 'attic', celsius: 12.25 }) }).then(answer => answer.status)";
    assert_eq!(late.run(post).await, 201);
    for page in [&late, &page] {
        page.show().await;
        page.wait_until(&format!("{} === 'attic 12.3 °C 12.3 to 12.3 °C in 1 reading'", card("attic"))).await;
    }
    client.batch_execute("DELETE FROM sensors_view_1s WHERE sensor = 'roof'").await.expect("deleted");
    client.batch_execute("INSERT INTO readings (sensor, celsius) VALUES ('roof', 7)").await.expect("written");
    page.wait_until(&format!("{} === 'roof 7.0 °C 7.0 to 7.0 °C in 1 reading'", card("roof"))).await;
}

const READINGS: u64 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_and_the_page_misses_nothing_and_sees_nothing_twice() {
    let mut server = Postgres::start().await;
    let (example, _chromium, page) = start(&server).await;
    page.run(
        "counts = [];
         for (const name of ['insert', 'update'])
           source.addEventListener(name, ({ data }) => counts.push(JSON.parse(data).row.readings));
         null",
    )
    .await;
    // All of one second, so that its row counts from one up.
    let mut client = login(&server).await;
    for n in 0..READINGS {
        if n == READINGS / 2 {
            server.kill().await;
            example.wait_for_line(|line| line.contains("a change feed does not work")).await;
            server.start_again().await;
            client = login(&server).await;
        }
        let insert =
            "INSERT INTO readings (sensor, celsius, at) VALUES ('roof', 20, '2026-01-01 00:00:00+00')";
        client.batch_execute(insert).await.expect("written");
        if n % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    page.wait_until(&format!("counts.length >= {READINGS}")).await;
    let expected: Vec<_> = (1..=READINGS).collect();
    assert_eq!(page.run("counts").await, json!(expected));
    page.wait_until(&format!("{}?.endsWith('20.0 to 20.0 °C in {READINGS} readings')", card("roof"))).await;
    assert_eq!(page.requests("/sensors"), [Some(200)], "the page's stream was never cut");
    example.wait_for_line(|line| line.contains("a change feed works again")).await;
}
