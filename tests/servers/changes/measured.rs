//! What the feed does a second, how late it is, and what it costs those who write:
//! `cargo test -p sse-tests --test servers changes::measured -- --ignored --show-output`.

use std::time::Duration;

use futures_util::future::join_all;
use sse_runtime::Topic;
use sse_runtime::changes::{PostgresChanges, RowChange};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::{follow, hub, login, next_event, publishing};
use crate::server::{Postgres, Server};

/// As it is installed: what is committed is on the disk.
const DURABLE: [&str; 4] = ["-c", "fsync=on", "-c", "full_page_writes=on"];
const TABLES: &str = "CREATE TABLE plain (id bigserial PRIMARY KEY, sensor text NOT NULL, celsius float8 NOT NULL, at timestamptz DEFAULT now());
    CREATE TABLE t (LIKE plain INCLUDING ALL)";

async fn one_by_one(clients: &[Client], table: &str, each: usize) -> Duration {
    let begun = Instant::now();
    let insert = format!("INSERT INTO {table} (sensor, celsius) VALUES ('kitchen', 21.5)");
    join_all(clients.iter().map(async |client| {
        let insert = client.prepare(&insert).await.expect("prepared");
        for _ in 0..each {
            client.execute(&insert, &[]).await.expect("written");
        }
    }))
    .await;
    begun.elapsed()
}

async fn at_once(client: &Client, table: &str, rows: usize) -> Duration {
    let begun = Instant::now();
    let insert = format!(
        "INSERT INTO {table} (sensor, celsius) SELECT 'kitchen', n FROM generate_series(1, {rows}) n"
    );
    client.batch_execute(&insert).await.expect("written");
    begun.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures"]
async fn latency_rate_and_cost() {
    let server = Postgres::with(&DURABLE).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(login(&server.url()).await);
    }
    clients[0].batch_execute(TABLES).await.expect("tables");
    let feed = PostgresChanges::connect(server.url()).table("t").start().await.expect("started");
    let topic: Topic<RowChange> = hub().topic("t");
    let mut events = follow(&topic).await;
    let reader = publishing(feed, &topic);

    for (name, pause) in [("5 a second", 200), ("25 a second", 40), ("200 a second", 5)] {
        let mut times = Vec::new();
        for _ in 0..(20_000 / pause).min(400) {
            one_by_one(&clients[..1], "t", 1).await;
            let committed = Instant::now();
            next_event(&mut events).await;
            times.push(committed.elapsed());
            sleep(Duration::from_millis(pause)).await;
        }
        let p50 = median(&mut times);
        println!(
            "latency from commit to event, {name}: p50 {p50:?}, p99 {:?}",
            times[times.len() * 99 / 100]
        );
    }

    let begun = Instant::now();
    let rows = 20_000;
    let (write, ()) = tokio::join!(at_once(&clients[0], "t", rows), async {
        for _ in 0..rows {
            next_event(&mut events).await;
        }
    });
    println!("{rows} rows of one statement: written in {write:?}, all delivered after {:?}", begun.elapsed());
    let begun = Instant::now();
    let (write, ()) = tokio::join!(one_by_one(&clients, "t", 1000), async {
        for _ in 0..8000 {
            next_event(&mut events).await;
        }
    });
    println!(
        "8000 transactions of 8 writers: written in {write:?}, all delivered after {:?}",
        begun.elapsed()
    );

    // Interleaved, so that what else the machine does happens to all.
    let always = "CREATE OR REPLACE FUNCTION notify_always() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_notify('other', ''); RETURN NULL; END $$;
        CREATE TABLE loud (LIKE plain INCLUDING ALL);
        CREATE TRIGGER loud AFTER INSERT ON loud FOR EACH STATEMENT EXECUTE FUNCTION notify_always()";
    clients[0].batch_execute(always).await.expect("made");
    let drain = tokio::spawn(async move {
        loop {
            next_event(&mut events).await;
        }
    });
    let mut times: [Vec<Duration>; 5] = Default::default();
    for _ in 0..7 {
        times[0].push(one_by_one(&clients, "plain", 200).await);
        times[1].push(one_by_one(&clients, "t", 200).await);
        times[2].push(one_by_one(&clients, "loud", 200).await);
        times[3].push(at_once(&clients[0], "plain", 10_000).await);
        times[4].push(at_once(&clients[0], "t", 10_000).await);
    }
    let [plain, t, loud, plain_at_once, t_at_once] = times.map(|mut times| median(&mut times).as_secs_f64());
    println!(
        "transactions of one row, 8 writers: {:.2} times as long with the feed, {:.2} with a NOTIFY alone",
        t / plain,
        loud / plain
    );
    println!(
        "10,000 rows at once: {:.2} times as long, {:.1} us more for each row",
        t_at_once / plain_at_once,
        (t_at_once - plain_at_once) * 100.0
    );
    drain.abort();
    reader.abort();
}
