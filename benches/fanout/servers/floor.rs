//! The least that there can be: one thread, epoll, no HTTP library. Chunks are made once, and what was published since
//! the last look goes to every socket by one write.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::{Setup, on_command};
use crate::control::{Command, Schedule};
use crate::payload;

const LISTENER: Token = Token(usize::MAX);
const COMMANDS: Token = Token(usize::MAX - 1);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
    transfer-encoding: chunked\r\n\r\n";
const PING: &[u8] = b"3\r\n:\n\n\r\n";

struct Subscriber {
    socket: TcpStream,
    /// How much of the log it has. None before its request.
    position: Option<u64>,
    /// The socket took less than it was given, and will say when it takes more.
    full: bool,
}

impl Subscriber {
    /// Takes the request, which is to come in one piece. True if the connection stays.
    fn read(&mut self, end: u64) -> bool {
        let mut buffer = [0; 1024];
        match self.socket.read(&mut buffer) {
            Ok(read) if buffer[..read].ends_with(b"\r\n\r\n") => {
                self.position = Some(end);
                matches!(self.socket.write(HEAD), Ok(written) if written == HEAD.len())
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
            Ok(_) => false,
        }
    }

    /// Writes what it does not have yet. True if the connection stays.
    fn write(&mut self, log: &Log) -> bool {
        let Some(position) = &mut self.position else { return true };
        while !self.full && *position < log.end() {
            match self.socket.write(log.from(*position)) {
                Ok(written) => *position += written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.full = true,
                Err(_) => return false,
            }
        }
        true
    }
}

/// What was published and not every subscriber has yet.
#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    /// The position of the first byte that is kept.
    base: u64,
}

impl Log {
    fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    fn from(&self, position: u64) -> &[u8] {
        let skipped = usize::try_from(position - self.base).unwrap_or(usize::MAX);
        self.bytes.get(skipped..).unwrap_or_default()
    }

    /// Forgets what all have. Moving the rest forward is worth it only when there is much to forget.
    fn forget(&mut self, position: u64) {
        let had = usize::try_from(position - self.base).unwrap_or(0);
        if had == self.bytes.len() || had > 1 << 20 {
            self.bytes.drain(..had);
            self.base = position;
        }
    }
}

pub(crate) fn run(setup: &Setup) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    println!("{}", listener.local_addr()?);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    // Kept here as well: what a dropped waker has just said is not heard.
    let waker = Arc::new(Waker::new(poll.registry(), COMMANDS)?);
    let commander = Arc::clone(&waker);
    let (commanded, commands) = mpsc::channel();
    on_command(move |command| {
        let _ = commanded.send(command);
        drop(commander.wake());
    });

    let mut events = Events::with_capacity(1024);
    let mut subscribers: Vec<Option<Subscriber>> = Vec::new();
    let mut log = Log::default();
    let mut publishing: Option<(Schedule, Vec<u8>, Instant)> = None;
    let mut ping = Instant::now() + setup.keep_alive;
    loop {
        let wake = publishing.as_ref().map_or(ping, |(_, _, next)| ping.min(*next));
        if let Err(error) = poll.poll(&mut events, Some(wake.saturating_duration_since(Instant::now()))) {
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
        for event in &events {
            match event.token() {
                LISTENER => accept(&listener, &poll, &mut subscribers)?,
                COMMANDS => {
                    while let Ok(command) = commands.try_recv() {
                        let Some(command) = command else { return Ok(()) };
                        publishing = Some((Schedule::new(command), chunk(command), Instant::now()));
                    }
                }
                Token(index) => {
                    let Some(slot) = subscribers.get_mut(index) else { continue };
                    let Some(subscriber) = slot else { continue };
                    subscriber.full &= !event.is_writable();
                    let stays = !event.is_readable() || subscriber.read(log.end());
                    if !(stays && subscriber.write(&log)) {
                        *slot = None;
                    }
                }
            }
        }

        let before = log.end();
        if let Some((schedule, chunk, next)) = &mut publishing {
            if *next <= Instant::now() {
                for _ in 0..schedule.due() {
                    log.bytes.extend_from_slice(chunk);
                }
                send(&mut subscribers, &mut log);
                if let Some(at) = schedule.next() {
                    *next = at;
                } else {
                    println!("published {}", schedule.published());
                    publishing = None;
                }
            }
        }
        if log.end() != before {
            ping = Instant::now() + setup.keep_alive;
        } else if ping <= Instant::now() {
            log.bytes.extend_from_slice(PING);
            send(&mut subscribers, &mut log);
            ping = Instant::now() + setup.keep_alive;
        }
    }
}

/// One event as it is on the wire.
fn chunk(command: Command) -> Vec<u8> {
    let event = format!("data: {}\n\n", payload::text(command.bytes()));
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

fn accept(listener: &TcpListener, poll: &Poll, subscribers: &mut Vec<Option<Subscriber>>) -> io::Result<()> {
    loop {
        let mut socket = match listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        socket.set_nodelay(true)?;
        let token = Token(subscribers.len());
        poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        subscribers.push(Some(Subscriber { socket, position: None, full: false }));
    }
}

/// Writes to all what they do not have, and forgets what all have then.
fn send(subscribers: &mut [Option<Subscriber>], log: &mut Log) {
    let mut all_have = log.end();
    for slot in subscribers {
        let Some(subscriber) = slot else { continue };
        if subscriber.write(log) {
            all_have = all_have.min(subscriber.position.unwrap_or(u64::MAX));
        } else {
            *slot = None;
        }
    }
    log.forget(all_have);
}
