//! HTTP/2 by hand, frame by frame: what no library lets one send.

use std::net::SocketAddr;

use sse_tests::within_limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::peer::connect;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ACK: u8 = 1;

pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of a GET, without compression.
pub(crate) fn request(path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).expect("short");
    assert!(length < 127, "the length is one byte");
    // `:method: GET`, `:scheme: http` by their numbers in the static table; `:authority` and `:path` with values.
    let mut block = vec![0x82, 0x86, 0x01, 1, b'x', 0x04, length];
    block.extend(path.as_bytes());
    block
}

/// A header that is not kept in any table, for the end of a block.
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        // An integer with a prefix of seven bits (RFC 7541, section 5.1).
        let mut length = text.len();
        if length < 127 {
            field.push(u8::try_from(length).expect("short"));
        } else {
            field.push(127);
            length -= 127;
            while length >= 128 {
                field.push(u8::try_from(length % 128).expect("seven bits") | 128);
                length /= 128;
            }
            field.push(u8::try_from(length).expect("seven bits"));
        }
        field.extend(text.as_bytes());
    }
    field
}

pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &request(path))
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    const CANCEL: u32 = 8;
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of a RST_STREAM or GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }
}

pub(crate) struct Frames {
    socket: OwnedReadHalf,
    seen: Vec<u8>,
}

/// Opens a connection, with these settings.
pub(crate) async fn open(address: SocketAddr, settings: &[(u16, u32)]) -> (Frames, OwnedWriteHalf) {
    let socket: TcpStream = connect(address).await;
    let (reader, mut writer) = socket.into_split();
    let mut payload = Vec::new();
    for (setting, value) in settings {
        payload.extend(setting.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, &payload)].concat();
    writer.write_all(&begin).await.expect("the server reads");
    (Frames { socket: reader, seen: Vec::new() }, writer)
}

impl Frames {
    /// The next frame; none when the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(head) = self.seen.get(..9) {
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if self.seen.len() >= 9 + length {
                    let frame: Vec<u8> = self.seen.drain(..9 + length).collect();
                    let stream = u32::from_be_bytes(frame[5..9].try_into().expect("four bytes"));
                    let payload = frame[9..].to_vec();
                    return Some(Frame { kind: frame[3], flags: frame[4], stream, payload });
                }
            }
            match within_limit("a frame", self.socket.read_buf(&mut self.seen)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// The next frame that this is so of; none when the connection is closed before.
    pub(crate) async fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            match self.next().await {
                Some(frame) if wanted(&frame) => return Some(frame),
                Some(_) => {}
                None => return None,
            }
        }
    }
}
