//! Writes one event block into a buffer that already holds others.
//!
//! Two marks keep the buffer valid at every moment, whatever the event's own code does (fail, panic, ignore an
//! error, catch a panic):
//!
//! ```text
//!   ... earlier blocks | event: x\n id: 7\n | data: {"half
//!                      ^ start              ^ whole        ^ out.len()
//! ```
//!
//! `start..whole` is whole lines. Every step begins by cutting off what is beyond `whole`, and moves the mark
//! only once its own line is complete; a writer that is dropped before `end` cuts back to `start`.

use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;

use super::{Encoded, EventError, id, json::JsonSink, lines::split_line, name, place::Place};

/// Writes the fields of one event, each at most once and in any order, straight into the stream's buffer.
///
/// A call that fails writes nothing and may be followed by others, so an event can fall back to a smaller form
/// of itself. An event for which no data is written is sent with empty data.
///
/// It is what [`SseEvent::write`](crate::SseEvent::write) is given. For a transport of your own, see
/// [`block`](Self::block).
#[derive(Debug)]
pub struct EventWriter<'a> {
    out: &'a mut BytesMut,
    start: usize,
    whole: usize,
    max: usize,
    id: Option<Place>,
    name: Option<Place>,
    data: Option<Place>,
    retry: bool,
    terminal: bool,
    ended: bool,
}

