//! A client that is quick enough for crowds: in the same process or over a socket, it reads blocks and no more than it
//! has to of them.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use sse_tests::within_limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_service::Service;

use super::published::{Heard, seq_of};

/// Where a reader connects to.
#[derive(Clone)]
pub(crate) enum Server {
    InProcess(Router),
    At(SocketAddr),
}

enum Source {
    Body(BodyDataStream),
    /// What has come over the socket and is not decoded yet; none of it before the head is complete.
    Socket(TcpStream, Chunked),
}

#[derive(Default)]
struct Chunked {
    raw: Vec<u8>,
    ended: bool,
}

/// What a client reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Event(Heard),
    /// Of the runtime's own.
    Word {
        name: String,
        id: Option<u64>,
        data: String,
    },
}

impl Block {
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Word { data, .. } => serde_json::from_str(data).expect("JSON"),
            Self::Event(event) => panic!("an event of the topic, not of the runtime: {event:?}"),
        }
    }
}

pub(crate) struct Reader {
    source: Source,
    text: Vec<u8>,
    read: usize,
    /// The id to come back with.
    pub(crate) last_id: String,
}

impl Reader {
    pub(crate) async fn connect(server: &Server, path: &str, last_id: Option<&str>) -> Self {
        let source = match server {
            Server::InProcess(app) => {
                let mut request = Request::get(path);
                if let Some(id) = last_id {
                    request = request.header("last-event-id", id);
                }
                let request = request.body(Body::empty()).expect("a request");
                let response = within_limit("the head", app.clone().call(request)).await.expect("infallible");
                assert_eq!(response.status(), 200);
                Source::Body(response.into_body().into_data_stream())
            }
            Server::At(address) => {
                let asked = last_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
                let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{asked}\r\n");
                let mut socket =
                    within_limit("connecting", TcpStream::connect(address)).await.expect("connected");
                within_limit("asking", socket.write_all(request.as_bytes())).await.expect("asked");
                let mut raw = Vec::new();
                let end = loop {
                    if let Some(end) = find(&raw, b"\r\n\r\n") {
                        break end + 4;
                    }
                    let read = within_limit("the head", socket.read_buf(&mut raw)).await.expect("a head");
                    assert_ne!(read, 0, "closed before its head was complete");
                };
                assert!(raw.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&raw));
                raw.drain(..end);
                Source::Socket(socket, Chunked { raw, ended: false })
            }
        };
        let last_id = last_id.unwrap_or_default().to_owned();
        Self { source, text: Vec::new(), read: 0, last_id }
    }

    /// Comes back as an `EventSource` does, with the last id that was read.
    pub(crate) async fn reconnect(self, server: &Server, path: &str) -> Self {
        let id = self.last_id.clone();
        drop(self);
        Self::connect(server, path, Some(&id).filter(|id| !id.is_empty()).map(String::as_str)).await
    }

    /// The next block with data; none at the clean end.
    pub(crate) async fn next(&mut self) -> Option<Block> {
        loop {
            let unread = &self.text[self.read..];
            if let Some(end) = find(unread, b"\n\n") {
                let block = parse(&unread[..end], &mut self.last_id);
                self.read += end + 2;
                if block.is_some() {
                    return block;
                }
                continue;
            }
            self.text.drain(..self.read);
            self.read = 0;
            if !self.more().await {
                assert!(self.text.is_empty(), "the stream ended within a block");
                return None;
            }
        }
    }

    /// The first event: where the stream begins.
    pub(crate) async fn position(&mut self) -> u64 {
        match self.next().await {
            Some(Block::Word { name, id: Some(id), .. }) if name == "sse-open" => id,
            other => panic!("expected sse-open, got {other:?}"),
        }
    }

    /// The next event of a topic; anything else is wrong.
    pub(crate) async fn event(&mut self) -> Heard {
        match self.next().await {
            Some(Block::Event(event)) => event,
            other => panic!("expected an event of a topic, got {other:?}"),
        }
    }

    async fn more(&mut self) -> bool {
        match &mut self.source {
            Source::Body(body) => match within_limit("the next bytes", body.next()).await {
                Some(chunk) => self.text.extend_from_slice(&chunk.expect("not cut")),
                None => return false,
            },
            Source::Socket(socket, chunked) => {
                while !chunked.decode(&mut self.text) {
                    if chunked.ended {
                        return false;
                    }
                    let read = within_limit("the next bytes", socket.read_buf(&mut chunked.raw)).await;
                    assert_ne!(read.expect("not reset"), 0, "cut without an end");
                }
            }
        }
        true
    }
}

impl Chunked {
    /// Moves what is complete to `text`; whether there was anything.
    fn decode(&mut self, text: &mut Vec<u8>) -> bool {
        let (before, mut at) = (text.len(), 0);
        while let Some(line) = find(&self.raw[at..], b"\r\n") {
            let size = std::str::from_utf8(&self.raw[at..at + line]).expect("a chunk size is ASCII");
            let size = usize::from_str_radix(size, 16).expect("a chunk size is hexadecimal");
            let start = at + line + 2;
            if self.raw.len() < start + size + 2 {
                break;
            }
            text.extend_from_slice(&self.raw[start..start + size]);
            at = start + size + 2;
            self.ended |= size == 0;
        }
        self.raw.drain(..at);
        text.len() > before
    }
}

fn parse(block: &[u8], last_id: &mut String) -> Option<Block> {
    let block = std::str::from_utf8(block).expect("an event stream is UTF-8");
    let (mut name, mut id, mut data) = ("", None, None);
    for line in block.split('\n') {
        if let Some(value) = line.strip_prefix("data: ") {
            assert_eq!(data.replace(value), None, "one line of data in these tests: {block:?}");
        } else if let Some(value) = line.strip_prefix("id: ") {
            id = Some(seq_of(value));
            last_id.clear();
            last_id.push_str(value);
        } else if let Some(value) = line.strip_prefix("event: ") {
            name = value;
        } else {
            assert!(line.is_empty() || line.starts_with(':') || line.starts_with("retry: "), "{block:?}");
        }
    }
    let data = data?;
    if !name.is_empty() {
        return Some(Block::Word { name: name.to_owned(), id, data: data.to_owned() });
    }
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("no number in {block:?}"));
    let (topic, rest) = data.split_once(':').expect("the data of these tests");
    let (told, _) = rest.split_once(' ').expect("the data of these tests");
    let seq = id.expect("every event of a topic has an id");
    let topic = usize::try_from(number(topic)).expect("a small number");
    Some(Block::Event(Heard { seq, topic, number: number(told) }))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    // Most of what these tests do: so not by windows, which an unoptimized build takes its time for.
    let (&first, rest) = wanted.split_first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|&byte| byte == first) {
        if bytes[from + at + 1..].starts_with(rest) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
