//! The subscribers: many sockets, one epoll, one thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use mio::{Events, Interest, Poll, Token};
use rustix::net::sockopt::set_socket_linger;

use crate::payload::MARK;

/// How many connections wait for their response head at a time: fewer than any listener's backlog.
const BATCH: usize = 256;
const CONNECT_LIMIT: Duration = Duration::from_secs(12);
/// How long this side sleeps when nothing has arrived. It does not wait inside of epoll, because a server would then
/// pay for waking it: on a virtual machine that costs as much as the write itself, and over a network it is not there.
const NAP: Duration = Duration::from_micros(500);

struct Subscriber {
    socket: mio::net::TcpStream,
    /// The response head as far as it has come.
    head: Vec<u8>,
    is_open: bool,
    events: u64,
}

/// What has come in so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) events: u64,
    pub(crate) pings: u64,
    heads: usize,
    /// Streams that the server has ended.
    closed: usize,
}

pub(crate) struct Swarm {
    poll: Poll,
    ready: Events,
    subscribers: Vec<Subscriber>,
    buffer: Vec<u8>,
    ping: Finder<'static>,
    totals: Totals,
}

impl Swarm {
    /// So many subscribers, each of which has its response head.
    pub(crate) fn connect(address: SocketAddr, count: usize) -> io::Result<Self> {
        let mut swarm = Self {
            poll: Poll::new()?,
            ready: Events::with_capacity(1024),
            subscribers: Vec::with_capacity(count),
            buffer: vec![0; 256 * 1024],
            // A comment's line begins with a colon. Texts and fields never do.
            ping: Finder::new(b"\n:"),
            totals: Totals::default(),
        };
        let deadline = Instant::now() + CONNECT_LIMIT;
        while swarm.subscribers.len() < count {
            for _ in swarm.subscribers.len()..count.min(swarm.subscribers.len() + BATCH) {
                swarm.subscribe(address)?;
            }
            let connected = swarm.subscribers.len();
            if !swarm.read_until(deadline, |totals| totals.heads == connected)? {
                let heads = swarm.totals.heads;
                return Err(io::Error::other(format!(
                    "only {heads} of {connected} subscribers had a response"
                )));
            }
        }
        Ok(swarm)
    }

    fn subscribe(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut socket = TcpStream::connect(address)?;
        socket.write_all(b"GET /events HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\r\n")?;
        socket.set_nonblocking(true)?;
        // Closing resets the connection. Otherwise tens of thousands of ports would wait for a minute, among which
        // the kernel searches longer and longer for a free one.
        set_socket_linger(&socket, Some(Duration::ZERO))?;
        let mut socket = mio::net::TcpStream::from_std(socket);
        self.poll.registry().register(&mut socket, Token(self.subscribers.len()), Interest::READABLE)?;
        self.subscribers.push(Subscriber { socket, head: Vec::new(), is_open: true, events: 0 });
        Ok(())
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// The fewest events that any one subscriber has.
    pub(crate) fn fewest(&self) -> u64 {
        self.subscribers.iter().map(|subscriber| subscriber.events).min().unwrap_or(0)
    }

    /// Reads what comes until `is_done` or the deadline. True if it was done.
    pub(crate) fn read_until(
        &mut self,
        deadline: Instant,
        mut is_done: impl FnMut(Totals) -> bool,
    ) -> io::Result<bool> {
        while !is_done(self.totals) {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            match self.poll.poll(&mut self.ready, Some(Duration::ZERO)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ if self.ready.is_empty() => thread::sleep(NAP),
                _ => {}
            }
            for event in &self.ready {
                let Some(subscriber) = self.subscribers.get_mut(event.token().0) else { continue };
                subscriber.read(&mut self.buffer, &self.ping, &mut self.totals)?;
            }
            if self.totals.closed > 0 {
                return Err(io::Error::other(format!("the server ended {} streams", self.totals.closed)));
            }
        }
        Ok(true)
    }
}

impl Subscriber {
    fn read(&mut self, buffer: &mut [u8], ping: &Finder<'_>, totals: &mut Totals) -> io::Result<()> {
        while self.is_open {
            let read = match self.socket.read(buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                Err(error) => return Err(error),
            };
            if read == 0 {
                self.is_open = false;
                totals.closed += 1;
                return Ok(());
            }
            if self.head.ends_with(b"\r\n\r\n") {
                self.count(&buffer[..read], ping, totals);
            } else {
                self.read_head(&buffer[..read], ping, totals)?;
            }
            // A read that did not fill the buffer has emptied the socket.
            if read < buffer.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn count(&mut self, bytes: &[u8], ping: &Finder<'_>, totals: &mut Totals) {
        let events = memchr::memchr_iter(MARK, bytes).count() as u64;
        self.events += events;
        totals.events += events;
        if events == 0 {
            let at_once = u64::from(bytes.starts_with(b":"));
            totals.pings += at_once + ping.find_iter(bytes).count() as u64;
        }
    }

    fn read_head(&mut self, bytes: &[u8], ping: &Finder<'_>, totals: &mut Totals) -> io::Result<()> {
        self.head.extend_from_slice(bytes);
        let Some(end) = memchr::memmem::find(&self.head, b"\r\n\r\n") else { return Ok(()) };
        let rest = self.head.split_off(end + 4);
        if !self.head.starts_with(b"HTTP/1.1 200") {
            let line: Vec<u8> = self.head.iter().copied().take_while(|byte| *byte != b'\r').collect();
            return Err(io::Error::other(format!("answered {}", String::from_utf8_lossy(&line))));
        }
        totals.heads += 1;
        self.head = b"\r\n\r\n".to_vec();
        self.count(&rest, ping, totals);
        Ok(())
    }
}