impl<'a> EventWriter<'a> {
    /// Appends one event block to `out`: the fields that `fields` writes, and the blank line that ends it. `max`
    /// is the most bytes that the block may have; [`DEFAULT_MAX_EVENT`](crate::wire::DEFAULT_MAX_EVENT) is what
    /// streams use. On an error or a panic `out` holds what it held before.
    ///
    /// Streams do this by themselves; it is for a transport of your own, and for tests.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use sse_runtime::{EventWriter, wire::DEFAULT_MAX_EVENT};
    ///
    /// let mut out = BytesMut::new();
    /// EventWriter::block(&mut out, DEFAULT_MAX_EVENT, |event| {
    ///     event.name("greeting")?;
    ///     event.data("hello\nworld")
    /// })?;
    /// assert_eq!(&out[..], b"event: greeting\ndata: hello\ndata: world\n\n");
    /// # Ok::<(), sse_runtime::EventError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What `fields` returned, or [`EventError::TooLarge`].
    #[inline]
    pub fn block<F>(out: &'a mut BytesMut, max: usize, fields: F) -> Result<(), EventError>
    where
        F: FnOnce(&mut EventWriter<'a>) -> Result<(), EventError>,
    {
        let mut writer = EventWriter::begin(out, max);
        fields(&mut writer)?;
        writer.end(None, None)?;
        Ok(())
    }

    /// Writes the name; see [`EventName`](crate::EventName) for what it may hold.
    ///
    /// # Errors
    ///
    /// [`EventError::EmptyName`], [`EventError::NameCharacter`], [`EventError::TooLarge`], and
    /// [`EventError::Repeated`] if the event has a name already.
    pub fn name(&mut self, name: &str) -> Result<(), EventError> {
        if self.name.is_some() {
            return Err(EventError::Repeated { field: "event" });
        }
        name::check(name)?;
        self.name = self.field(b"event: ", name.as_bytes())?;
        Ok(())
    }

    /// Writes the id; see [`EventId`](crate::EventId) for what it may hold. An empty one makes the client forget
    /// the last id.
    ///
    /// # Errors
    ///
    /// [`EventError::IdCharacter`], [`EventError::IdTooLong`], [`EventError::TooLarge`], and
    /// [`EventError::Repeated`] if the event has an id already.
    pub fn id(&mut self, id: &str) -> Result<(), EventError> {
        if self.id.is_some() {
            return Err(EventError::Repeated { field: "id" });
        }
        id::check(id)?;
        self.id = self.field(b"id: ", id.as_bytes())?;
        Ok(())
    }

    /// Writes how long the client waits before it reconnects once the stream has ended, from now on.
    ///
    /// The wire knows whole milliseconds: a fraction is rounded up, so that a short time does not become none.
    /// More than 2147483647 ms (24 days) is written as that, because JavaScript timers run over beyond it and
    /// fire at once.
    ///
    /// # Errors
    ///
    /// [`EventError::TooLarge`], and [`EventError::Repeated`] if the event has a reconnection time already.
    pub fn retry(&mut self, after: Duration) -> Result<(), EventError> {
        if self.retry {
            return Err(EventError::Repeated { field: "retry" });
        }
        let before = self.whole;
        self.retry_line(after);
        let written = self.room_for(0);
        if written.is_err() {
            self.whole = before;
        }
        self.retry = written.is_ok();
        written
    }

    /// Writes text as the data, a line of it on each `data:` line. `\r\n`, `\r` and `\n` all end a line, and the
    /// client sees each as `\n`.
    ///
    /// # Errors
    ///
    /// [`EventError::TooLarge`], and [`EventError::Repeated`] if the event has data already.
    #[inline]
    pub fn data(&mut self, text: &str) -> Result<(), EventError> {
        if self.data.is_some() {
            return Err(EventError::Repeated { field: "data" });
        }
        self.data_lines(text.as_bytes())
    }

    /// Writes a value as JSON as the data.
    ///
    /// ```
    /// # use sse_runtime::{EventError, EventWriter};
    /// # let mut out = bytes::BytesMut::new();
    /// # EventWriter::block(&mut out, 100, |event| {
    /// event.json(&["a", "b"])
    /// # })?;
    /// # assert_eq!(&out[..], b"data: [\"a\",\"b\"]\n\n");
    /// # Ok::<(), EventError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EventError::Json`], [`EventError::TooLarge`] as soon as what was serialized exceeds the limit, and
    /// [`EventError::Repeated`] if the event has data already.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EventError> {
        let mut sink = JsonSink::new(self.begin_json()?);
        let serialized = serde_json::to_writer(&mut sink, value);
        let overflow = sink.finish();
        self.end_json(serialized, overflow)
    }

    /// Says that this event is the last of its stream: nothing can be sent after it, and a client that has seen it and comes
    /// back is told to stop, as after [`Sse::finish`](crate::Sse::finish). For that it gets an id of the runtime's, and must
    /// have none of its own. On a topic it is an event like any other, whose name tells a client that it has seen the end.
    pub fn terminal(&mut self) {
        self.terminal = true;
    }

    #[inline]
    pub(super) fn begin(out: &'a mut BytesMut, max: usize) -> Self {
        let start = out.len();
        let max = max.min(MAX_BLOCK);
        Self {
            out,
            start,
            whole: start,
            max,
            id: None,
            name: None,
            data: None,
            retry: false,
            terminal: false,
            ended: false,
        }
    }

    /// Ends the block. `retry` is written unless the event has a reconnection time of its own, `end_id` if it is terminal.
    #[inline]
    pub(super) fn end(
        &mut self,
        retry: Option<Duration>,
        end_id: Option<&str>,
    ) -> Result<Encoded, EventError> {
        if self.data.is_none() {
            self.data_lines(b"")?;
        }
        self.out.truncate(self.whole);
        if let Some(after) = retry {
            if !self.retry {
                self.insert_before_data(|writer| writer.retry_line(after));
            }
        }
        if self.terminal {
            self.mark_end(end_id)?;
        }
        self.out.extend_from_slice(b"\n");
        self.ended = true;
        Ok(Encoded {
            id: self.id.map(Place::range),
            name: self.name.map(Place::range),
            data: self.data.map(Place::range).unwrap_or_default(),
            terminal: self.terminal,
            len: self.out.len() - self.start,
        })
    }

    /// Whether so many more bytes may be written. The blank line at the end has its place already.
    #[inline]
    fn room_for(&self, more: usize) -> Result<(), EventError> {
        let size = (self.out.len() - self.start).saturating_add(more).saturating_add(1);
        if size > self.max { Err(EventError::too_large(size, self.max)) } else { Ok(()) }
    }

    /// Writes a line and returns where its value is.
    #[inline]
    fn field(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Place>, EventError> {
        self.out.truncate(self.whole);
        let line = key.len() + value.len() + 1;
        self.room_for(line)?;
        // One more for the blank line, so that the end of the block need not grow the buffer again.
        self.out.reserve(line + 1);
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\n");
        let from = self.whole - self.start + key.len();
        self.whole = self.out.len();
        Ok(Place::new(from, from + value.len()))
    }

    #[inline]
    fn data_lines(&mut self, text: &[u8]) -> Result<(), EventError> {
        let before = self.whole;
        let written = self.each_data_line(text);
        if written.is_err() {
            self.whole = before;
            return written;
        }
        self.data = Place::new(before - self.start, self.whole - self.start);
        Ok(())
    }

    #[inline]
    fn each_data_line(&mut self, text: &[u8]) -> Result<(), EventError> {
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (line, after) = split_line(text);
            self.field(DATA, line)?;
            rest = after;
        }
        Ok(())
    }

    /// Begins the line; returns the buffer and the length that it may reach.
    fn begin_json(&mut self) -> Result<(&mut BytesMut, usize), EventError> {
        if self.data.is_some() {
            return Err(EventError::Repeated { field: "data" });
        }
        self.out.truncate(self.whole);
        self.room_for(DATA.len() + 1)?;
        self.out.extend_from_slice(DATA);
        let most = self.start.saturating_add(self.max).saturating_sub(2);
        Ok((self.out, most))
    }

    fn end_json(
        &mut self,
        serialized: serde_json::Result<()>,
        overflow: Option<usize>,
    ) -> Result<(), EventError> {
        // First, because a `Serialize` may have swallowed the error, and because the error then is this one.
        if let Some(len) = overflow {
            return Err(EventError::too_large((len - self.start).saturating_add(2), self.max));
        }
        serialized.map_err(|error| EventError::Json(error.to_string()))?;
        let json = self.out.get(self.whole + DATA.len()..).unwrap_or_default();
        if memchr::memchr2(b'\r', b'\n', json).is_some() {
            return self.resplit_json();
        }
        self.out.extend_from_slice(b"\n");
        self.data = Place::new(self.whole - self.start, self.out.len() - self.start);
        self.whole = self.out.len();
        Ok(())
    }

    /// Only a `RawValue`, or a serializer of the value's own, puts line ends into JSON. They are white space
    /// there, so the lines that the client puts together again are the same value.
    #[cold]
    fn resplit_json(&mut self) -> Result<(), EventError> {
        let json = self.out.get(self.whole + DATA.len()..).unwrap_or_default().to_vec();
        self.data_lines(&json)
    }

    /// Writes the line for a reconnection time. Does not check for room.
    fn retry_line(&mut self, after: Duration) {
        self.out.truncate(self.whole);
        self.out.extend_from_slice(b"retry: ");
        let millis = u32::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(MAX_RETRY).min(MAX_RETRY);
        let mut unit = 1_000_000_000;
        while unit > 1 && millis < unit {
            unit /= 10;
        }
        while unit > 0 {
            self.out.extend_from_slice(&[b'0' + (millis / unit % 10) as u8]);
            unit /= 10;
        }
        self.out.extend_from_slice(b"\n");
        self.whole = self.out.len();
    }

    /// Gives a terminal event the id that marks the end.
    #[cold]
    fn mark_end(&mut self, end_id: Option<&str>) -> Result<(), EventError> {
        let Some(id) = end_id else { return Ok(()) };
        if self.id.is_some() {
            return Err(EventError::Repeated { field: "id" });
        }
        let line = self.insert_before_data(|writer| {
            writer.out.extend_from_slice(b"id: ");
            writer.out.extend_from_slice(id.as_bytes());
            writer.out.extend_from_slice(b"\n");
            writer.whole = writer.out.len();
        });
        self.id = Place::new(line + b"id: ".len(), line + b"id: ".len() + id.len());
        Ok(())
    }

    /// Writes a line where it belongs, before the data, although that is written already. Returns where it is.
    fn insert_before_data(&mut self, write: impl FnOnce(&mut Self)) -> usize {
        let before = self.whole;
        write(self);
        let line = self.whole - before;
        let at = self.data.map_or(before - self.start, |data| data.range().start);
        if let Some(moved) = self.out.get_mut(self.start + at..) {
            moved.rotate_right(line);
        }
        for place in [&mut self.id, &mut self.name, &mut self.data] {
            *place = place.map(Place::range).and_then(|old| {
                let by = if old.start >= at { line } else { 0 };
                Place::new(old.start + by, old.end + by)
            });
        }
        at
    }
}

impl Drop for EventWriter<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.ended {
            self.out.truncate(self.start);
        }
    }
}

const DATA: &[u8] = b"data: ";
/// No block is larger, whatever the limit, so that its places can be noted.
const MAX_BLOCK: usize = Place::MAX - MAX_RETRY_LINE - MAX_ID_LINE;
/// The most that a signed 32-bit timer, such as JavaScript's, can wait, in milliseconds.
const MAX_RETRY: u32 = i32::MAX.unsigned_abs();
/// `retry: 2147483647\n`
const MAX_RETRY_LINE: usize = 18;
/// `id: `, the id, `\n`
const MAX_ID_LINE: usize = 5 + crate::EventId::MAX_LEN;
