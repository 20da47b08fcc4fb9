//! Three readers agree with the writer, and the bytes have the promised form.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use eventsource_stream::Eventsource as _;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use proptest::prelude::*;
use sse_runtime::testing::{Item, Parser};

use crate::events::{Given, Seen, given, write};

/// Cuts the stream into pieces, as a network does; `cuts` are places, taken modulo the length.
fn pieces(stream: &Bytes, cuts: &[usize]) -> Vec<Bytes> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([0, stream.len()]).collect();
    at.sort_unstable();
    at.windows(2).map(|ends| stream.slice(ends[0]..ends[1])).collect()
}

fn by_the_standard(pieces: &[Bytes]) -> Vec<Seen> {
    let mut parser = Parser::new();
    for piece in pieces {
        parser.feed(piece);
    }
    std::iter::from_fn(|| parser.next_item())
        .map(|item| match item {
            Item::Event(event) => Seen {
                name: if event.name == "message" { String::new() } else { event.name },
                id: event.id.unwrap_or_default(),
                retry: event.retry.map(|after| u64::try_from(after.as_millis()).expect("fits")),
                data: event.data,
            },
            Item::Comment(comment) => panic!("the comment {comment:?} was never written"),
        })
        .collect()
}

fn by_sse_stream(pieces: &[Bytes]) -> Vec<Seen> {
    let pieces = stream::iter(pieces.iter().cloned().map(Ok::<_, Infallible>));
    sse_stream::SseByteStream::new(pieces)
        .map(|event| {
            let event = event.expect("no unknown field");
            Seen {
                name: event.event.filter(|name| name != "message").unwrap_or_default(),
                id: event.id.unwrap_or_default(),
                retry: event.retry,
                data: event.data.expect("every block has data"),
            }
        })
        .collect::<Vec<_>>()
        .now_or_never()
        .expect("never waits")
}

/// This reader repeats the last id with every event, as a browser does.
fn by_eventsource_stream(pieces: &[Bytes]) -> Vec<Seen> {
    stream::iter(pieces.iter().cloned().map(Ok::<_, Infallible>))
        .eventsource()
        .map(|event| {
            let event = event.expect("can be read");
            Seen {
                name: if event.event == "message" { String::new() } else { event.event },
                id: event.id,
                retry: event.retry.map(|after| u64::try_from(after.as_millis()).expect("fits")),
                data: event.data,
            }
        })
        .collect::<Vec<_>>()
        .now_or_never()
        .expect("never waits")
}

/// What a reader sees that repeats the last id.
fn with_sticky_ids(events: &[Given]) -> Vec<Seen> {
    let mut last = String::new();
    let mut sticky = |given: &Given| {
        if let Some(id) = &given.id {
            id.clone_into(&mut last);
        }
        Seen { id: last.clone(), ..seen(given) }
    };
    events.iter().map(&mut sticky).collect()
}

/// As [`Given::seen`]; an event that is named `message` cannot be told from one without a name.
fn seen(given: &Given) -> Seen {
    let seen = given.seen();
    Seen { name: if seen.name == "message" { String::new() } else { seen.name }, ..seen }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn three_readers_read_what_was_written(
        events in prop::collection::vec(given(), 0..6),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let mut out = BytesMut::new();
        let mut written = Vec::new();
        for event in events {
            match write(&event.event(), &mut out) {
                Ok(()) => {
                    prop_assert!(event.is_valid(), "{event:?} was written");
                    written.push(event);
                }
                Err(error) => prop_assert!(!event.is_valid(), "{event:?} was refused: {error}"),
            }
        }
        let pieces = pieces(&out.freeze(), &cuts);
        let expected: Vec<_> = written.iter().map(seen).collect();
        prop_assert_eq!(by_the_standard(&pieces), &expected[..]);
        prop_assert_eq!(by_sse_stream(&pieces), &expected[..]);
        prop_assert_eq!(by_eventsource_stream(&pieces), with_sticky_ids(&written));
    }

    #[test]
    fn a_block_is_known_fields_with_data_and_one_blank_line_at_the_end(event in given()) {
        let mut out = BytesMut::new();
        if write(&event.event(), &mut out).is_err() {
            prop_assert!(out.is_empty());
            return Ok(());
        }
        prop_assert!(!out.contains(&b'\r'));
        let block = std::str::from_utf8(&out).expect("UTF-8");
        let lines: Vec<_> = block.strip_suffix("\n\n").expect("a blank line at the end").split('\n').collect();
        for line in &lines {
            let known = ["event: ", "id: ", "retry: ", "data: "].iter().any(|key| line.starts_with(key));
            prop_assert!(known, "{line:?}");
        }
        let count = |key| lines.iter().filter(|line| line.starts_with(key)).count();
        prop_assert_eq!(count("event: "), usize::from(event.name.is_some()));
        prop_assert_eq!(count("id: "), usize::from(event.id.is_some()));
        prop_assert_eq!(count("retry: "), usize::from(event.retry.is_some()));
        prop_assert!(count("data: ") >= 1);
    }

    #[test]
    fn the_reader_of_the_tests_reads_the_same_however_the_stream_is_cut(
        stream in prop::collection::vec(
            prop_oneof![
                8 => prop::sample::select(&b"\r\n: adeintvry019\0"[..]),
                1 => any::<u8>(),
            ],
            0..200,
        ),
        cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        let read = |pieces: &[Bytes]| {
            let mut parser = Parser::new();
            for piece in pieces {
                parser.feed(piece);
            }
            let items: Vec<_> = std::iter::from_fn(|| parser.next_item()).collect();
            (items, parser.last_event_id().to_owned(), parser.retry())
        };
        let stream = Bytes::from(stream);
        prop_assert_eq!(read(&pieces(&stream, &cuts)), read(&[stream]));
    }
}
