//! A log that is lost, whole or in part, under hubs that run: numbers go on above all that were given out, nobody takes new
//! events for old ones, and clients are told.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sse_runtime::engine::Nats;
use sse_runtime::testing::{ReceivedEvent, TestStream};
use sse_runtime::{Hub, Topic};
use sse_tests::within_limit;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::by_hand::ByHand;
use super::wait_until;
use crate::node::{client, position, seq};
use crate::server::{self, PASSWORD, Server as _};

async fn hub(server: &server::Nats) -> Hub {
    let engine = Nats::connect(server.url()).stream("log").bytes(32 << 20);
    Hub::on(engine).topic_events(4).start().await.expect("started")
}

async fn follow(hub: &Hub, last: &str) -> TestStream {
    client(hub).get("/a").last_event_id(last).stream().await
}

/// A hub that follows nothing is not told how the log goes on.
async fn open(hub: &Hub) {
    let mut events = client(hub).get("/a").stream().await;
    assert_eq!(events.next().await.name, "sse-open");
}

async fn publish(hub: &Hub, text: &str) -> String {
    let topic: Topic = hub.topic("a");
    topic.publish(text).await.expect("published").as_str().to_owned()
}

/// The next event with this data; what comes before it are words of the runtime.
async fn expect(events: &mut TestStream, data: &str) -> ReceivedEvent {
    loop {
        let event = events.next().await;
        if event.name == "message" {
            assert_eq!(event.data, data);
            return event;
        }
    }
}

async fn reset(hub: &Hub, last: &str, reason: &str) {
    let mut events = follow(hub, last).await;
    let first = events.next().await;
    assert_eq!(first.name, "sse-reset", "{first:?}");
    let said: Value = serde_json::from_str(&first.data).expect("JSON");
    assert_eq!(said["reason"], reason, "{said}");
}

/// Keeps a copy of what the server has on its disk.
async fn remember(server: &mut server::Nats) {
    server.kill().await;
    let folder = server.process().folder();
    copy_all(&folder.join("jetstream"), &folder.join("copy"));
    server.start_again().await;
}

/// Back to that copy: as after a loss of power, with acknowledgements that did not wait for the disk.
async fn lose_what_came_since(server: &mut server::Nats) {
    server.kill().await;
    let folder = server.process().folder();
    let (log, copy) = (folder.join("jetstream"), folder.join("copy"));
    fs::remove_dir_all(&log).expect("removed");
    fs::rename(&copy, &log).expect("moved");
    server.start_again().await;
}

