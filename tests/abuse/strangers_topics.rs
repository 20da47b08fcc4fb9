//! Where a topic is named by the path, strangers name topics.

use sse_runtime::Hub;
use sse_tests::{is_alone, open_files, resident};

use crate::peer::{get, read_until, until};
use crate::target::{Target, app};

const ROOMS: usize = 2000;
const NAME: usize = 8 << 10;
/// What the hub is told to keep of topics that nobody uses.
const TOPICS: usize = 100;
/// What the last three quarters may add to the memory that the first took: a table that has found its size. Their names
/// alone are 12 MiB.
const MEMORY: usize = 4 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn thousands_of_rooms_with_long_names_are_forgotten_when_their_visitors_have_left() {
    if !is_alone(
        "strangers_topics::thousands_of_rooms_with_long_names_are_forgotten_when_their_visitors_have_left",
    ) {
        return;
    }
    let target = Target::with(app(), Hub::in_memory().topics(TOPICS).build(), |serve| serve).await;
    let files = open_files();
    let mut memory = Vec::new();
    for room in 0..ROOMS {
        if room % (ROOMS / 4) == 0 {
            target.settled().await;
            memory.push(resident());
        }
        let mut socket = get(target.address, &format!("/rooms/{}{room}", "x".repeat(NAME))).await;
        read_until(&mut socket, "event: sse-open\n").await;
    }
    assert_eq!(target.settled().await, ROOMS);
    until("all files to be closed", || open_files() <= files).await;
    let (first, last) = (memory[1], resident());
    let topics = target.hub.stats().topics;
    println!(
        "{ROOMS} rooms with names of {NAME} bytes: {topics} known, +{} KiB",
        last.saturating_sub(first) >> 10
    );
    assert!(topics <= 2 * TOPICS, "{topics}");
    assert!(last < first + MEMORY, "+{} KiB", (last - first) >> 10);
}
