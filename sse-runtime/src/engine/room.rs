//! How much may wait to be published, in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for so many bytes; who has more waits, in the order of the calls.
pub(super) struct Room {
    free: Arc<Semaphore>,
    most: usize,
}

/// A record's place, given back when it is dropped.
pub(super) struct Taken {
    _permit: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        let most = bytes.clamp(1, u32::MAX as usize >> 3);
        Self { free: Arc::new(Semaphore::new(most)), most }
    }

    /// Waits for so much room. One that is larger than all there is has all of it.
    pub(super) async fn take(&self, bytes: usize) -> Taken {
        let bytes = u32::try_from(bytes.min(self.most)).unwrap_or(u32::MAX);
        match Arc::clone(&self.free).acquire_many_owned(bytes).await {
            Ok(permit) => Taken { _permit: permit },
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_is_too_large_for_the_room_has_all_of_it() {
        let room = Room::new(100);
        let small = room.take(1).now_or_never().expect("room");
        assert!(room.take(usize::MAX).now_or_never().is_none(), "it is not empty");
        drop(small);
        let large = room.take(usize::MAX).now_or_never().expect("room");
        assert!(room.take(1).now_or_never().is_none());
        drop(large);
        let _all = [room.take(60).now_or_never().expect("room"), room.take(40).now_or_never().expect("room")];
        assert!(room.take(1).now_or_never().is_none());
        assert!(Room::new(0).take(5).now_or_never().is_some());
    }
}
