//! What is kept, of names of any length, and for how long keys are known.

use std::time::Duration;

use sse_runtime::engine::Postgres;
use sse_runtime::{Hub, Topic};
use tokio::time::sleep;

use super::{SERVER, evicted, expect, number, publish, raw, resume, seq, start};
use crate::server::{Server as _, fresh_name};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_topic_has_lost_nothing() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let engine = || Postgres::connect(server.url()).schema(&*schema).events(20);
    let hub = start(engine()).await;
    let quiet = publish(&hub, "quiet", 0..3).await;
    let busy = publish(&hub, "busy", 0..100).await;
    let newest = publish(&hub, "quiet", 3..4).await;
    publish(&hub, "busy", 100..110).await;
    // The two oldest are gone when they are two seconds old, and until then all is there.
    resume(&hub, "busy", &busy[0]).await;
    evicted(&hub, "busy", &busy[89]).await;
    drop(hub);

    let hub = start(engine()).await;
    evicted(&hub, "quiet", &quiet[1]).await;
    // It saw all that was evicted, long before the oldest event that is left.
    expect(&mut resume(&hub, "quiet", &quiet[2]).await, 3..4).await;
    resume(&hub, "never", &quiet[0]).await;
    expect(&mut resume(&hub, "busy", &busy[99]).await, 100..110).await;
    let more = publish(&hub, "busy", 110..140).await;
    // And here nothing is left at all.
    evicted(&hub, "busy", &more[8]).await;
    resume(&hub, "quiet", &newest[0]).await;
    evicted(&hub, "quiet", &quiet[2]).await;
    let client = raw(&server.url()).await;
    assert_eq!(number(&client, &format!("SELECT count(*) FROM {schema}.events")).await, 20);
    assert_eq!(
        number(
            &client,
            &format!("SELECT topics - (SELECT count(*) FROM {schema}.evicted) FROM {schema}.log")
        )
        .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_goes_by_itself_and_numbers_go_on() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let engine = || Postgres::connect(server.url()).schema(&*schema).age(SECOND);
    let hub = start(engine()).await;
    let ids = publish(&hub, "a", 0..20).await;
    // Nobody publishes, and nothing else happens.
    evicted(&hub, "a", &ids[0]).await;
    drop(hub);
    let hub = start(engine()).await;
    evicted(&hub, "a", &ids[18]).await;
    assert_eq!(crate::node::position(&hub), ids[19]);
    resume(&hub, "a", &ids[19]).await;
    let next = publish(&hub, "a", 20..21).await;
    assert_eq!(seq(&next[0]), 21);
    expect(&mut resume(&hub, "a", &ids[19]).await, 20..21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_limited() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let hub = start(Postgres::connect(server.url()).schema(&*schema).bytes(1 << 20)).await;
    let topic: Topic = hub.topic("a");
    let text = "x".repeat(100_000);
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(topic.publish(text.as_str()).await.expect("published"));
    }
    evicted(&hub, "a", &ids[18]).await;
    resume(&hub, "a", &ids[20]).await;
}

/// Longer than what an entry of an index can have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_keys_may_be_long() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let hub = start(Postgres::connect(server.url()).schema(&*schema).events(1)).await;
    // What cannot be made smaller.
    let noise =
        || std::iter::repeat_with(|| char::from(fastrand::u8(33..127))).take(10_000).collect::<String>();
    let (name, other, dedupe) = (noise(), noise(), noise());
    let ids = {
        let [one, two]: [Topic; 2] = [hub.topic(&name), hub.topic(&other)];
        let mut ids = Vec::new();
        for _ in 0..2 {
            ids.push(one.publish("x").key(name.clone()).dedupe(dedupe.clone()).await.expect("published"));
            ids.push(two.publish("x").key(name.clone()).dedupe(dedupe.clone()).await.expect("published"));
        }
        ids
    };
    assert_eq!(ids.iter().map(seq).collect::<Vec<_>>(), [1, 2, 1, 2]);
    // Evicted, it is remembered of which topic.
    let client = raw(&server.url()).await;
    let gone = async {
        while number(&client, &format!("SELECT count(*) FROM {schema}.evicted")).await == 0 {
            sleep(SECOND / 20).await;
        }
    };
    sse_tests::within_limit("eviction", gone).await;
    let topic = client.query_one(&format!("SELECT topic FROM {schema}.evicted"), &[]).await.expect("one");
    assert_eq!(topic.get::<_, Vec<u8>>(0), name.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_known_for_its_time_and_forgotten_then() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let engine = |window| Postgres::connect(server.url()).schema(&*schema).dedupe_window(window);
    let hub = start(engine(SECOND)).await;
    let publish = async |hub: &Hub| {
        let topic: Topic = hub.topic("a");
        seq(&topic.publish("x").dedupe("key").await.expect("published"))
    };
    assert_eq!((publish(&hub).await, publish(&hub).await), (1, 1));
    let client = raw(&server.url()).await;
    let pruned = async {
        while number(&client, &format!("SELECT count(*) FROM {schema}.known")).await > 0 {
            sleep(SECOND / 20).await;
        }
    };
    sse_tests::within_limit("pruning", pruned).await;
    assert_eq!((publish(&hub).await, publish(&hub).await), (2, 2));
}
