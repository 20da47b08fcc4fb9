//! Redis with an append-only file.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{PASSWORD, Server};
use crate::process::{Process, command, program};

pub(crate) struct Redis(Process);

impl Redis {
    /// One with more arguments; where it has one twice, the last one holds.
    pub(crate) async fn with(arguments: &'static [&'static str]) -> Self {
        let program = program("redis-server", &["/usr/sbin"]);
        let mut process = Process::new(None, move |port, folder| {
            let mut command = command(&program, None);
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--requirepass", PASSWORD]);
            command.arg("--dir").arg(folder);
            // With `everysec`, what was answered may wait for the disk in memory for up to two seconds, which a kill
            // takes along.
            command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
            command.args(arguments);
            command
        });
        process.start(Self::answers).await;
        Self(process)
    }
}

impl Server for Redis {
    const NAME: &'static str = "redis";

    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// It listens before it has read its file, and says so to a `PING`.
    async fn answers(address: SocketAddr) -> io::Result<bool> {
        let mut socket = BufReader::new(TcpStream::connect(address).await?);
        socket.write_all(format!("AUTH {PASSWORD}\r\nPING\r\n").as_bytes()).await?;
        let mut lines = socket.lines();
        let (_, pong) = (lines.next_line().await?, lines.next_line().await?);
        Ok(pong.as_deref() == Some("+PONG"))
    }

    fn url_with(&self, password: &str, address: SocketAddr) -> String {
        format!("redis://:{password}@{address}")
    }

    fn process(&self) -> &Process {
        &self.0
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}
