//! `kill -9` in the middle of 100,000 events, with publishes in flight.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sse_runtime::{Hub, PublishError, Topic};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::OnServer;
use crate::client::follow;
use crate::log::{Log, start};
use crate::node::{Serving, position, publish_for, seq};
use crate::server::Server as _;
use crate::turns::{Kind, Turn};

const EVENTS: usize = 100_000;
/// How many publish at a time, each one event after the other, half of them on each node.
const PUBLISHERS: usize = 400;
const EACH: usize = EVENTS / PUBLISHERS;
const TOPICS: [&str; 4] = ["a", "b", "c", "d"];
const ALL: &str = "/a,b,c,d";
/// When the server is killed: when so many have been answered for.
const KILLS: [usize; 2] = [EVENTS * 3 / 10, EVENTS * 6 / 10];
/// How long it is away then, and more.
const AWAY: Duration = Duration::from_millis(1500);
/// How long a publish waits at one of the nodes. At the other it waits until the server is back.
const IMPATIENT: Duration = Duration::from_secs(1);
/// How long all of it may take before it is a failure.
const LIMIT: Duration = Duration::from_secs(120);

on_each_server!(nothing_is_lost_or_doubled_when_the_server_is_killed);

async fn nothing_is_lost_or_doubled_when_the_server_is_killed<E: OnServer>() {
    let _turn = Turn::of(Kind::Busy).await;
    let mut server = E::Server::start().await;
    let log = Log::on::<E>(&server);
    let nodes = [node(&log).await, node(&log.clone().patience(IMPATIENT)).await];
    let beginning = position(&nodes[0].0).to_string();

    let mut followers = JoinSet::new();
    let opened = Arc::new(Semaphore::new(0));
    for (who, (_, serving)) in ["at node 0", "at node 1"].into_iter().zip(&nodes) {
        for path in [ALL, "/a"] {
            let (address, last, opened) = (serving.address, beginning.clone(), Arc::clone(&opened));
            followers.spawn(async move { (who, path, read(address, path, last, &opened).await) });
        }
    }
    // Live: to read a log that grows as fast as the server can write is another matter.
    let live = opened.acquire_many(4);
    drop(sse_tests::within_limit("streams", live).await);
    let begun = Instant::now();
    let counts = Arc::new(Counts::default());
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let hub = nodes[publisher % 2].0.clone();
        let counts = Arc::clone(&counts);
        publishers.spawn(async move { publish(hub, publisher, &counts).await });
    }

    let mut outages = Vec::new();
    for at in KILLS {
        while counts.answered.load(Ordering::Relaxed) < at {
            assert!(begun.elapsed() < LIMIT, "{counts:?} of {EVENTS} events after {LIMIT:?}");
            sleep(Duration::from_millis(5)).await;
        }
        server.kill().await;
        let killed = Instant::now();
        let under_way = counts.under_way();
        assert!(under_way > PUBLISHERS / 2, "{under_way} publishes were in flight");
        sleep(AWAY).await;
        server.start_again().await;
        outages.push((at, under_way, killed.elapsed()));
    }

    let mut published: Vec<_> = (0..PUBLISHERS).map(|_| Published::default()).collect();
    let finished = async {
        while let Some(done) = publishers.join_next().await {
            let (publisher, of_one) = done.expect("no panic");
            published[publisher] = of_one;
        }
    };
    tokio::time::timeout(LIMIT, finished).await.unwrap_or_else(|_| {
        panic!("{counts:?} of {EVENTS} events {:?} after the beginning: {outages:?}", begun.elapsed())
    });
    let took = begun.elapsed();
    println!(
        "{}: {EVENTS} events in {took:.1?}; killed at (event, in flight, away for) {outages:.1?}",
        E::Server::NAME
    );
    for topic in TOPICS {
        publish_for(&nodes[0].0, topic, "end", sse_tests::LIMIT).await;
    }

    // As one finds it who was not there.
    let (_hub, late) = node(&log).await;
    let address = late.address;
    followers.spawn(async move { ("later", "/a", read(address, "/a", beginning, &opened).await) });
    let mut all = Vec::new();
    let heard = async {
        while let Some(done) = followers.join_next().await {
            all.push(done.expect("no panic"));
        }
    };
    tokio::time::timeout(LIMIT, heard).await.expect("everybody hears the end of each topic");
    let there = all.iter().find(|(_, path, _)| *path == ALL).map(|(_, _, heard)| heard.events.as_slice());
    let there = there.expect("there is one");
    for (who, path, heard) in &all {
        let of_path = |(_, text): &&(u64, String)| *path == ALL || topic_of(text) == Some("a");
        let expected: Vec<_> = there.iter().filter(of_path).collect();
        let got: Vec<_> = heard.events.iter().filter(of_path).collect();
        assert_same(&format!("{}: {path} {who}", E::Server::NAME), &got, &expected);
        println!(
            "{}: {path} {who}: {} events, came back {} times",
            E::Server::NAME,
            got.len(),
            heard.came_back
        );
    }
    let unknown = check(there, &published);
    let sum = |count: fn(&Published) -> usize| published.iter().map(count).sum::<usize>();
    println!(
        "{}: {} publishes failed and were tried again, {} failed and were not, of which {unknown} are there; 0 lost, 0 doubled",
        E::Server::NAME,
        sum(|of_one| of_one.tried_again),
        sum(|of_one| of_one.answers.iter().filter(|answer| answer.is_none()).count()),
    );
    assert!(sum(|of_one| of_one.tried_again) > 0, "none has failed");
}

