//! A server that plays by a script: each request is answered with the next answer, byte by byte as it is written there.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Script {
    url: String,
    asked: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Script {
    pub(super) async fn start(answers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, heard) = (answers.to_vec(), Arc::clone(&asked));
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            while let Ok((mut socket, _)) = listener.accept().await {
                let Some(request) = request(&mut socket).await else { continue };
                heard.lock().expect("not poisoned").push((Instant::now(), request));
                let answer = answers.next().expect("no more requests than answers");
                // Who has heard enough may leave.
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, asked }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Every request so far, head and body.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").iter().map(|(_, request)| request.clone()).collect()
    }

    /// The time from each request to the next.
    pub(super) fn waits(&self) -> Vec<Duration> {
        let asked = self.asked.lock().expect("not poisoned");
        asked.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    }
}

async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lengths = head.lines().filter_map(|line| line.split_once(": "));
        let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = lengths.next().map_or(0, |(_, length)| length.parse().expect("a length"));
        if body.len() >= length {
            return Some(text.into_owned());
        }
    }
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\
                      transfer-encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{:x}\r\n{text}\r\n", text.len()) }
}

/// A stream that ends as it should.
pub(super) fn ended(events: &str) -> String {
    format!("{STREAM}{}0\r\n\r\n", chunk(events))
}

/// A stream whose connection breaks.
pub(super) fn cut_off(events: &str) -> String {
    format!("{STREAM}{}", chunk(events))
}

/// An answer that is no stream.
pub(super) fn refused(status: &str, headers: &str, body: &str) -> String {
    let length =
        if status.starts_with("204") { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\n{length}\r\n{body}")
}
