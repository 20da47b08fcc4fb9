//! A million events in a log on a file, whose process is killed (`kill -9`) ten times at random moments: that nothing is
//! lost of what was acknowledged, how long a start takes after it, and how large the file is. Then with limits on what
//! is kept, which bound both. It fails if any of this does not hold.
//!
//! ```text
//! cargo bench -p sse-benches --features redb --bench killed
//! cargo bench -p sse-benches --features redb --bench killed -- 100000     as many events
//! cargo bench -p sse-benches --features redb --bench killed -- bytes age  with these limits only; `none` has none
//! ```
//!
//! The publisher is this program as another process, which says what was acknowledged over a pipe.

mod check;
mod kept;
mod publisher;

use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use kept::Kept;
use publisher::Acknowledged;
use sse_runtime::Hub;

#[path = "../fanout/table.rs"]
#[allow(dead_code, reason = "shared")]
mod table;

const KILLS: usize = 10;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [word, kept, file, start] = arguments.as_slice() {
        if word == publisher::WORD {
            let engine = Kept::parse(kept).engine(Path::new(file));
            return publisher::publish_for_ever(engine, start.parse().expect("a number")).await;
        }
    }
    let events = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let wanted: Vec<_> = Kept::ALL.into_iter().filter(|kept| arguments.contains(&kept.to_string())).collect();
    let folder = env::temp_dir().join(format!("sse-killed-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    for kept in Kept::ALL {
        if wanted.is_empty() || wanted.contains(&kept) {
            run(kept, events, &folder.join(format!("{kept}.redb"))).await;
        }
    }
    fs::remove_dir_all(&folder).expect("removed");
}

async fn run(kept: Kept, events: usize, file: &Path) {
    println!("\n{events} events, {KILLS} times kill -9; kept: {}\n", kept.described());
    let mut log = check::Log::default();
    let mut table = table::Table::new([
        "kill",
        "acknowledged",
        "in the log",
        "a second",
        "kept",
        "file, MiB",
        "opened after, ms",
    ]);
    let mut busiest = 0;
    for kill in 1..=KILLS {
        // Each at a random moment of its share, the last when all are there.
        let share = events * kill / KILLS - events / KILLS / 2 + fastrand::usize(0..events / KILLS);
        let until = if kill == KILLS { events } else { share.min(events) };
        let missing = until.saturating_sub(log.acknowledged());
        let begun = Instant::now();
        let said: Vec<Acknowledged> = publisher::kill_after(kept, file, kill, missing, &mut busiest);
        let rate = said.len() as f64 / begun.elapsed().as_secs_f64();

        let size = fs::metadata(file).expect("a file").len();
        let begun = Instant::now();
        let hub = Hub::on(kept.engine(file)).start().await.expect("the log opens");
        let opened = begun.elapsed();
        drop(hub);
        let number = said.len();
        log.note(said);
        // Before anything new is published.
        let found = log.check(&Kept::None.engine(file)).await;
        kept.check(found, size, opened, busiest);
        table.row([
            kill.to_string(),
            number.to_string(),
            log.top().to_string(),
            table::figure(rate),
            found.to_string(),
            table::figure(size as f64 / f64::from(1 << 20)),
            table::figure(opened.as_secs_f64() * 1e3),
        ]);
    }
    print!("{table}");
    println!(
        "\n{} were acknowledged; each is in the log as it was published, or was evicted by the limit",
        log.acknowledged()
    );
}
