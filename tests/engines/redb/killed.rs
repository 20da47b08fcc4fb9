//! A process that is killed while many of its tasks publish: what was acknowledged is there, once, in order.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use sse_runtime::engine::{Durability, Redb};
use sse_runtime::{Hub, Topic};

use super::process::{Process, file_given, say};
use crate::{client, opened, reset};

const TASKS: usize = 200;
const TOPICS: [&str; 3] = ["a", "b", "c"];

/// Publishes on all topics for ever, and says what was acknowledged.
async fn publish_for_ever(engine: Redb) {
    let hub = super::on(engine).await;
    let round = super::top(&hub);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let topic: Topic = hub.topic(TOPICS[task % TOPICS.len()]);
        let round = round.clone();
        tasks.spawn(async move {
            for n in 0.. {
                let text = format!("{round}/{task}/{n}");
                let id = topic.publish(text.as_str()).dedupe(text.as_str()).await.expect("published");
                say(&format!("{id} {text}"));
            }
        });
    }
    tasks.join_all().await;
}

pub(super) fn number(id: &str) -> u64 {
    id.split_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or_else(|| panic!("an id: {id}"))
}

/// Starts the process, kills it after it has said `after` lines, and gives all that it had said.
async fn kill_after(test: &str, file: &Path, after: usize) -> Vec<(String, String)> {
    let mut process = Process::start(test, file);
    let mut said = Vec::new();
    while said.len() < after {
        said.push(process.next().await.expect("it goes on for ever"));
    }
    process.kill().await;
    while let Some(line) = process.next().await {
        said.push(line);
    }
    // The last line may be half a line.
    let acknowledged = said.iter().filter_map(|line| line.split_once(' '));
    let acknowledged = acknowledged.filter(|(_, text)| text.split('/').count() == 3);
    acknowledged.map(|(id, text)| (id.to_owned(), text.to_owned())).collect()
}

/// What a client that comes back with this id gets, up to the log's end.
async fn resumed(hub: &Hub, id: &str) -> Vec<(String, String)> {
    let mut events = client(hub).get(&format!("/{}", TOPICS.join(","))).last_event_id(id).stream().await;
    opened(&mut events, true).await;
    let top = number(super::top(hub).as_str());
    let mut received: Vec<(String, String)> = Vec::new();
    while received.last().map_or(number(id), |(id, _)| number(id)) < top {
        let event = events.next().await;
        assert_eq!(event.name, "message", "{event:?}");
        received.push((event.id.expect("an id"), event.data));
    }
    received
}

