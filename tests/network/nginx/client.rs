//! A client that reads a stream line by line, over HTTP/1.1 or HTTP/2, and decompresses what has arrived.

use std::io::Write;
use std::net::SocketAddr;

use axum::http::response::Parts;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use flate2::write::GzDecoder;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_tests::within_limit;
use tokio::net::TcpStream;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// One connection.
pub(crate) enum Client {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, protocol: Protocol) -> Self {
        let socket = TokioIo::new(TcpStream::connect(address).await.expect("it listens"));
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(socket).await.expect("HTTP/1.1");
                tokio::spawn(connection);
                Self::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) =
                    http2::handshake(TokioExecutor::new(), socket).await.expect("HTTP/2");
                tokio::spawn(connection);
                Self::Http2(sender)
            }
        }
    }

    /// Asks for a path, and accepts gzip.
    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Reader {
        let request = match self {
            Self::Http1(_) => Request::get(path).header("host", "app.test"),
            Self::Http2(_) => Request::get(format!("http://app.test{path}")),
        };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.header("accept-encoding", "gzip").body(Empty::new()).expect("a request");
        let answer = async {
            match self {
                Self::Http1(sender) => sender.send_request(request).await,
                Self::Http2(sender) => sender.send_request(request).await,
            }
        };
        let (head, body) = within_limit(path, answer).await.expect("a response").into_parts();
        let decoder = is_gzip(&head.headers).then(|| GzDecoder::new(Vec::new()));
        Reader { head, body, decoder, text: String::new() }
    }
}

fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get("content-encoding").is_some_and(|coding| coding == "gzip")
}

/// A response that is being read.
pub(crate) struct Reader {
    pub(crate) head: Parts,
    body: Incoming,
    decoder: Option<GzDecoder<Vec<u8>>>,
    /// Readable, not yet handed out.
    text: String,
}

/// How a response ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Whole,
    Cut,
    /// The transport says that it is whole, gzip says that it is not.
    CutInGzip,
}

impl Reader {
    pub(crate) fn is_gzip(&self) -> bool {
        self.decoder.is_some()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The next line that is not empty.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some((line, rest)) = self.text.split_once('\n') {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.text = rest;
                if line.is_empty() {
                    continue;
                }
                return line;
            }
            let end = self.more().await;
            assert_eq!(end, None, "it ended after {:?}", self.text);
        }
    }

    /// The lines that are left, and how it ends.
    pub(crate) async fn rest(mut self) -> (Vec<String>, End) {
        loop {
            if let Some(end) = self.more().await {
                let lines = self.text.lines().filter(|line| !line.is_empty()).map(str::to_owned);
                return (lines.collect(), end);
            }
        }
    }

    /// Reads what comes next; how it ended, if it did.
    async fn more(&mut self) -> Option<End> {
        let frame = match within_limit("reading on", self.body.frame()).await {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Some(End::Cut),
            None => {
                let is_whole = self.decoder.take().is_none_or(|decoder| decoder.finish().is_ok());
                return Some(if is_whole { End::Whole } else { End::CutInGzip });
            }
        };
        let data = frame.into_data().unwrap_or_default();
        let readable = match &mut self.decoder {
            None => data.to_vec(),
            Some(decoder) => {
                decoder.write_all(&data).and_then(|()| decoder.flush()).expect("gzip");
                std::mem::take(decoder.get_mut())
            }
        };
        self.text.push_str(std::str::from_utf8(&readable).expect("ASCII"));
        None
    }
}
