//! What is told when it cannot work, and when it can again.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use sse_runtime::Hub;
use sse_runtime::engine::{Engine as _, Record, Redis, RedisFailure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::node::{Node, Said};
use super::{SHARED, raw};
use crate::server::{self, PASSWORD, Server, fresh_name};

async fn refused(engine: Redis) -> RedisFailure {
    let begun = Instant::now();
    let error = Hub::on(engine).start().await.expect_err("it cannot start");
    assert!(begun.elapsed() < Duration::from_secs(8), "after {:?}", begun.elapsed());
    assert!(!error.to_string().contains(PASSWORD), "{error}");
    println!("{error}");
    error.downcast_ref::<RedisFailure>().unwrap_or_else(|| panic!("{error}")).clone()
}

/// Something that listens, and answers everybody with this.
async fn something_else(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut clients = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            socket.write_all(answer).await.expect("a client");
            clients.push(socket);
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_will_not_do_is_told_when_the_hub_starts() {
    use RedisFailure::{NotRedis, ReadOnly, Refused, Unreachable, Url};
    let server = server::Redis::start().await;
    let address = server.process().address();
    let wrong = refused(Redis::connect(server.url_with("wrong", address))).await;
    assert!(matches!(wrong, Refused { .. }), "{wrong:?}");
    let none = refused(Redis::connect(format!("redis://{address}"))).await;
    assert!(matches!(none, Refused { .. }), "{none:?}");
    let nobody =
        refused(Redis::connect(server.url_with(PASSWORD, "127.0.0.1:1".parse().expect("one")))).await;
    assert!(matches!(&nobody, Unreachable { address, .. } if address == "127.0.0.1:1"), "{nobody:?}");
    let web = something_else(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let web = refused(Redis::connect(server.url_with(PASSWORD, web))).await;
    assert!(matches!(web, NotRedis { .. }), "{web:?}");
    let silent = something_else(b"").await;
    let silent =
        Redis::connect(server.url_with(PASSWORD, silent)).connect_timeout(Duration::from_millis(300));
    let silent = refused(silent).await;
    assert!(matches!(silent, Unreachable { .. }), "{silent:?}");
    let url = refused(Redis::connect("http://localhost")).await;
    assert!(matches!(url, Url { .. }), "{url:?}");
    let mut replicates = redis::cmd("REPLICAOF");
    replicates.arg("127.0.0.1").arg(1);
    replicates.exec_async(&mut raw(&server).await).await.expect("it becomes one");
    let replica = refused(Redis::connect(server.url())).await;
    assert!(matches!(replica, ReadOnly { .. }), "{replica:?}");
}

#[tokio::test]
async fn what_is_not_a_log_is_left_as_it_is() {
    use RedisFailure::{Foreign, Newer, Prefix};
    let server = SHARED.get().await;
    let mut raw = raw(&server).await;
    let text = fresh_name();
    redis::cmd("SET").arg(format!("{{{text}}}:log")).arg("x").exec_async(&mut raw).await.expect("set");
    let failure = refused(Redis::connect(server.url()).prefix(text)).await;
    assert!(matches!(failure, Foreign { .. }), "{failure:?}");
    let hash = fresh_name();
    redis::cmd("HSET")
        .arg(format!("{{{hash}}}:log"))
        .arg("a")
        .arg("b")
        .exec_async(&mut raw)
        .await
        .expect("set");
    let failure = refused(Redis::connect(server.url()).prefix(hash.as_str())).await;
    assert!(matches!(failure, Foreign { .. }), "{failure:?}");
    let other = fresh_name();
    redis::cmd("SADD").arg(format!("{{{other}}}:topics")).arg("a").exec_async(&mut raw).await.expect("set");
    let failure = refused(Redis::connect(server.url()).prefix(other)).await;
    assert!(matches!(failure, Foreign { .. }), "{failure:?}");
    let newer = fresh_name();
    redis::cmd("HSET")
        .arg(format!("{{{newer}}}:log"))
        .arg("format")
        .arg(9)
        .exec_async(&mut raw)
        .await
        .expect("set");
    let failure = refused(Redis::connect(server.url()).prefix(newer)).await;
    assert!(matches!(&failure, Newer { format, known: 1, .. } if format == "9"), "{failure:?}");
    let fields: Vec<String> =
        redis::cmd("HGETALL").arg(format!("{{{hash}}}:log")).query_async(&mut raw).await.expect("a hash");
    assert_eq!(fields, ["a", "b"]);
    for prefix in ["", "a{b}", "}"] {
        let failure = refused(Redis::connect(server.url()).prefix(prefix)).await;
        assert!(matches!(failure, Prefix { .. }), "{failure:?}");
    }
}

#[tokio::test]
async fn an_event_that_is_not_taken_is_a_typed_error_and_harms_no_other() {
    let server = server::Redis::start().await;
    let node = Node::start(Redis::connect(server.url()).record_bytes(1000)).await;
    node.open("t").await;
    let large = node.try_publish("t", &"x".repeat(1000)).await.expect_err("too large");
    assert!(matches!(large, RedisFailure::TooLarge { bytes: 1005, limit: 1000 }), "{large:?}");
    node.publish("t", &"x".repeat(900)).await;

    // One of a group has a place where something else is.
    let mut raw = raw(&server).await;
    redis::cmd("SET").arg("{sse}:t:taken").arg("x").exec_async(&mut raw).await.expect("set");
    let (before, taken, after) =
        tokio::join!(node.publish("t", "before"), node.try_publish("taken", "x"), node.publish("t", "after"));
    let taken = taken.expect_err("something else is there");
    assert!(matches!(&taken, RedisFailure::Foreign { key, .. } if key == "{sse}:t:taken"), "{taken:?}");
    node.until_record(before.max(after)).await;
    let alone = node.try_publish("taken", "x").await.expect_err("something else is there");
    assert!(matches!(&alone, RedisFailure::Foreign { key, .. } if key == "{sse}:t:taken"), "{alone:?}");
    // Two that are one, in one group: neither is there.
    let publish = || node.engine.publish("taken", Record::new(b"x", "").deduped(Some("k")));
    let (one, other) = tokio::join!(publish(), publish());
    assert!(one.is_err() && other.is_err(), "{one:?} {other:?}");
    let error = node.engine.read("taken", 0, 9).await;
    assert!(error.is_ok(), "nothing was published there: {error:?}");

    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec_async(&mut raw).await.expect("set");
    let full = node.try_publish("t", "too much").await.expect_err("no memory");
    assert!(matches!(full, RedisFailure::OutOfMemory { .. }), "{full:?}");
    // Several groups at once, of which each names the one before.
    let many = futures_util::future::join_all((0..500).map(|n| {
        let engine = &node.engine;
        async move { engine.publish("t", Record::new(n.to_string().as_bytes(), "")).await }
    }));
    for refused in many.await {
        let error = refused.expect_err("no memory");
        assert!(matches!(error.downcast_ref(), Some(RedisFailure::OutOfMemory { .. })), "{error}");
    }
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(0).exec_async(&mut raw).await.expect("set");
    let next = node.publish("t", "there is room again").await;
    node.until_record(next).await;
    assert_eq!(node.numbers().len(), 4);
    assert!(!node.said().contains(&Said::Down), "{:?}", node.said());
}

/// A server that wants replicas, and has none, runs scripts and refuses what they write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_what_is_written_is_heard_all_the_same() {
    let server = server::Redis::start().await;
    let node = Node::start(Redis::connect(server.url())).await;
    let mut raw = raw(&server).await;
    // Another node is to be forgotten soon, which cannot be written either.
    let soon = SystemTime::now() + Duration::from_millis(500);
    let soon = soon.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
    let mut gone = redis::cmd("ZADD");
    gone.arg("{sse}:nodes").arg(soon.to_string()).arg("node gone").exec_async(&mut raw).await.expect("added");
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("min-replicas-to-write")
        .arg(1)
        .exec_async(&mut raw)
        .await
        .expect("set");
    let begun = Instant::now();
    let mut topics = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        // Each asks the server for a mark.
        node.open(&topics.to_string()).await;
        topics += 1;
    }
    assert!(!node.said().contains(&Said::Down), "{:?} after {topics} topics", node.said());
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("min-replicas-to-write")
        .arg(0)
        .exec_async(&mut raw)
        .await
        .expect("set");
    let next = node.publish("0", "y").await;
    node.until_record(next).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_noticed_and_nobody_waits_for_ever() {
    let server = server::Redis::start().await;
    let second = Duration::from_secs(1);
    let engine = Redis::connect(server.url()).publish_timeout(8 * second).read_timeout(second);
    let impatient = Redis::connect(server.url()).publish_timeout(second).connect_timeout(second);
    let (node, impatient) = (Node::start(engine).await, Node::start(impatient).await);
    node.open("t").await;
    node.publish("t", "before").await;
    server.pause();
    let begun = Instant::now();
    let late = impatient.try_publish("t", "late").await.expect_err("no answer");
    assert!(matches!(late, RedisFailure::Timeout { .. } | RedisFailure::Unreachable { .. }), "{late:?}");
    assert!(impatient.engine.open("u").await.is_err());
    assert!(node.engine.read("t", 0, 9).await.is_err());
    assert!(node.engine.top().await.is_err());
    assert!(begun.elapsed() < 6 * second, "{:?}", begun.elapsed());
    let (published, ()) = tokio::join!(node.publish("t", "meanwhile"), async {
        node.until("an outage", |said| *said == Said::Down).await;
        println!("noticed after {:?}", begun.elapsed());
        server.resume();
        node.until("its end", |said| *said == Said::Up).await;
    });
    node.until_record(published).await;
    let next = node.publish("t", "after").await;
    node.until_record(next).await;
    let texts: Vec<_> = node
        .said()
        .into_iter()
        .filter_map(|said| if let Said::Record(_, _, text) = said { Some(text) } else { None })
        .filter(|text| text != "late")
        .collect();
    assert_eq!(texts, ["before", "meanwhile", "after"]);
    assert!(node.losses().is_empty());
}
