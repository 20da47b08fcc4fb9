//! Places are limited: storms must not use them up, nor names that attackers give themselves.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use sse_runtime::{Admission, Hub, Result, Sse, routes, sse_route};
use sse_tests::{is_alone, open_files};
use tokio::net::TcpStream;

use crate::peer::{connect, exchange, get, read_until, reset, send, until};
use crate::target::{App, Ledger, Target, app};
use crate::witness::Witness;

const PLACES: usize = 50;
const STORM: usize = 600;

#[sse_route("/few", max_streams = 50)]
async fn few(sse: Sse, State(ledger): State<Ledger>) -> Result<()> {
    ledger.enter(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

/// As an `EventSource` asks.
fn request(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nconnection: close\r\n{more}\r\n")
}

async fn fill(target: &Target) -> Vec<TcpStream> {
    let mut inside = Vec::new();
    for _ in 0..PLACES {
        let mut socket = send(target.address, request("/few", "")).await;
        read_until(&mut socket, "data: x\n\n").await;
        inside.push(socket);
    }
    inside
}

/// When this answer tells its client to come back, if it does.
fn told_full(answer: &str) -> Option<&str> {
    let told = answer.starts_with("HTTP/1.1 200 ")
        && answer.contains("event: sse-bye\n")
        && answer.contains("\"Full\"");
    answer.lines().find_map(|line| line.strip_prefix("retry: ")).filter(|_| told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn storms_on_a_full_route_put_nobody_out_and_lose_no_place() {
    if !is_alone("admission::storms_on_a_full_route_put_nobody_out_and_lose_no_place") {
        return;
    }
    let app: Router<App> = routes![few].merge(app());
    let target = Target::with(app, Hub::default(), |serve| serve).await;
    let files = open_files();
    for round in 1..=2 {
        let inside = fill(&target).await;
        let witness = Witness::start(target.address);
        let begun = Instant::now();
        let mut retries = HashSet::new();
        for number in 0..STORM {
            if number % 2 == 0 {
                reset(send(target.address, request("/few", "")).await);
            } else {
                let answer = exchange(target.address, request("/few", "")).await;
                retries.insert(told_full(&answer).unwrap_or_else(|| panic!("{answer}")).to_owned());
            }
        }
        println!(
            "a full house of {PLACES}: {STORM} more in {:.1?}, told {} times to come back; {}",
            begun.elapsed(),
            retries.len(),
            witness.served()
        );
        assert!(retries.len() > STORM / 5, "they are told different times: {}", retries.len());
        assert_eq!(target.ledger.begun(), target.ledger.ended() + PLACES, "those inside stay");
        inside.into_iter().for_each(reset);
        target.settled().await;
        // With room, the same storm takes places and gives each back.
        for _ in 0..STORM {
            reset(send(target.address, request("/few", "")).await);
        }
        until("all files to be closed", || open_files() <= files).await;
        let streams = target.settled().await;
        println!("round {round}: {streams} streams so far");
    }
    let inside = fill(&target).await;
    let answer = exchange(target.address, request("/few", "")).await;
    assert!(told_full(&answer).is_some(), "as many places as ever, and not one more: {answer}");
    drop(inside);
    target.settled().await;
}

#[tokio::test]
async fn a_client_cannot_make_itself_many_by_what_it_writes() {
    const EACH: usize = 10;
    let admission = Admission::new().per_client(EACH).trusted_proxies(["10.0.0.0/8"]).expect("a network");
    let target = Target::with(app().layer(admission), Hub::default(), |serve| serve).await;
    let (list, ports) = ("10.0.0.1, ".repeat(3000), "[::1]:99999,".repeat(1000));
    let mut inside = Vec::new();
    for number in 0..10 * EACH {
        let line = match number % 5 {
            0 => format!("x-forwarded-for: 203.0.113.{number}\r\n"),
            1 => format!("x-forwarded-for: 203.0.113.{number}, 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n"),
            2 => format!("x-forwarded-for: {list}203.0.113.{number}\r\n"),
            3 => format!("x-forwarded-for: {ports}\u{1f600},,,;for=\"{number}\"\r\n"),
            _ => format!("forwarded: for=203.0.113.{number}\r\nx-real-ip: 203.0.113.{number}\r\n"),
        };
        let mut socket = send(target.address, request("/idle", &line)).await;
        let answer = read_until(&mut socket, "\n\n").await;
        assert_eq!(answer.contains("data: x\n\n"), number < EACH, "{number}: {answer}");
        inside.push(socket);
    }
    assert_eq!(target.ledger.begun(), EACH);
    drop(inside);
    target.settled().await;
}

const SILENT: usize = 300;
const AT_ONCE: usize = 50;
/// The list of open files is not of one moment: one that is closed and one that is opened while it is read may both be there.
const SEEN_TWICE: usize = 3;
/// What a connection that says nothing is allowed here. Who comes last waits for so many times that as there are others
/// before it, by fifties.
const HEAD_LIMIT: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flood_above_the_limit_of_connections_opens_no_files_and_holds_others_up_for_a_known_time() {
    if !is_alone(
        "admission::a_flood_above_the_limit_of_connections_opens_no_files_and_holds_others_up_for_a_known_time",
    ) {
        return;
    }
    let target = Target::set(|serve| serve.max_connections(AT_ONCE).header_read_timeout(HEAD_LIMIT)).await;
    let mut waiting = Vec::with_capacity(SILENT);
    let files = open_files();
    for _ in 0..SILENT {
        waiting.push(connect(target.address).await);
    }
    let asked = Instant::now();
    let mut good = get(target.address, "/one").await;
    let served = tokio::spawn(async move {
        read_until(&mut good, "data: x\n\n").await;
        asked.elapsed()
    });
    let mut most = 0;
    until("the one that asks", || {
        // Its own, and the flood's.
        most = most.max(open_files().saturating_sub(files + SILENT + 1));
        served.is_finished()
    })
    .await;
    let took = served.await.expect("no panic");
    println!(
        "{SILENT} silent connections, {AT_ONCE} allowed: {most} open, the one that asks served after {took:.1?}"
    );
    assert!(most <= AT_ONCE + SEEN_TWICE, "{most}");
    let rounds = u32::try_from(SILENT / AT_ONCE).expect("few") + 1;
    assert!(took < HEAD_LIMIT * rounds + Duration::from_secs(2), "{took:?}");
}
