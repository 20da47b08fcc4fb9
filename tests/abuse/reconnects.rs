//! Everybody comes back at once: a crowd whose streams the server has ended heeds no `retry`.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::{Extension, Router};
use sse_runtime::{DisconnectReason, Hub, Result, Sse, routes, sse_route};
use sse_tests::{is_alone, open_files, within_limit};
use tokio::sync::watch;

use crate::peer::{get, read_until, until};
use crate::target::{App, Ledger, Target, app};
use crate::witness::Witness;

const CROWD: usize = 2000;
const ROUNDS: usize = 2;
/// Connecting, asking and the first event, for each of them, in a debug build on one core, is a millisecond.
const BACK_IN: Duration = Duration::from_secs(10);

/// Who comes in the middle of it waits for those before: the socket's queue is one for all.
const IN_THE_CROWD: Duration = Duration::from_secs(2);

#[sse_route("/herd")]
async fn herd(
    sse: Sse,
    State(ledger): State<Ledger>,
    Extension(mut ends): Extension<watch::Receiver<usize>>,
) -> Result<()> {
    // Before anybody knows that this one is here.
    ends.mark_unchanged();
    ledger.enter(&sse);
    sse.send("x").await?;
    ends.changed().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crowd_that_comes_back_at_once_is_served_and_so_is_everybody_else() {
    if !is_alone("reconnects::a_crowd_that_comes_back_at_once_is_served_and_so_is_everybody_else") {
        return;
    }
    let (end, ends) = watch::channel(0);
    let app: Router<App> = routes![herd].layer(Extension(ends)).merge(app());
    let target = Target::with(app, Hub::default(), |serve| serve).await;
    let files = open_files();
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let address = target.address;
        crowd.push(tokio::spawn(async move {
            for _ in 0..ROUNDS {
                let mut socket = get(address, "/herd").await;
                // Who is late gets both at once.
                let answer = read_until(&mut socket, "0\r\n\r\n").await;
                assert!(answer.contains("data: x\n\n"), "{answer}");
            }
        }));
    }
    until("the crowd", || target.ledger.begun() == CROWD).await;
    until("its streams", || target.shutdown.open_streams() >= CROWD).await;
    for round in 1..ROUNDS {
        let witness = Witness::start(target.address);
        let ended = Instant::now();
        end.send_replace(round);
        until("the crowd to be back", || target.ledger.begun() == (round + 1) * CROWD).await;
        let back = ended.elapsed();
        println!("{CROWD} ended at once, back after {back:.1?}; {}", witness.served_within(IN_THE_CROWD));
        assert!(back < BACK_IN, "{back:?}");
    }
    end.send_replace(ROUNDS);
    for client in crowd {
        within_limit("a client's end", client).await.expect("no panic");
    }
    assert_eq!(target.settled().await, ROUNDS * CROWD);
    assert_eq!(target.ledger.ended_by(DisconnectReason::Completed), ROUNDS * CROWD);
    until("all files to be closed", || open_files() <= files).await;
}
