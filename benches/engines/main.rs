//! What an engine costs beside the library that it stands on: events published through a hub, and what reaches a
//! follower of another hub, in turns with the same done by hand with the client library.
//!
//! ```text
//! cargo bench -p sse-benches --features engines --bench engines               all, some twelve minutes
//! cargo bench -p sse-benches --features engines --bench engines -- redis      one engine, or several
//! cargo bench -p sse-benches --features engines --bench engines -- --quick    fewer rounds
//! ```
//!
//! | | what is measured |
//! |---|---|
//! | one by one | one task, which waits for each answer; meanwhile somebody follows, at another hub if there can be one |
//! | 4, 64, 1024 | the same with so many tasks; in groups, with at most so many events under way |
//! | reach, p50 and p99 | from the call of `publish` to that follower, one event at a time |
//! | followed | 1024 under way, until the last has reached that follower |
//!
//! The servers are started by this program, on free ports and in temporary folders. By hand, each task publishes by itself, as
//! through a hub. Where it costs something to publish so that a follower can know what it has missed, that is one way by
//! hand, and without it is another: for Redis, an id in the message; for PostgreSQL, numbers that are in the order of the
//! commits whoever publishes; for NATS, where they are there anyway, ids by which the server knows what is sent again. In
//! groups, somebody has all events and makes pipelines, statements or transactions of them. By hand, an event is lost with its
//! connection.

mod measure;
mod ours;
mod raw;
mod side;

// The servers as the tests start them.
#[path = "../../tests/servers/process.rs"]
#[allow(dead_code, reason = "nobody is killed here")]
mod process;
#[path = "../../tests/servers/server/mod.rs"]
#[allow(dead_code, reason = "nobody is killed here")]
mod server;
#[path = "../fanout/table.rs"]
#[allow(dead_code, reason = "shared")]
mod table;

use std::env;

use measure::{Comparison, Scale};
use ours::Ours;
use server::Server as _;
use sse_runtime::engine::{Memory, Nats, Postgres, Redb, Redis};

const ENGINES: [&str; 5] = ["memory", "redb", "nats", "redis", "postgres"];

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let scale =
        if arguments.iter().any(|argument| argument == "--quick") { Scale::QUICK } else { Scale::FULL };
    let wanted: Vec<&str> =
        ENGINES.into_iter().filter(|engine| arguments.iter().any(|a| a == engine)).collect();
    println!("Medians of {} rounds; the ratio is that of the median round", scale.rounds);
    for engine in ENGINES {
        if wanted.is_empty() || wanted.contains(&engine) {
            for size in [100, 1024] {
                let mut table = Comparison::table();
                run(engine, size, scale).await.rows(&mut table);
                println!("\n{table}");
            }
        }
    }
}

/// Each on a log of its own.
async fn run(engine: &'static str, size: usize, scale: Scale) -> Comparison {
    match engine {
        "memory" => {
            let ours = Ours::new(Memory::new(), None).await;
            measure::compare(engine, size, scale, &ours, &[("by hand", raw::Memory::new())]).await
        }
        "redb" => {
            let folder = tempfile::tempdir().expect("a folder");
            let ours = Ours::new(Redb::open(folder.path().join("ours")), None).await;
            measure::compare(engine, size, scale, &ours, &raw::Redb::ways(folder.path())).await
        }
        "nats" => {
            let server = server::Nats::start().await;
            let ours = Ours::new(Nats::connect(server.url()), Some(Nats::connect(server.url()))).await;
            measure::compare(engine, size, scale, &ours, &raw::Nats::ways(&server.url()).await).await
        }
        "redis" => {
            // As most people have it: what was answered is on the disk within a second.
            let server = server::Redis::with(&["--appendfsync", "everysec"]).await;
            let ours = Ours::new(Redis::connect(server.url()), Some(Redis::connect(server.url()))).await;
            measure::compare(engine, size, scale, &ours, &raw::Redis::ways(&server.url()).await).await
        }
        _ => {
            let server = server::Postgres::with(&["-c", "fsync=on", "-c", "full_page_writes=on"]).await;
            let ours =
                Ours::new(Postgres::connect(server.url()), Some(Postgres::connect(server.url()))).await;
            measure::compare(engine, size, scale, &ours, &raw::Postgres::ways(&server.url()).await).await
        }
    }
}
