//! What a program is told that cannot begin, where NATS has ways of its own to refuse it.

use serde_json::{Value, json};
use sse_runtime::Hub;
use sse_runtime::engine::{EngineError, Nats, NatsError, Storage};

use super::by_hand::ByHand;
use crate::server::{self, Server as _, fresh_name};

async fn error(engine: Nats) -> NatsError {
    let started = sse_tests::within_limit("an error", Hub::on(engine).start()).await;
    let error: EngineError = started.expect_err("it cannot begin");
    error.downcast_ref::<NatsError>().unwrap_or_else(|| panic!("{error:?}")).clone()
}

#[tokio::test]
async fn a_server_without_jetstream_is_told_apart_from_none() {
    let server = server::Nats::with(&[]).await;
    let address = server.process().address().to_string();
    let refused = error(Nats::connect(server.url())).await;
    assert!(matches!(&refused, NatsError::NoJetStream { server, .. } if *server == address), "{refused:?}");
    let login = error(Nats::connect(server.url_with("wrong", server.process().address()))).await;
    assert_eq!(login, NatsError::LoginRefused { server: address });
}

#[tokio::test]
async fn an_account_without_jetstream_is_told_so() {
    let accounts = "jetstream {}\naccounts { A { users: [{ user: poor, password: poor }] } }\n";
    let server = server::Nats::configured(accounts).await;
    let address = server.process().address();
    let refused = error(Nats::connect(format!("nats://poor:poor@{address}"))).await;
    assert!(matches!(&refused, NatsError::NoJetStream { .. }), "{refused:?}");
    assert!(refused.to_string().contains("account"), "{refused}");
}

#[tokio::test]
async fn a_stream_of_somebody_else_is_left_alone() {
    let server = server::Nats::start().await;
    let by_hand = ByHand::connect(&server).await;
    let ours = ["log.aa-bb.>"];
    let others = [
        ("subjects", json!(["orders.>"])),
        ("subjects", json!(["log.>"])),
        ("subjects", json!(["log.aa-bb.>", "more"])),
        ("retention", json!("workqueue")),
        ("retention", json!("interest")),
        ("max_msgs_per_subject", json!(10)),
        ("no_ack", json!(true)),
    ];
    for (setting, value) in others {
        let mut config = json!({ "name": "log", "subjects": ours, "storage": "memory", "num_replicas": 1 });
        config[setting] = value;
        by_hand.ask("STREAM.CREATE.log", config).await;
        let before = by_hand.ask("STREAM.INFO.log", Value::Null).await;
        let refused = error(Nats::connect(server.url()).stream("log").events(5)).await;
        assert!(matches!(&refused, NatsError::Foreign { stream, .. } if stream == "log"), "{refused:?}");
        assert_eq!(by_hand.ask("STREAM.INFO.log", Value::Null).await["config"], before["config"]);
        by_hand.ask("STREAM.DELETE.log", Value::Null).await;
    }
}

#[tokio::test]
async fn what_the_server_cannot_give_is_said() {
    let server = server::Nats::start().await;
    let engine = || Nats::connect(server.url()).stream(fresh_name());
    let full = error(engine().bytes(i64::MAX.unsigned_abs())).await;
    assert!(matches!(full, NatsError::Full { .. }), "{full:?}");
    let alone = error(engine().replicas(3)).await;
    assert!(matches!(&alone, NatsError::Refused { reason, .. } if reason.contains("replicas")), "{alone:?}");
    for name in ["", "a.b", "a b", "*", "ä"] {
        let name = error(Nats::connect(server.url()).stream(name)).await;
        assert!(matches!(name, NatsError::Configuration { .. }), "{name:?}");
    }
    let address = error(Nats::connect("http://localhost")).await;
    assert!(matches!(address, NatsError::Configuration { .. }), "{address:?}");

    let in_files = Nats::connect(server.url()).stream("log").bytes(1 << 20);
    Hub::on(in_files).start().await.expect("started");
    let in_memory = error(Nats::connect(server.url()).stream("log").storage(Storage::Memory)).await;
    assert!(matches!(in_memory, NatsError::Foreign { .. }), "{in_memory:?}");
}
