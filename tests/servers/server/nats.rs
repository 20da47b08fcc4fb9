//! NATS with JetStream, its streams on the disk.

use std::fs;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;

use super::{PASSWORD, Server, USER};
use crate::process::{Process, command, program};

pub(crate) struct Nats(Process);

impl Nats {
    /// The file of settings, if it has one.
    pub(crate) const CONFIG: &str = "server.conf";

    /// One with other arguments besides those that say where it is and who may log in.
    pub(crate) async fn with(arguments: &'static [&'static str]) -> Self {
        let program = program("nats-server", &["/usr/sbin"]);
        let mut process = Process::new(None, move |port, folder| {
            let mut command = command(&program, None);
            command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
            command.args(["--user", USER, "--pass", PASSWORD, "--store_dir"]).arg(folder);
            command.args(arguments);
            command
        });
        process.start(Self::answers).await;
        Self(process)
    }
}

impl Nats {
    /// One whose file of settings says who may log in, and all the rest. It is in the server's folder, [`CONFIG`](Self::CONFIG), and may
    /// be changed before the server is started again.
    pub(crate) async fn configured(settings: &str) -> Self {
        let program = program("nats-server", &["/usr/sbin"]);
        let process = Process::new(None, move |port, folder| {
            let mut command = command(&program, None);
            command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--store_dir"]).arg(folder);
            command.arg("--config").arg(folder.join(Self::CONFIG));
            command
        });
        fs::write(process.folder().join(Self::CONFIG), settings).expect("the folder is ours");
        let mut server = Self(process);
        server.start_again().await;
        server
    }
}

impl Server for Nats {
    const NAME: &'static str = "nats";

    async fn start() -> Self {
        Self::with(&["--jetstream"]).await
    }

    /// It says who it is to whoever connects, and listens no sooner than its streams are there.
    async fn answers(address: SocketAddr) -> io::Result<bool> {
        let mut lines = BufReader::new(TcpStream::connect(address).await?).lines();
        Ok(lines.next_line().await?.is_some_and(|line| line.starts_with("INFO ")))
    }

    fn url_with(&self, password: &str, address: SocketAddr) -> String {
        format!("nats://{USER}:{password}@{address}")
    }

    fn process(&self) -> &Process {
        &self.0
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}
