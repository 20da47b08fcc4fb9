//! Whatever clients do, in any order: each gets a part of its run's log without a hole, from where it asked to where it left,
//! or to the end; all see the same, which is what the handler sent; runs end when they should and for the reason that there
//! is; and when one is gone, it is gone for all.
//!
//! One world after the other is walked through, on the paused clock: with a single node, or with two, on a log that loses
//! calls, stands still at times and forgets what is old. Begun, joined by key, come back to, read fast and slowly, left,
//! answered, cancelled and asked for by strangers is what there is, at random. What no world has is a node that dies: on the
//! paused clock nobody can, see `elsewhere` and the tests that kill processes.
//!
//! `RUNS_SEED=17` walks through those worlds alone; a failure says which it was. `RUNS_WORLDS=1000` walks for longer.

mod handler;
mod walk;
mod world;

use super::broker::Delivers;
use super::*;
use world::World;

/// Of each kind, with so many steps.
const WORLDS: u64 = 3;
const STEPS: usize = 400;

/// Says of which world a panic is.
struct Named(u64, usize);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in step {} of the world RUNS_SEED={}", self.1, self.0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

async fn walk_through(delivers: Option<Delivers>) {
    let worlds = match number("RUNS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RUNS_WORLDS").unwrap_or(WORLDS),
    };
    let mut all = world::Seen::default();
    for seed in worlds {
        let mut named = Named(seed, 0);
        let mut world = World::new(seed, delivers).await;
        for step in 1..=STEPS {
            named.1 = step;
            world.step().await;
        }
        all.add(&world.finish().await);
    }
    all.is_enough();
}

#[tokio::test(start_paused = true)]
async fn what_each_client_sees_is_a_part_of_the_log() {
    walk_through(None).await;
}

#[tokio::test(start_paused = true)]
async fn so_it_is_at_two_nodes_that_are_told_of_what_they_ask_for() {
    walk_through(Some(Delivers::Open)).await;
}

#[tokio::test(start_paused = true)]
async fn so_it_is_at_two_nodes_that_are_told_of_everything() {
    walk_through(Some(Delivers::Everything)).await;
}