/// Numbers rise without a hole, nothing is there twice, and each task's texts are in its order.
fn check_order(events: &[(String, String)], first: u64) {
    let mut next: HashMap<&str, u64> = HashMap::new();
    for ((id, text), expected) in events.iter().zip(first..) {
        assert_eq!(number(id), expected, "{text}");
        let (task, n) = text.rsplit_once('/').expect("a number");
        let next =
            next.entry(task).or_insert_with(|| if first == 1 { 0 } else { n.parse().expect("a number") });
        assert_eq!(n.parse(), Ok(*next), "of {task}");
        *next += 1;
    }
    assert_eq!(events.iter().map(|(_, text)| text).collect::<HashSet<_>>().len(), events.len(), "none twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_once_and_in_order() {
    if let Some(file) = file_given() {
        return publish_for_ever(Redb::open(file)).await;
    }
    let (_folder, file) = super::file();
    let start = super::top(&super::open(&file).await).as_str().to_owned();
    let mut acknowledged: Vec<(String, String)> = Vec::new();
    let mut whole: Vec<(String, String)> = Vec::new();
    let mut dice =
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    for _ in 0..10 {
        let after = usize::try_from(rand_below(&mut dice, 20_000)).expect("small");
        let said = kill_after("killed::what_was_acknowledged_is_there_once_and_in_order", &file, after).await;

        // Before anything new is published.
        let hub = super::open(&file).await;
        let newest = whole.last().map_or(start.clone(), |(id, _)| id.clone());
        let events = resumed(&hub, &newest).await;
        let by_id: HashMap<_, _> = events.iter().map(|(id, text)| (id, text)).collect();
        for (id, text) in &said {
            assert_eq!(by_id.get(id), Some(&text), "{id} was acknowledged");
        }
        assert!(events.len() <= said.len() + TASKS, "what nobody was told of is one for each task");
        publish_again(&hub, &events).await;
        whole.extend(events);
        acknowledged.extend(said);
    }
    let hub = super::open(&file).await;
    assert!(resumed(&hub, &start).await == whole, "what was there after each end is there now");
    check_order(&whole, 1);
    // By an id that a client has.
    let middle = &acknowledged[acknowledged.len() / 10 * 9].0;
    let rest = resumed(&hub, middle).await;
    assert!(rest == whole[usize::try_from(number(middle)).expect("small")..], "after {middle}");
    println!("{} acknowledged, {} there", acknowledged.len(), whole.len());
    assert!(acknowledged.len() > 50_000, "{}", acknowledged.len());
}

/// The publishers of the last events do not know what became of them, and try again: each has the id that it had, and
/// nothing is there twice.
async fn publish_again(hub: &Hub, events: &[(String, String)]) {
    let top = super::top(hub);
    for (id, text) in &events[events.len().saturating_sub(2 * TASKS)..] {
        let task: usize = text.split('/').nth(1).and_then(|task| task.parse().ok()).expect("a task");
        let topic: Topic = hub.topic(TOPICS[task % TOPICS.len()]);
        let again = topic.publish(text.as_str()).dedupe(text.as_str()).await.expect("published");
        assert_eq!(again.as_str(), id);
    }
    assert_eq!(super::top(hub), top);
}

fn rand_below(dice: &mut proptest::test_runner::TestRng, below: u64) -> u64 {
    use proptest::prelude::RngCore as _;
    dice.next_u64() % below
}

const KEPT: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_evicts_loses_no_more_than_that() {
    if let Some(file) = file_given() {
        return publish_for_ever(Redb::open(file).events(KEPT as u64)).await;
    }
    let (_folder, file) = super::file();
    let start = super::top(&super::open(&file).await).as_str().to_owned();
    let mut newest = 0;
    for _ in 0..4 {
        let said = kill_after("killed::a_log_that_evicts_loses_no_more_than_that", &file, 2 * KEPT).await;
        newest = said.iter().map(|(id, _)| number(id)).max().expect("some").max(newest);

        let hub = super::open(&file).await;
        let top = number(super::top(&hub).as_str());
        assert!(newest <= top, "{newest} was acknowledged, and the log ends at {top}");
        let mut events = client(&hub).get("/a").last_event_id(&start).stream().await;
        reset(&mut events, "evicted").await;
        let (epoch, _) = start.split_once('-').expect("an id");
        let kept = top - KEPT as u64;
        let events = resumed(&hub, &format!("{epoch}-{kept}")).await;
        assert_eq!(events.len(), KEPT);
        check_order(&events, kept + 1);
        let acknowledged = said.iter().filter(|(id, _)| number(id) > kept);
        for pair in acknowledged {
            assert!(events.contains(pair), "{pair:?} was acknowledged");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_ahead_of_the_disk_begins_anew() {
    let durability = Durability::Within(Duration::from_millis(20));
    if let Some(file) = file_given() {
        return publish_for_ever(Redb::open(file).durability(durability)).await;
    }
    let (_folder, file) = super::file();
    let start = super::top(&super::open(&file).await);
    let said = kill_after("killed::a_log_that_was_ahead_of_the_disk_begins_anew", &file, 2000).await;

    let hub = super::open(&file).await;
    for id in [start.as_str(), &said[0].0, &said.last().expect("some").0] {
        let mut events = client(&hub).get("/a").last_event_id(id).stream().await;
        reset(&mut events, "epoch").await;
    }
    assert_eq!(number(super::top(&hub).as_str()), 0);
}