/// A hub that may read all of it again to one client.
async fn node(log: &Log) -> (Hub, Serving) {
    let hub = start(log.hub().replay_bytes(1 << 30)).await;
    let serving = Serving::start(&hub).await;
    (hub, serving)
}

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicUsize,
    /// With success or not.
    answered: AtomicUsize,
}

impl Counts {
    fn under_way(&self) -> usize {
        let answered = self.answered.load(Ordering::Relaxed);
        self.begun.load(Ordering::Relaxed).saturating_sub(answered)
    }
}

/// What became of the events of one publisher.
#[derive(Default)]
struct Published {
    /// The number of each event, if it was acknowledged.
    answers: Vec<Option<u64>>,
    tried_again: usize,
}

/// Publishes `<publisher> <number>`. Every second publisher gives each event a key, and publishes it until it is acknowledged;
/// the others take an error for what it is: nobody knows.
async fn publish(hub: Hub, publisher: usize, counts: &Counts) -> (usize, Published) {
    let keyed = publisher / 8 % 2 == 0;
    let topic: Topic = hub.topic(topic(publisher));
    let mut published = Published::default();
    for number in 0..EACH {
        let text = format!("{publisher} {number}");
        counts.begun.fetch_add(1, Ordering::Relaxed);
        let answer = loop {
            let publishing = topic.publish(text.as_str());
            let publishing = if keyed { publishing.dedupe(text.as_str()) } else { publishing };
            match publishing.await {
                Ok(id) => break Some(seq(id.as_str())),
                Err(PublishError::Engine { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
            // Those who do not try again would have nothing left to publish when it is back.
            sleep(Duration::from_millis(50)).await;
            while !hub.health().is_up() {
                sleep(Duration::from_millis(20)).await;
            }
            if !keyed {
                break None;
            }
            published.tried_again += 1;
        };
        published.answers.push(answer);
        counts.answered.fetch_add(1, Ordering::Relaxed);
    }
    (publisher, published)
}

#[derive(Default)]
struct Heard {
    /// The number of each event and its text.
    events: Vec<(u64, String)>,
    came_back: usize,
}

/// Follows until the end of each topic, and comes back when its stream ends, as browsers do.
async fn read(address: SocketAddr, path: &str, mut last: String, opened: &Semaphore) -> Heard {
    let mut heard = Heard::default();
    let mut to_end = path.split(',').count();
    loop {
        let answer = follow(address, path, &last).await.expect("the node lives");
        if let Ok(mut stream) = answer {
            while let Some(event) = stream.next().await {
                match event.name.as_str() {
                    "message" => {}
                    "sse-open" => {
                        assert!(event.data.contains(r#""resumed":true"#), "{event:?}");
                        opened.add_permits(1);
                        continue;
                    }
                    // It was too slow, or the log could not be read, and the stream ends.
                    "sse-bye" | "failure" => continue,
                    _ => panic!("{event:?}"),
                }
                to_end -= usize::from(event.data == "end");
                heard.events.push((seq(&event.id.expect("every one has an id")), event.data));
                if to_end == 0 {
                    return heard;
                }
            }
            last = stream.last;
        }
        heard.came_back += 1;
        sleep(Duration::from_millis(100)).await;
    }
}

/// The topic of a publisher. Both nodes publish on each.
fn topic(publisher: usize) -> &'static str {
    TOPICS[publisher / 2 % TOPICS.len()]
}

/// Which topic an event was published on, as its publisher says.
fn topic_of(text: &str) -> Option<&'static str> {
    let (publisher, _) = text.split_once(' ')?;
    Some(topic(publisher.parse().expect("a number")))
}

fn assert_same(who: &str, heard: &[&(u64, String)], log: &[&(u64, String)]) {
    let differs = heard.iter().zip(log).position(|(heard, log)| heard != log);
    let at = differs.unwrap_or(heard.len().min(log.len()));
    let around = |events: &[&(u64, String)]| {
        let around = events.iter().skip(at.saturating_sub(3)).take(8);
        around.map(|(seq, text)| format!("{seq}: {text}")).collect::<Vec<_>>().join(", ")
    };
    assert!(
        heard.len() == log.len() && differs.is_none(),
        "{who} heard {} events of {}; they differ at {at}: it heard .. {} .., and there are .. {} ..",
        heard.len(),
        log.len(),
        around(heard),
        around(log)
    );
}

/// Holds the log to what the publishers were told. Returns how many events are there of which nobody knew.
fn check(log: &[(u64, String)], published: &[Published]) -> usize {
    assert!(log.windows(2).all(|two| two[0].0 < two[1].0), "numbers rise");
    let mut places = HashMap::new();
    let mut newest = vec![None; PUBLISHERS];
    for (seq, text) in log.iter().filter(|(_, text)| text != "end") {
        let (publisher, number) = text.split_once(' ').expect("two numbers");
        let [publisher, number] = [publisher, number].map(|text| text.parse::<usize>().expect("a number"));
        let before = places.insert((publisher, number), *seq);
        assert_eq!(before, None, "{text:?} is there twice, with {seq} the second time");
        assert!(newest[publisher] < Some(number), "{text:?} comes after {:?}", newest[publisher]);
        newest[publisher] = Some(number);
    }
    let mut unknown = 0;
    for (publisher, published) in published.iter().enumerate() {
        assert_eq!(published.answers.len(), EACH);
        for (number, answer) in published.answers.iter().enumerate() {
            let place = places.get(&(publisher, number));
            match answer {
                Some(seq) => {
                    assert_eq!(place, Some(seq), "{publisher} {number} was acknowledged with {seq}");
                }
                None => unknown += usize::from(place.is_some()),
            }
        }
    }
    unknown
}
