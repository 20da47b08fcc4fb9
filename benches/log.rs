//! The log on a file: events published through a hub, beside redb itself, which is given the same bytes in the same tables
//! and batches. And what a restart costs with a million events.
//!
//! `cargo bench -p sse-benches --features redb --bench log` runs all of it; `-- publish`, `-- restart` one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{Builder, TableDefinition};
use sse_runtime::engine::Redb;
use sse_runtime::{Event, Hub, Topic};
use tokio::task::JoinSet;

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
const INDEX: TableDefinition<'_, (&str, u64), ()> = TableDefinition::new("index");
const CACHE: usize = 64 << 20;
/// What an event has beside its text: its name and two line ends, and in the log its head and topic.
const DATA: usize = 100;
const ROUNDS: usize = 7;

fn name(topic: usize) -> String {
    format!("rooms/{topic}")
}

/// A file that does not exist, in the folder for what is temporary: on the disk that is measured.
fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sse-log-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(name);
    // There is none the first time.
    let _ = fs::remove_file(&file);
    file
}

/// Events a second.
fn raw(file: &Path, events: usize, batch: usize, topics: usize) -> f64 {
    let database = Builder::new().set_cache_size(CACHE).create(file).expect("a database");
    let value = vec![b'x'; DATA + 8 + 12 + 4 + name(0).len() + "event: \ndata: \n\nnote".len()];
    let names: Vec<String> = (0..topics).map(name).collect();
    let begun = Instant::now();
    for first in (0..events).step_by(batch) {
        let transaction = database.begin_write().expect("a transaction");
        {
            let mut table = transaction.open_table(EVENTS).expect("a table");
            let mut index = transaction.open_table(INDEX).expect("a table");
            for n in first..first + batch {
                table.insert(n as u64, value.as_slice()).expect("inserted");
                index.insert((names[n % topics].as_str(), n as u64), ()).expect("inserted");
            }
        }
        transaction.commit().expect("committed");
    }
    events as f64 / begun.elapsed().as_secs_f64()
}

/// Events a second, of `at_once` tasks that publish one after the other each.
async fn ours(file: &Path, events: usize, at_once: usize, topics: usize) -> f64 {
    let hub = Hub::on(Redb::open(file)).start().await.expect("a log");
    let topics: Vec<Topic> = (0..topics).map(|n| hub.topic(name(n))).collect();
    let text = "x".repeat(DATA);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..at_once {
        let (topic, text) = (topics[task % topics.len()].clone(), text.clone());
        tasks.spawn(async move {
            for _ in 0..events / at_once {
                topic.publish(Event::new("note").data(text.as_str())).await.expect("published");
            }
        });
    }
    tasks.join_all().await;
    events as f64 / begun.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn publish() {
    println!("{DATA} bytes of text; events a second, medians of {ROUNDS}");
    println!("{:>6} {:>6} {:>7} {:>10} {:>10} {:>6}", "batch", "tasks", "topics", "redb", "hub", "ratio");
    // While one batch is written the next one gathers: twice as many tasks as events in a batch.
    let cases =
        [(1, 1, 1, 2_000), (100, 200, 1, 40_000), (1000, 2000, 1, 200_000), (1000, 2000, 1000, 100_000)];
    for (batch, tasks, topics, events) in cases {
        let (mut theirs, mut our) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (raw_file, our_file) = (file("raw"), file("ours"));
            theirs.push(raw(&raw_file, events, batch, topics));
            our.push(ours(&our_file, events, tasks, topics).await);
        }
        let (theirs, our) = (median(theirs), median(our));
        println!("{batch:>6} {tasks:>6} {topics:>7} {theirs:>10.0} {our:>10.0} {:>6.2}", our / theirs);
    }
}

async fn opened(file: &Path) -> Duration {
    let engine = Redb::open(file).lock_timeout(Duration::from_secs(60));
    let begun = Instant::now();
    let hub = Hub::on(engine).start().await.expect("a log");
    let opened = begun.elapsed();
    drop(hub);
    opened
}

async fn restart() {
    for topics in [1, 1000] {
        let (file, crashed) = (file("log"), file("crashed"));
        let rate = ours(&file, 1_000_000, 1000, topics).await;
        // Nothing is written at this moment, so this is what a loss of power leaves.
        fs::copy(&file, &crashed).expect("copied");
        let size = fs::metadata(&file).expect("a file").len() >> 20;
        // Waits until the one before has let go of it.
        opened(&file).await;
        println!(
            "1 M events, {topics} topics: {rate:.0} a second, file {size} MiB, opened in {:?}, after a crash in {:?}",
            opened(&file).await,
            opened(&crashed).await
        );
    }
}

#[tokio::main]
async fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    if is_wanted("publish") {
        publish().await;
    }
    if is_wanted("restart") {
        restart().await;
    }
    let _ = fs::remove_dir_all(file("log").parent().expect("a folder"));
}
