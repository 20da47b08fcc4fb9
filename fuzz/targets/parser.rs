//! Any bytes as a stream: how they are cut changes nothing, nor does which of the three line ends they have, and an event
//! that was read is, written again, the same one.

#![no_main]

use std::iter;
use std::time::Duration;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use sse_runtime::testing::{Item, Parser, ReceivedEvent};
use sse_runtime::{EventError, EventWriter};

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Item> {
    let mut parser = Parser::new();
    chunks.for_each(|chunk| parser.feed(chunk));
    iter::from_fn(|| parser.next_item()).collect()
}

fn write(event: &ReceivedEvent) -> Result<BytesMut, EventError> {
    let mut out = BytesMut::new();
    EventWriter::block(&mut out, usize::MAX, |writer| {
        writer.name(&event.name)?;
        if let Some(id) = &event.id {
            writer.id(id)?;
        }
        if let Some(retry) = event.retry {
            writer.retry(retry)?;
        }
        writer.data(&event.data)
    })?;
    Ok(out)
}

/// The same with LF alone.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut before = 0;
    let mut plain = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' if before == b'\r' => {}
            b'\r' => plain.push(b'\n'),
            _ => plain.push(byte),
        }
        before = byte;
    }
    plain
}

fuzz_target!(|bytes: &[u8]| {
    let items = read(iter::once(bytes));
    assert_eq!(items, read(bytes.chunks(1)));
    assert_eq!(items, read(iter::once(&*plain(bytes))));
    for item in items {
        let Item::Event(mut event) = item else { continue };
        // Browsers take names and ids that no stream of ours carries.
        let Ok(written) = write(&event) else { continue };
        event.retry =
            event.retry.map(|retry| retry.min(Duration::from_millis(i32::MAX.unsigned_abs().into())));
        assert_eq!(read(iter::once(&*written)), [Item::Event(event)]);
    }
});
