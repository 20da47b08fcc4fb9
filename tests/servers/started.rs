//! What the tests of engines rely on: servers that start, die, hang and come back as they are told.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::{Nats, Postgres, Redis, Server};

/// Whether it answers somebody who is new within a second.
async fn answers<S: Server>(server: &S) -> io::Result<bool> {
    let answer = timeout(Duration::from_secs(1), S::answers(server.process().address())).await;
    answer.unwrap_or(Ok(false))
}

async fn lives_dies_hangs_and_comes_back<S: Server>() {
    let mut server = S::start().await;
    assert!(answers(&server).await.expect("it listens"), "{}", server.process().printed());
    server.kill().await;
    let refused = answers(&server).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let url = server.url();
    server.start_again().await;
    assert_eq!(server.url(), url);
    server.pause();
    assert!(!answers(&server).await.expect("the kernel accepts"));
    server.resume();
    assert!(answers(&server).await.expect("it listens"));
    let address = server.process().address();
    let folder = server.process().folder().to_owned();
    drop(server);
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!folder.exists());
}

#[tokio::test]
async fn nats_lives_dies_hangs_and_comes_back() {
    lives_dies_hangs_and_comes_back::<Nats>().await;
}

#[tokio::test]
async fn redis_lives_dies_hangs_and_comes_back() {
    lives_dies_hangs_and_comes_back::<Redis>().await;
}

#[tokio::test]
async fn postgres_lives_dies_hangs_and_comes_back() {
    lives_dies_hangs_and_comes_back::<Postgres>().await;
}
