//! A node that is killed while it has a run, and a stream that takes replies: what its clients are told by another one.

use std::process::Stdio;
use std::time::{Duration, Instant};

use sse_runtime::testing::TestClient;
use sse_runtime::{Replies, Result, Runs, Sse, StatusCode, routes, sse_route};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::OnServer;
use crate::log::{Log, start};
use crate::server::Server as _;
use crate::turns::{Kind, Turn};

/// Says to the other process which log to use.
const LOG: &str = "SSE_TESTS_RUNS";
const LEASE: Duration = Duration::from_secs(2);
/// How long a reply may wait for a node that is gone.
const ANSWER: Duration = Duration::from_secs(15);

#[sse_route("/count", methods = ["POST"], run = "15m", send_timeout = "off")]
async fn count(sse: Sse) -> Result<()> {
    for n in 0.. {
        sse.send(n.to_string()).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[sse_route("/asks")]
async fn asks(sse: Sse, mut replies: Replies<String>) -> Result<()> {
    sse.open().await?;
    while let Some(reply) = replies.next().await {
        reply.respond("heard")?;
    }
    Ok(())
}

async fn node(log: &Log) -> TestClient {
    let hub = start(log.hub().topic_events(8)).await;
    TestClient::new(routes![count, asks].layer(Runs::on(hub).lease(LEASE))).limit(sse_tests::LIMIT)
}

/// What the other process does until it is killed: has a run and a stream, and says what it sends.
async fn be_the_other(log: &Log) {
    let client = node(log).await;
    let mut asks = client.get("/asks").stream().await;
    let token = asks.headers()["sse-reply-token"].to_str().expect("text").to_owned();
    assert_eq!(asks.next().await.name, "sse-replies");
    let mut events = client.post("/count").stream().await;
    println!("\nsaid {} {token}", events.headers()["sse-run"].to_str().expect("text"));
    assert_eq!(events.next().await.name, "sse-open");
    loop {
        println!("\nsaid {}", events.next().await.data);
    }
}

on_each_server!(what_a_killed_node_had_is_told_by_another);

async fn what_a_killed_node_had_is_told_by_another<E: OnServer>() {
    if let Ok(log) = std::env::var(LOG) {
        let (url, name) = log.rsplit_once(' ').expect("a url and a name");
        return be_the_other(&Log::at::<E>(url.to_owned(), name.to_owned())).await;
    }
    let _turn = Turn::of(Kind::Measuring).await;
    let server = E::Server::start().await;
    let log = Log::on::<E>(&server);
    let survivor = node(&log).await;

    let test = std::thread::current().name().expect("the test's").to_owned();
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &test, "--nocapture", "--test-threads=1"])
        .env(LOG, format!("{} {}", log.url, log.name))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(other.stdout.take().expect("a pipe")).lines();
    let mut said = async || loop {
        let line = sse_tests::within_limit("a line", lines.next_line()).await.expect("text")?;
        if let Some(said) = line.strip_prefix("said ") {
            return Some(said.to_owned());
        }
    };
    let first = said().await.expect("a run and a token");
    let (run, token) = first.split_once(' ').expect("both");
    while said().await.expect("it goes on").as_str() != "50" {}

    let path = format!("/count?run={run}");
    let mut events = survivor.get(&path).stream().await;
    assert_eq!(events.next().await.name, "sse-open");
    for n in 0..100 {
        events.expect("message", &n.to_string()).await;
    }
    let reply = || survivor.post(&format!("/asks?reply={token}")).json("hello");
    assert_eq!(reply().response().await.text, r#""heard""#);

    other.kill().await.expect("it was running");
    let killed = Instant::now();
    let mut newest = 0;
    while let Some(line) = said().await {
        // The last line may be half a line.
        newest = newest.max(line.parse::<u64>().unwrap_or_default().saturating_sub(1));
    }
    let lost = async {
        let mut next = 100;
        let lost = loop {
            let event = events.next().await;
            if event.name != "message" {
                break event;
            }
            assert_eq!(event.data, next.to_string());
            next += 1;
        };
        let took = killed.elapsed();
        assert!(next > newest, "{newest} was sent, and {next} comes next");
        assert_eq!(lost.name, "run-lost");
        events.expect_end().await;
        println!("{}: lost {took:.1?} after the end of its node", E::Server::NAME);
        assert!(took < LEASE + Duration::from_secs(2), "{took:?}");
        let again = survivor.get(&path).last_event_id(lost.id.expect("an id")).response().await;
        assert_eq!(again.status, StatusCode::NO_CONTENT);
        // Who comes later is told the same.
        let rest = survivor.get(&path).stream().await.rest().await;
        assert_eq!(rest.last().expect("a last word").name, "run-lost");
        assert_eq!(u64::try_from(rest.len()), Ok(next + 2), "an event before and one after the numbers");
    };
    let answered = async {
        let answer = tokio::time::timeout(ANSWER, reply().response()).await.expect("an answer in time");
        assert!(
            [StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status),
            "{answer:?}"
        );
    };
    tokio::join!(lost, answered);
}