fn epoch(id: &str) -> &str {
    id.split_once('-').expect("epoch and number").0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_deleted_is_made_again() {
    let server = server::Nats::start().await;
    let (one, two) = (hub(&server).await, hub(&server).await);
    let old = publish(&one, "1").await;
    let newest = publish(&two, "2").await;
    let (mut near, mut far) = (follow(&one, &newest).await, follow(&two, &newest).await);

    ByHand::connect(&server).await.ask("STREAM.DELETE.log", Value::Null).await;
    let id = publish(&one, "3").await;
    assert_eq!(epoch(&id), epoch(&newest));
    assert!(seq(&id) > seq(&newest), "{id} after {newest}");
    // Streams end or are told, and come back: what is said is in the guide. From here on, all is as ever.
    wait_until("both know it", || seq(position(&two).as_str()) >= seq(&id)).await;
    for (hub, stream) in [(&one, &mut near), (&two, &mut far)] {
        reset(hub, &old, "evicted").await;
        *stream = follow(hub, &id).await;
    }
    let next = publish(&two, "4").await;
    assert!(seq(&next) > seq(&id));
    expect(&mut near, "4").await;
    expect(&mut far, "4").await;

    // A node that begins now goes on with it, and clients of the others resume there.
    let three = hub(&server).await;
    expect(&mut follow(&three, &id).await, "4").await;
    reset(&three, &old, "evicted").await;
    let last = publish(&three, "5").await;
    assert_eq!(epoch(&last), epoch(&id));
    assert!(seq(&last) > seq(&next));
    expect(&mut near, "5").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_another_node_has_begun_anew_is_joined() {
    let mut server = server::Nats::start().await;
    let (one, two) = (hub(&server).await, hub(&server).await);
    open(&one).await;
    open(&two).await;
    let old = publish(&one, "1").await;

    // Nothing of the old one is left, and somebody who knows nothing of it comes first.
    server.kill().await;
    let streams = server.process().folder().join("jetstream");
    fs::remove_dir_all(streams).expect("removed");
    let url = server.url();
    let starting = tokio::spawn(async move {
        loop {
            let engine = Nats::connect(&url).stream("log").bytes(32 << 20);
            if let Ok(hub) = Hub::on(engine).start().await {
                return hub;
            }
        }
    });
    server.start_again().await;
    let three = starting.await.expect("no panic");

    let by_one = publish(&one, "2").await;
    let by_two = publish(&two, "3").await;
    let by_three = publish(&three, "4").await;
    assert_eq!((epoch(&by_one), epoch(&by_two)), (epoch(&old), epoch(&old)));
    assert!(seq(&by_one) > seq(&old) && seq(&by_two) > seq(&by_one), "{old}, {by_one}, {by_two}");
    wait_until("it has all", || seq(position(&one).as_str()) > seq(&by_two)).await;
    // The two agree on numbers without having spoken.
    for hub in [&one, &two] {
        let mut events = follow(hub, &by_one).await;
        expect(&mut events, "3").await;
        expect(&mut events, "4").await;
        reset(hub, &old, "evicted").await;
    }
    // Whichever of them was first: if that was the third, the others' ids are of another log for it.
    if epoch(&by_three) != epoch(&old) {
        reset(&three, &by_one, "epoch").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_lost_the_newest_events_does_not_use_their_numbers_again() {
    let mut server = server::Nats::start().await;
    let (one, two) = (hub(&server).await, hub(&server).await);
    open(&one).await;
    open(&two).await;
    let kept = publish(&one, "1").await;
    remember(&mut server).await;
    for n in 2..50 {
        publish(&one, &n.to_string()).await;
    }
    let newest = publish(&two, "50").await;
    wait_until("both have it", || [&one, &two].iter().all(|hub| seq(position(hub).as_str()) == seq(&newest)))
        .await;

    lose_what_came_since(&mut server).await;
    let id = publish(&two, "51").await;
    assert_eq!(epoch(&id), epoch(&newest));
    assert!(seq(&id) > seq(&newest), "{id} after {newest}");
    wait_until("it has come", || seq(position(&one).as_str()) >= seq(&id)).await;
    for hub in [&one, &two] {
        expect(&mut follow(hub, &newest).await, "51").await;
    }
    // What was kept is still there, for a node that knows of no loss as well.
    expect(&mut follow(&hub(&server).await, &kept).await, "51").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_follows_nothing_knows_what_others_have_published_and_the_server_has_lost() {
    let mut server = server::Nats::start().await;
    let (one, idle) = (hub(&server).await, hub(&server).await);
    publish(&one, "1").await;
    remember(&mut server).await;
    let mut newest = String::new();
    for n in 2..10 {
        newest = publish(&one, &n.to_string()).await;
    }
    drop(one);
    // It asks the server now and then.
    let by_hand = ByHand::connect(&server).await;
    let mut asked = by_hand.ask("INFO", Value::Null).await["api"]["total"].as_u64().expect("a count") + 2;
    within_limit("it has looked", async {
        while by_hand.ask("INFO", Value::Null).await["api"]["total"].as_u64() < Some(asked) {
            // This was a request, too.
            asked += 1;
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;

    lose_what_came_since(&mut server).await;
    let id = publish(&idle, "10").await;
    assert!(seq(&id) > seq(&newest), "{id} after {newest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_evicted_during_an_outage_is_said() {
    let server = server::Nats::start().await;
    let mut cable = Cable::to(server.process().address()).await;
    let engine = Nats::connect(server.url_with(PASSWORD, cable.address)).stream("log").bytes(32 << 20);
    let hub = Hub::on(engine).topic_events(4).start().await.expect("started");
    let old = publish(&hub, "1").await;
    let mut events = follow(&hub, &old).await;
    assert_eq!(events.next().await.name, "sse-open");

    cable.cut();
    wait_until("it is down", || !hub.health().is_up()).await;
    let other = self::hub(&server).await;
    for n in 2..=11 {
        publish(&other, &n.to_string()).await;
    }
    ByHand::connect(&server).await.purge("log", 9).await;
    cable.mend().await;
    wait_until("it has come", || seq(position(&hub).as_str()) == 11).await;
    reset(&hub, &old, "evicted").await;
    let mut events = follow(&hub, &old.replace("-1", "-9")).await;
    for data in ["10", "11"] {
        expect(&mut events, data).await;
    }
}

/// A way to the server that can be cut, while the server is there.
struct Cable {
    address: SocketAddr,
    to: SocketAddr,
    carrying: JoinHandle<()>,
}

impl Cable {
    async fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        Self { address, to, carrying: tokio::spawn(carry(listener, to)) }
    }

    fn cut(&self) {
        self.carrying.abort();
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("it is free again");
        self.carrying = tokio::spawn(carry(listener, self.to));
    }
}

async fn carry(listener: TcpListener, to: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut far = TcpStream::connect(to).await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        });
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}
