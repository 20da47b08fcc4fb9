//! nginx with the nchan module. Events are posted to it, by this program, over one connection: what reading the requests
//! costs is part of what it uses.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::control::{self, Schedule};
use crate::payload;
use crate::servers::Setup;

const NGINX: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
/// Until every post must have been answered.
const LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn is_there() -> bool {
    Path::new(NGINX).exists() && Path::new(MODULE).exists()
}

/// One worker, on a port that was free a moment ago: nginx cannot choose one itself.
pub(crate) fn start(setup: &Setup, log: &Path) -> io::Result<(Child, SocketAddr)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let (path, seconds) = (folder.display(), setup.keep_alive.as_secs());
    let mut text = String::new();
    if rustix::process::geteuid().is_root() {
        text.push_str("user root;\n");
    }
    write!(
        text,
        "load_module {MODULE};
daemon off;
worker_processes 1;
pid {path}/pid;
error_log stderr warn;
events {{ worker_connections 15000; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_body_temp_path {path}/body;
    proxy_temp_path {path}/proxy;
    fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi;
    scgi_temp_path {path}/scgi;
    nchan_shared_memory_size 256M;
    server {{
        listen {address} backlog=1024;
        location = /events {{
            nchan_subscriber eventsource;
            nchan_channel_id bench;
            nchan_subscriber_first_message newest;
            nchan_eventsource_ping_interval {seconds};
            nchan_eventsource_ping_comment ping;
        }}
        location = /publish {{
            nchan_publisher;
            nchan_channel_id bench;
            nchan_message_buffer_length 1024;
        }}
    }}
}}
"
    )
    .map_err(io::Error::other)?;
    let configuration = folder.join("nginx.conf");
    fs::write(&configuration, text)?;
    let child = Command::new(NGINX)
        .arg("-c")
        .arg(configuration)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log)?)
        .spawn()?;
    Ok((child, address))
}

fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("fanout-{}-nchan", std::process::id()))
}

/// Removes what nginx had for itself.
pub(crate) fn clear() {
    drop(fs::remove_dir_all(folder()));
}

/// nginx's worker outlives a master that is killed, so the master is asked to end.
pub(crate) fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Posts what the command says, a burst in one piece, and returns how many events that were.
pub(crate) fn publish(address: SocketAddr, command: control::Command) -> io::Result<u64> {
    let text = payload::text(command.bytes());
    let post = format!(
        "POST /publish HTTP/1.1\r\nhost: bench\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(LIMIT))?;
    let mut schedule = Schedule::new(command);
    loop {
        let due = schedule.due();
        socket.write_all(post.repeat(usize::try_from(due).unwrap_or(0)).as_bytes())?;
        read_answers(&mut socket, due)?;
        match schedule.next() {
            Some(next) => thread::sleep(next.saturating_duration_since(Instant::now())),
            None => return Ok(schedule.published()),
        }
    }
}

/// Every answer has one head, and no body begins like one.
fn read_answers(socket: &mut TcpStream, count: u64) -> io::Result<()> {
    const STATUS: &[u8] = b"HTTP/1.1 20";
    let mut answers = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while (memchr::memmem::find_iter(&answers, STATUS).count() as u64) < count {
        let read = socket.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answers.extend_from_slice(&buffer[..read]);
    }
    Ok(())
}
