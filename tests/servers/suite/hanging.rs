//! A server that is there and says nothing: a machine that swaps, a disk that does not answer.

use std::time::Instant;

use super::OnServer;
use super::scene::Scene;
use crate::server::Server as _;
use crate::turns::{Kind, Turn};

on_each_server!(a_server_that_hangs_holds_up_nobody);

async fn a_server_that_hangs_holds_up_nobody<E: OnServer>() {
    let _turn = Turn::of(Kind::Measuring).await;
    let server = E::Server::start().await;
    let mut scene = Scene::on::<E>(&server).await;

    server.pause();
    let paused = Instant::now();
    scene.the_ring_is_there(&["17", "18", "19"]).await;
    scene.nobody_waits_for_ever("while it hangs").await;
    scene.is_down(paused).await;
    server.resume();
    scene.goes_on(Instant::now(), "after it hung").await;
    scene.nothing_is_lost_or_doubled().await;
}
