//! What it costs to put one event into bytes, with axum's own `Event` beside it in the same run; with the
//! feature `allocations` also how often each asks the heap for memory. Counting slows down whoever allocates, so
//! compare times without it.
//!
//! ```text
//! cargo bench -p sse-benches --bench encode
//! cargo bench -p sse-benches --bench encode --features allocations
//! ```
//!
//! `axum_event` builds axum's event and drops it, which leaves out a part of what axum does; `axum_frame` takes
//! the finished bytes from the body of axum's `Sse`, which is the only way to get at them. Ours writes finished
//! bytes in all cases.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse as _, Sse, sse},
};
use bytes::BytesMut;
use divan::{Bencher, black_box};
use futures_util::stream;
use http_body::Body as _;
use serde::Serialize;
use sse_runtime::{EventError, EventWriter, wire::DEFAULT_MAX_EVENT};

#[cfg(feature = "allocations")]
#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

/// 100 bytes, as a log line or a chat message would have.
const TEXT: &str =
    "The quick brown fox jumps over the lazy dog, and the lazy dog could not care less about it at all...";
const _: () = assert!(TEXT.len() == 100);

/// About 100 bytes as JSON.
#[derive(Serialize)]
struct Price {
    symbol: &'static str,
    bid: u64,
    ask: u64,
    venue: &'static str,
    sequence: u64,
    open: bool,
}

const PRICE: Price = Price {
    symbol: "ACME",
    bid: 1_234_500,
    ask: 1_234_700,
    venue: "XETRA",
    sequence: 90_817_263,
    open: true,
};

/// Writes the event into a buffer as a connection would: one that is reused and has room.
fn ours(bencher: Bencher<'_, '_>, write: impl Fn(&mut EventWriter<'_>) -> Result<(), EventError> + Sync) {
    let mut out = BytesMut::with_capacity(64 * 1024);
    bencher.bench_local(|| {
        out.clear();
        EventWriter::block(black_box(&mut out), DEFAULT_MAX_EVENT, |event| write(event)).is_ok()
    });
}

/// Polls the next event's bytes out of an axum body.
fn axum_frame(bencher: Bencher<'_, '_>, event: impl FnMut() -> sse::Event + Send + 'static) {
    let mut event = event;
    let events = stream::repeat_with(move || Ok::<_, Infallible>(event()));
    let mut body: Body = Sse::new(events).into_response().into_body();
    let mut cx = Context::from_waker(Waker::noop());
    bencher.bench_local(|| {
        let next: Option<Bytes> = match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
            _ => None,
        };
        drop(black_box(next));
    });
}

/// Builds an axum event and drops it.
fn axum_event(bencher: Bencher<'_, '_>, event: impl Fn() -> sse::Event + Sync) {
    // Dropped in the loop, so that the allocator can hand out the same memory again, as it does in a server.
    bencher.bench_local(|| drop(black_box(event())));
}

mod text_100_bytes {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn ours(bencher: Bencher<'_, '_>) {
        super::ours(bencher, |event| event.data(black_box(TEXT)));
    }

    #[divan::bench(sample_size = 1000)]
    fn axum_event(bencher: Bencher<'_, '_>) {
        super::axum_event(bencher, || sse::Event::default().data(black_box(TEXT)));
    }

    #[divan::bench(sample_size = 1000)]
    fn axum_frame(bencher: Bencher<'_, '_>) {
        super::axum_frame(bencher, || sse::Event::default().data(black_box(TEXT)));
    }
}

mod json_100_bytes {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn ours(bencher: Bencher<'_, '_>) {
        super::ours(bencher, |event| event.json(black_box(&PRICE)));
    }

    #[divan::bench(sample_size = 1000)]
    fn axum_event(bencher: Bencher<'_, '_>) {
        super::axum_event(bencher, || sse::Event::default().json_data(black_box(&PRICE)).unwrap_or_default());
    }

    #[divan::bench(sample_size = 1000)]
    fn axum_frame(bencher: Bencher<'_, '_>) {
        super::axum_frame(bencher, || sse::Event::default().json_data(black_box(&PRICE)).unwrap_or_default());
    }
}

mod name_id_and_text {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn ours(bencher: Bencher<'_, '_>) {
        super::ours(bencher, |event| {
            event.name(black_box("new_message"))?;
            event.id(black_box("k3-90817263"))?;
            event.data(black_box(TEXT))
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn axum_event(bencher: Bencher<'_, '_>) {
        super::axum_event(bencher, || {
            sse::Event::default()
                .event(black_box("new_message"))
                .id(black_box("k3-90817263"))
                .data(black_box(TEXT))
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn axum_frame(bencher: Bencher<'_, '_>) {
        super::axum_frame(bencher, || {
            sse::Event::default()
                .event(black_box("new_message"))
                .id(black_box("k3-90817263"))
                .data(black_box(TEXT))
        });
    }
}

mod text_of_100_lines {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn ours(bencher: Bencher<'_, '_>) {
        let text = format!("{TEXT}\n").repeat(100);
        super::ours(bencher, move |event| event.data(black_box(&text)));
    }

    #[divan::bench(sample_size = 1000)]
    fn axum_event(bencher: Bencher<'_, '_>) {
        let text = format!("{TEXT}\n").repeat(100);
        super::axum_event(bencher, move || sse::Event::default().data(black_box(&text)));
    }
}
