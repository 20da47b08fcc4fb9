//! What a stream hands out when its own buffer is empty: events that are shared with other streams.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;

/// A position in something shared, from which the body takes frames without copying them.
pub(crate) trait Source: Send {
    /// The next frame. `None`: what comes next is not there any more, so whoever attached the source has to decide; it
    /// is not polled again.
    fn poll_frame(&mut self, cx: &mut Context<'_>, leftover: &mut Leftover) -> Poll<Option<SharedFrame>>;

    /// How far it has come.
    fn reached(&self) -> Reached;

    /// The id of the last event that it handed out, in words.
    fn last_id(&self) -> String;

    /// How many events are there for it that it has not handed out.
    fn behind(&self) -> u64;
}

/// What is foreign code, and so has to wait until the stream's lock is free: it is done when this is dropped.
#[derive(Default)]
pub(crate) struct Leftover {
    /// One that is not needed any more.
    pub(crate) waker: Option<Waker>,
    /// Says in the log what was handed out.
    pub(crate) tells: Option<Box<dyn FnOnce() + Send>>,
}

impl Leftover {
    pub(crate) fn is_empty(&self) -> bool {
        self.waker.is_none() && self.tells.is_none()
    }
}

impl Drop for Leftover {
    #[inline]
    fn drop(&mut self) {
        if let Some(tells) = self.tells.take() {
            tells();
        }
    }
}

pub(crate) struct SharedFrame {
    pub(crate) bytes: Bytes,
    pub(crate) events: u64,
}

/// A place in a topic: the number of the last event seen, and the ordinal of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) seq: u64,
    pub(crate) next: u64,
}
