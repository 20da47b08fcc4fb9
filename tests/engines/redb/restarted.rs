//! A restart, as clients see it: they come back with the ids that they have.

use std::time::Duration;

use sse_runtime::engine::{Durability, Redb};

use crate::{client, expect, opened, publish, reset};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_resumes_over_a_restart_before_anything_new_is_published() {
    for durability in [Durability::EveryGroup, Durability::Within(Duration::from_secs(60))] {
        let (_folder, file) = super::file();
        let before = super::on(Redb::open(&file).durability(durability)).await;
        let ids = publish(&before, &["a", "b"], 0..30).await;
        drop(before);

        let after = super::on(Redb::open(&file).durability(durability)).await;
        let mut events = client(&after).get("/a,b").last_event_id(ids[9].as_str()).stream().await;
        opened(&mut events, true).await;
        expect(&mut events, 10..30).await;
        let mut newest = client(&after).get("/a,b").last_event_id(ids[29].as_str()).stream().await;
        opened(&mut newest, true).await;
        let ids = publish(&after, &["a", "b"], 30..40).await;
        expect(&mut events, 30..40).await;
        expect(&mut newest, 30..40).await;

        // And once more, with nobody between.
        drop((after, events, newest));
        drop(super::open(&file).await);
        let again = super::open(&file).await;
        let mut events = client(&again).get("/a").last_event_id(ids[1].as_str()).stream().await;
        opened(&mut events, true).await;
        for n in [32, 34, 36, 38] {
            events.expect("message", &n.to_string()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_the_log_cannot_serve_is_told_why_after_a_restart() {
    let (_folder, file) = super::file();
    let before = super::on(Redb::open(&file).events(10)).await;
    let ids = publish(&before, &["a"], 0..40).await;
    drop(before);

    let after = super::on(Redb::open(&file).events(10)).await;
    let (epoch, _) = ids[0].as_str().split_once('-').expect("an id");
    let foreign = format!("{:x}-5", u64::from_str_radix(epoch, 16).expect("hexadecimal") ^ 1);
    for (id, reason) in [
        (ids[0].as_str().to_owned(), "evicted"),
        (ids[28].as_str().to_owned(), "evicted"),
        (format!("{epoch}-41"), "ahead"),
        (format!("{epoch}-18446744073709551615"), "ahead"),
        (foreign, "epoch"),
        ("\u{1f980}".to_owned(), "malformed"),
        (format!("{epoch}-"), "malformed"),
        ("x".repeat(2000), "malformed"),
    ] {
        let mut events = client(&after).get("/a").last_event_id(&id).stream().await;
        reset(&mut events, reason).await;
    }
    let mut events = client(&after).get("/a").last_event_id(ids[29].as_str()).stream().await;
    opened(&mut events, true).await;
    expect(&mut events, 30..40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_is_made_of_one_line_of_text() {
    let (_folder, file) = super::file();
    let url = format!("redb:{}", file.display());
    let mut ids = Vec::new();
    for round in 0..2 {
        let hub = sse_runtime::Hub::connect(&url).expect("an engine").start().await.expect("it opens");
        ids.extend(publish(&hub, &["a"], round * 10..round * 10 + 10).await);
        if round == 1 {
            let hub = client(&hub);
            let mut events = hub.get("/a").last_event_id(ids[0].as_str()).stream().await;
            opened(&mut events, true).await;
            expect(&mut events, 1..20).await;
        }
    }
    let hub = sse_runtime::Hub::connect("memory:").expect("an engine").start().await.expect("it starts");
    publish(&hub, &["a"], 0..10).await;
}
