//! PostgreSQL.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Weak};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::{PASSWORD, Server, USER};
use crate::process::{Process, command, program};

pub(crate) struct Postgres {
    process: Process,
    /// Kept for the next one, which may want to copy it.
    _new: Arc<TempDir>,
}

impl Postgres {
    /// One with more arguments, such as `-c` and `wal_level=logical`.
    pub(crate) async fn with(arguments: &'static [&'static str]) -> Self {
        let user = user();
        let new = new_one().await;
        let program = installed("postgres");
        let mut process = Process::new(user, move |port, folder| {
            let mut command = command(&program, user);
            command.arg("-D").arg(folder.join("data"));
            command.args(["-c", "listen_addresses=127.0.0.1", "-p", &port.to_string()]);
            command.args(["-c", "unix_socket_directories=", "-c", "shared_buffers=32MB"]);
            // A process that is killed loses nothing of what it has written, only a machine without power does.
            command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
            command.args(arguments);
            command
        });
        run(command("cp".as_ref(), user).arg("-a").arg(new.path().join("data")).arg(process.folder()));
        process.start(Self::answers).await;
        Self { process, _new: new }
    }
}

impl Server for Postgres {
    const NAME: &'static str = "postgres";

    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// It refuses whoever comes too early, before it asks for a password.
    async fn answers(address: SocketAddr) -> io::Result<bool> {
        let mut socket = TcpStream::connect(address).await?;
        let who = format!("user\0{USER}\0database\0postgres\0\0");
        let length = u32::try_from(8 + who.len()).expect("short");
        // The version of the protocol is 3.0.
        let hello = [&length.to_be_bytes(), &[0, 3, 0, 0], who.as_bytes()].concat();
        socket.write_all(&hello).await?;
        Ok(socket.read_u8().await? == b'R')
    }

    fn url_with(&self, password: &str, address: SocketAddr) -> String {
        format!("postgres://{USER}:{password}@{address}/postgres")
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// A database as it is in the beginning. Making one takes seconds, copying one does not.
async fn new_one() -> Arc<TempDir> {
    static NEW: Mutex<Weak<TempDir>> = Mutex::const_new(Weak::new());
    let mut new = NEW.lock().await;
    if let Some(new) = new.upgrade() {
        return new;
    }
    let user = user();
    let folder = tempfile::tempdir().expect("a folder");
    let password = folder.path().join("password");
    fs::write(&password, PASSWORD).expect("the folder is ours");
    if user.is_some() {
        for path in [folder.path(), &password] {
            std::os::unix::fs::chown(path, user, user).expect("root may give a file away");
        }
    }
    let mut initdb = command(&installed("initdb"), user);
    initdb.arg("--pgdata").arg(folder.path().join("data")).arg("--pwfile").arg(password);
    initdb.args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"]);
    run(initdb.args(["--no-sync", "--wal-segsize", "1"]));
    let folder = Arc::new(folder);
    *new = Arc::downgrade(&folder);
    folder
}

/// Where Debian has the programs of the newest version there is: not on the path.
fn installed(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let newest = versions.max_by_key(|version| version.file_name().to_string_lossy().parse::<u32>().ok());
    let folder = newest.map(|version| version.path().join("bin"));
    let folder = folder.as_deref().and_then(Path::to_str).unwrap_or_default();
    program(name, &[folder])
}

/// It refuses to run as root; its package has brought a user for it.
fn user() -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("Linux");
    let line = users.lines().find_map(|line| line.strip_prefix("postgres:"));
    let id = line.and_then(|line| line.split(':').nth(1)?.parse().ok());
    Some(id.expect("a user `postgres`, whom the package brings"))
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
