//! A server that is away for a moment, or for a while.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::OnServer;
use super::scene::Scene;
use crate::server::Server as _;
use crate::turns::{Kind, Turn};

/// Long enough that whoever waits twice as long each time would wait for longer than a subscriber may.
const LONG: Duration = Duration::from_secs(15);

on_each_server!(an_outage_is_over_when_the_server_is_back);

async fn an_outage_is_over_when_the_server_is_back<E: OnServer>() {
    let _turn = Turn::of(Kind::Measuring).await;
    let mut server = E::Server::start().await;
    let mut scene = Scene::on::<E>(&server).await;

    server.kill().await;
    scene.is_down(Instant::now()).await;
    server.start_again().await;
    scene.goes_on(Instant::now(), "after a moment").await;

    server.kill().await;
    let killed = Instant::now();
    scene.is_down(killed).await;
    let newest =
        ["after a moment, by another node", "after a moment, by node 0", "after a moment, by node 1"];
    scene.the_ring_is_there(&newest).await;
    scene.nobody_waits_for_ever("while it is down").await;
    sleep(LONG.saturating_sub(killed.elapsed())).await;
    server.start_again().await;
    scene.goes_on(Instant::now(), "after a while").await;
    scene.nothing_is_lost_or_doubled().await;
}
