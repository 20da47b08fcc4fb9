//! nginx as a program of the test: with a configuration and a folder of its own, on free ports.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command};
use std::time::Duration;

use sse_tests::within_limit;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// The ways through nginx, by the first part of the path. It takes that away.
///
/// - `default`: what `proxy_pass` alone does, which is HTTP/1.0 and buffering.
/// - `readme`: as the README has it.
/// - `gzip`: nginx compresses what is not compressed.
/// - else: as the README has it, too, and the path stays as it is.
const LOCATIONS: &str = r#"
    location / {
      proxy_pass http://APP;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
    location /default/ {
      proxy_pass http://APP/;
    }
    location /readme/ {
      proxy_pass http://APP/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
    location /gzip/ {
      proxy_pass http://APP/;
      gzip on;
      gzip_types text/event-stream;
    }
"#;

/// A running nginx, with one worker. It ends when it is dropped.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    /// Where it speaks HTTP/1.1.
    pub(crate) http1: SocketAddr,
    /// Where it speaks HTTP/2, without TLS.
    pub(crate) http2: SocketAddr,
}

impl Nginx {
    /// Starts it in front of `app`.
    pub(crate) async fn start(app: SocketAddr) -> Self {
        Self::start_at(app, free_address().await, free_address().await).await
    }

    /// The same in the place of one that has ended.
    pub(crate) async fn start_at(app: SocketAddr, http1: SocketAddr, http2: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("nginx.conf"), configuration(app, http1, http2)).expect("a file");
        let child = program(&folder).spawn().expect("`nginx` runs: it is in Debian's nginx");
        let mut nginx = Self { child, folder, http1, http2 };
        within_limit("nginx", nginx.accepts()).await;
        nginx
    }

    async fn accepts(&mut self) {
        while TcpStream::connect(self.http2).await.is_err() || TcpStream::connect(self.http1).await.is_err() {
            let ended = self.child.try_wait().expect("its state");
            assert!(ended.is_none(), "it ended: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets it read its configuration again, as after a change: a new worker takes over.
    pub(crate) fn reload(&self) {
        let done = program(&self.folder).args(["-s", "reload"]).status().expect("`nginx` runs");
        assert!(done.success(), "{}", self.log());
    }

    /// What it has complained about.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only if it is asked: killed, it would leave them behind.
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn program(folder: &TempDir) -> Command {
    let mut command = Command::new("nginx");
    // Who is not root may have no folder of servers on the path.
    command.env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin");
    command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
    command
}

fn configuration(app: SocketAddr, http1: SocketAddr, http2: SocketAddr) -> String {
    // What root starts works as nobody, who may not look into the folder.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("  {what}_temp_path {what};\n"))
        .concat();
    let locations = LOCATIONS.replace("APP", &app.to_string());
    format!(
        "{user}\ndaemon off;\npid nginx.pid;\nevents {{}}\nhttp {{\n  access_log off;\n{temporary}\
         \x20 server {{\n    listen {http1};\n    listen {http2} http2;\n    add_header x-worker $pid always;\n\
         {locations}  }}\n}}\n"
    )
}

/// An address that nothing else of this machine is likely to take before nginx does: connections from here begin at
/// another one, and servers of other tests listen there.
async fn free_address() -> SocketAddr {
    let [_, high, low, _] = std::process::id().to_be_bytes();
    let listener = TcpListener::bind((Ipv4Addr::new(127, 77, high, low), 0)).await.expect("a free port");
    listener.local_addr().expect("an address")
}
