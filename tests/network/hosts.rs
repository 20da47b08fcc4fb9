//! Another host: a network namespace, and a cable to it.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

/// Counts the hosts of this process.
static HOSTS: AtomicU8 = AtomicU8::new(0);

/// A host behind a cable. Both are gone when it is dropped.
pub(crate) struct Host {
    name: String,
    cable: String,
    /// Where this side of the cable is reached from there.
    pub(crate) gateway: Ipv4Addr,
}

impl Host {
    pub(crate) fn new() -> Self {
        let number = HOSTS.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let (name, cable) = (format!("sse-{process}-{number}"), format!("sse{}x{number}", process % 100_000));
        // Addresses that are meant for tests of networks (RFC 2544).
        let third = u8::try_from(process % 256).expect("below 256");
        let net = |host: u8| Ipv4Addr::new(198, 18 + (number & 1), third, (number >> 1) * 4 + host);
        let host = Self { name, cable, gateway: net(1) };
        let (name, cable, far) = (&host.name, &host.cable, format!("{}y", host.cable));
        ip(&["netns", "add", name]);
        ip(&["link", "add", cable, "type", "veth", "peer", "name", &far, "netns", name]);
        ip(&["address", "add", &format!("{}/30", net(1)), "dev", cable]);
        ip(&["link", "set", cable, "up"]);
        ip(&["-n", name, "address", "add", &format!("{}/30", net(2)), "dev", &far]);
        ip(&["-n", name, "link", "set", &far, "up"]);
        host
    }

    /// The cable is cut: nobody is told, and nothing comes through any more.
    pub(crate) fn cut(&self) {
        ip(&["-n", &self.name, "link", "set", &format!("{}y", self.cable), "down"]);
    }

    /// Follows a stream from there, as people do: with curl.
    pub(crate) fn curl(&self, options: &[&str], url: &str) -> Follower {
        let mut command = as_root();
        command.args(["netns", "exec", &self.name, "curl", "--silent", "--no-buffer", url]).args(options);
        let mut command = tokio::process::Command::from(command);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("`ip` runs");
        let stdout = child.stdout.take().expect("it is piped");
        Follower { _child: child, lines: BufReader::new(stdout).lines() }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The cable goes with the host.
        let _ = as_root().args(["netns", "delete", &self.name]).status();
    }
}

/// A client on another host.
pub(crate) struct Follower {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    /// The next line that it has received.
    pub(crate) async fn line(&mut self) -> String {
        let line = sse_tests::within_limit("a line from curl", self.lines.next_line()).await;
        line.expect("curl prints text").expect("curl goes on")
    }
}

/// `ip`, which needs the rights of root: who is not, is by `sudo`, as where the packages are installed.
fn as_root() -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new("ip");
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", "ip"]);
    command
}

fn ip(arguments: &[&str]) {
    let done = as_root().args(arguments).output().expect("`ip` runs: it is in Debian's iproute2");
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
