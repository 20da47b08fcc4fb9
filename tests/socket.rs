//! An HTTP/1.1 client that hides nothing: it reads one response from a TCP socket and hands out the
//! event stream block by block, exactly as it was written.

use std::{fmt::Write as _, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::within_limit;

/// A response whose head has been read; its body is read as it is asked for.
#[derive(Debug)]
pub struct Response {
    socket: TcpStream,
    head: String,
    framing: Framing,
    /// Received, framing not yet removed.
    raw: Vec<u8>,
    /// Framing removed, not yet handed out.
    body: Vec<u8>,
    ended: bool,
}

/// How the body says where it ends.
#[derive(Debug)]
enum Framing {
    Chunked,
    Length(usize),
}

/// Asks for a path and reads the head of the response.
///
/// # Panics
/// When no well-formed head arrives in time.
pub async fn get(address: SocketAddr, path: &str) -> Response {
    get_with(address, path, &[]).await
}

/// The same with request headers.
///
/// # Panics
/// As [`get`].
pub async fn get_with(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    request(address, &format!("GET {path}"), headers, "").await
}

/// Sends a form, as a page does, and reads the head of the response.
///
/// # Panics
/// As [`get`].
pub async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], form: &str) -> Response {
    post_as("application/x-www-form-urlencoded", address, path, headers, form).await
}

/// Sends JSON, or what ought to be JSON, and reads the head of the response.
///
/// # Panics
/// As [`get`].
pub async fn post_json(address: SocketAddr, path: &str, headers: &[(&str, &str)], json: &str) -> Response {
    post_as("application/json", address, path, headers, json).await
}

async fn post_as(
    kind: &str,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let length = body.len().to_string();
    let headers = [headers, &[("content-type", kind), ("content-length", &length)]].concat();
    request(address, &format!("POST {path}"), &headers, body).await
}

async fn request(address: SocketAddr, line: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut request = format!("{line} HTTP/1.1\r\nhost: {address}\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").expect("a string takes everything");
    }
    request.push_str("\r\n");
    request.push_str(body);

    let mut socket = TcpStream::connect(address).await.expect("the example listens");
    socket.write_all(request.as_bytes()).await.expect("the example reads");

    let mut raw = Vec::new();
    let end = loop {
        if let Some(end) = find(&raw, b"\r\n\r\n") {
            break end;
        }
        let read = within_limit("waiting for the response head", socket.read_buf(&mut raw)).await;
        assert_ne!(read.expect("a response"), 0, "closed before the head was complete: {raw:?}");
    };
    let head = String::from_utf8(raw[..end].to_vec()).expect("the head is ASCII");
    raw.drain(..end + 4);

    let mut response =
        Response { socket, head, framing: Framing::Chunked, raw, body: Vec::new(), ended: false };
    if response.header("transfer-encoding") != Some("chunked") {
        let length = response.header("content-length").map_or(0, |n| n.parse().expect("a length"));
        response.framing = Framing::Length(length);
    }
    response
}

impl Response {
    /// The status code.
    ///
    /// # Panics
    /// When the head has none.
    pub fn status(&self) -> u16 {
        let code = self.head.split(' ').nth(1).expect("a status line has a code");
        code.parse().unwrap_or_else(|_| panic!("no status code in {:?}", self.head))
    }

    /// The status line and the headers, as they came, without the one that tells the time.
    pub fn head(&self) -> Vec<&str> {
        self.head.lines().filter(|line| !line.starts_with("date: ")).collect()
    }

    /// A response header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The next block of the event stream with the blank line that ends it; `None` at the clean end.
    ///
    /// # Panics
    /// When nothing comes in time, the connection is cut, or the stream ends within a block.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.body, b"\n\n") {
                let block = self.body.drain(..end + 2).collect();
                return Some(String::from_utf8(block).expect("an event stream is UTF-8"));
            }
            if !self.more().await {
                assert_eq!(String::from_utf8_lossy(&self.body), "", "the stream ended within a block");
                return None;
            }
        }
    }

    /// The next event; `None` at the clean end.
    ///
    /// # Panics
    /// As [`Response::block`].
    pub async fn event(&mut self) -> Option<Event> {
        self.block().await.map(|block| Event::parse(&block))
    }

    /// All that is left of the body, up to its clean end.
    ///
    /// # Panics
    /// When the end does not come in time, or the connection is cut.
    pub async fn rest(mut self) -> String {
        while self.more().await {}
        String::from_utf8(self.body).expect("text")
    }

    /// Gets more of the body; `false` when it has ended.
    async fn more(&mut self) -> bool {
        loop {
            if self.unframe() {
                return true;
            }
            if self.ended {
                return false;
            }
            let so_far = String::from_utf8_lossy(&self.body).into_owned();
            let step = format!("reading on after {so_far:?}");
            let read = within_limit(&step, self.socket.read_buf(&mut self.raw)).await;
            assert_ne!(read.expect("a body"), 0, "cut without an end after {so_far:?}");
        }
    }

    /// Moves what is complete from `raw` to `body`; `false` when there was nothing to move.
    fn unframe(&mut self) -> bool {
        let before = self.body.len();
        match &mut self.framing {
            Framing::Length(left) => {
                let taken = self.raw.len().min(*left);
                *left -= taken;
                self.ended = *left == 0;
                self.body.extend(self.raw.drain(..taken));
            }
            Framing::Chunked => {
                while let Some(size_end) = find(&self.raw, b"\r\n") {
                    let size = std::str::from_utf8(&self.raw[..size_end]).expect("a chunk size is ASCII");
                    let size = usize::from_str_radix(size, 16).expect("a chunk size is hexadecimal");
                    let chunk = size_end + 2..size_end + 2 + size;
                    if self.raw.len() < chunk.end + 2 {
                        break;
                    }
                    self.body.extend(&self.raw[chunk.clone()]);
                    self.raw.drain(..chunk.end + 2);
                    self.ended |= size == 0;
                }
            }
        }
        self.body.len() > before
    }
}

/// One event, as a client understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name, `message` when it has none.
    pub name: String,
    /// Its payload, lines joined by `\n`.
    pub data: String,
    /// Its id, if it carries one.
    pub id: Option<String>,
    /// Its reconnection time in milliseconds, if it carries one.
    pub retry: Option<u64>,
}

impl Event {
    fn parse(block: &str) -> Self {
        let mut event = Self { name: "message".to_owned(), data: String::new(), id: None, retry: None };
        let mut data = Vec::new();
        for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
            let (field, value) = line.split_once(": ").unwrap_or((line, ""));
            match field {
                "event" => event.name = value.to_owned(),
                "data" => data.push(value),
                "id" => event.id = Some(value.to_owned()),
                "retry" => event.retry = Some(value.parse().expect("retry is a number")),
                unknown => panic!("unknown field {unknown:?} in {block:?}"),
            }
        }
        event.data = data.join("\n");
        event
    }
}

/// Where `wanted` begins.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
