//! A process that is killed while a run goes on: the one that is started on its file replays it, and says that it is lost.

use std::time::{Duration, Instant};

use sse_runtime::engine::Redb;
use sse_runtime::testing::TestClient;
use sse_runtime::{Hub, Result, Runs, Sse, StatusCode, routes, sse_route};

use super::process::{Process, file_given, say};

const LEASE: Duration = Duration::from_secs(2);

/// Counts for ever, as far as a test is concerned.
#[sse_route("/count", methods = ["POST"], run = "15m")]
async fn count(sse: Sse) -> Result<()> {
    for n in 0.. {
        sse.send(n.to_string()).await?;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

fn client(hub: Hub) -> TestClient {
    TestClient::new(routes![count].layer(Runs::on(hub).lease(LEASE))).limit(sse_tests::LIMIT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_replayed_by_the_next_process_and_said_to_be_lost() {
    if let Some(file) = file_given() {
        let mut events = client(super::on(Redb::open(file)).await).post("/count").stream().await;
        say(events.headers()["sse-run"].to_str().expect("text"));
        assert_eq!(events.next().await.name, "sse-open");
        loop {
            let event = events.next().await;
            say(&format!("{} {}", event.id.expect("an id"), event.data));
        }
    }
    let (_folder, file) = super::file();
    let mut process =
        Process::start("runs::a_run_is_replayed_by_the_next_process_and_said_to_be_lost", &file);
    let run = process.next().await.expect("its run");
    let mut said = Vec::new();
    while said.len() < 100 {
        said.push(process.next().await.expect("it goes on for ever"));
    }
    process.kill().await;
    while let Some(line) = process.next().await {
        said.push(line);
    }

    let client = client(super::open(&file).await);
    let begun = Instant::now();
    let path = format!("/count?run={run}");
    let mut whole = client.get(&path).stream().await;
    let (last, _) = said[49].split_once(' ').expect("an id");
    let mut rest = client.get("/count").last_event_id(last).stream().await;
    for (events, first) in [(&mut whole, 0), (&mut rest, 50)] {
        assert_eq!(events.next().await.name, "sse-open");
        let mut next = first;
        let lost = loop {
            let event = events.next().await;
            if event.name != "message" {
                break event;
            }
            assert_eq!(event.data, next.to_string());
            // The last line of the process may be half a line.
            if next + 1 < said.len() {
                assert_eq!(said[next], format!("{} {next}", event.id.expect("an id")));
            }
            next += 1;
        };
        assert!(next + 1 >= said.len(), "{next} of {}", said.len());
        assert_eq!(lost.name, "run-lost");
        events.expect_end().await;
        let again = client.get(&path).last_event_id(lost.id.expect("an id")).response().await;
        assert_eq!(again.status, StatusCode::NO_CONTENT);
    }
    assert!(begun.elapsed() >= LEASE && begun.elapsed() < 2 * LEASE, "{:?}", begun.elapsed());
}
