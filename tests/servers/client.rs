//! A client over a socket that, unlike the others of these tests, lives on when it is refused or its connection is cut.

use std::io;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An event, as a client understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
    pub(crate) id: Option<String>,
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    body: Incoming,
    arrived: Vec<u8>,
    /// How much of it has been looked at.
    looked_at: usize,
    /// The id to come back with.
    pub(crate) last: String,
}

/// Asks for a path, in the name of somebody who has seen `last`, if it is not empty. The status of an answer that is no
/// stream is the error within.
pub(crate) async fn follow(
    address: SocketAddr,
    path: &str,
    last: &str,
) -> io::Result<Result<Stream, StatusCode>> {
    let socket = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut request = Request::get(path).header("host", "localhost").header("accept", "text/event-stream");
    if !last.is_empty() {
        request = request.header("last-event-id", last);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response =
        sse_tests::within_limit("a head", sender.send_request(request)).await.map_err(io::Error::other)?;
    if response.status() != StatusCode::OK {
        return Ok(Err(response.status()));
    }
    let (arrived, last) = (Vec::new(), last.to_owned());
    Ok(Ok(Stream { body: response.into_body(), arrived, looked_at: 0, last }))
}

impl Stream {
    /// The next event; none when the stream has ended or was cut.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let new = &self.arrived[self.looked_at..];
            if let Some(end) = new.windows(2).position(|two| two == b"\n\n") {
                let event = parse(std::str::from_utf8(&new[..end]).expect("text"));
                self.looked_at += end + 2;
                if let Some(id) = &event.id {
                    self.last.clone_from(id);
                }
                return Some(event);
            }
            self.arrived.drain(..self.looked_at);
            self.looked_at = 0;
            let frame = sse_tests::within_limit("an event, or a keep-alive", self.body.frame()).await?;
            self.arrived.extend_from_slice(frame.ok()?.data_ref()?);
        }
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event { name: "message".to_owned(), data: String::new(), id: None };
    let mut first = true;
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => event.id = Some(value.to_owned()),
            "data" => {
                if !std::mem::take(&mut first) {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            _ => {}
        }
    }
    event
}
