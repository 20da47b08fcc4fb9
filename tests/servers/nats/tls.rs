//! A server that talks TLS only.

use std::fs;

use async_nats::ConnectOptions;
use sse_runtime::engine::{EngineError, Nats, NatsError};
use sse_runtime::{Hub, Topic};

use crate::server::{self, Server as _};

#[tokio::test]
async fn a_server_is_known_by_its_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, certified.cert.pem()).expect("the folder is ours");
    fs::write(&key, certified.signing_key.serialize_pem()).expect("the folder is ours");
    let server = server::Nats::configured(&format!(
        "jetstream {{}}\ntls {{ cert_file: {certificate:?}, key_file: {key:?} }}\n"
    ))
    .await;

    let address = server.process().address();
    for url in [format!("tls://{address}"), format!("nats://{address}")] {
        let options = ConnectOptions::new().add_root_certificates(certificate.clone());
        let engine = Nats::connect(&url).bytes(32 << 20).options(options);
        let hub = Hub::on(engine).start().await.expect(&url);
        let topic: Topic = hub.topic("a");
        topic.publish("1").await.expect(&url);
    }
    let started = Hub::on(Nats::connect(format!("tls://{address}"))).start().await;
    let error: EngineError = started.expect_err("nobody vouches for it");
    assert!(matches!(error.downcast_ref(), Some(NatsError::Unreachable { .. })), "{error:?}");
}
