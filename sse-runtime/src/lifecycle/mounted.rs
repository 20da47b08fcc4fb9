//! One mounted route, for as long as a router has it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::observe::RouteMeter;
use crate::stream::Meta;

pub(crate) struct Mounted {
    pub(crate) meta: &'static Meta,
    /// Its streams.
    pub(crate) open: AtomicUsize,
    #[cfg(feature = "inspector")]
    pub(crate) ended: inspected::Ended,
    pub(crate) meter: RouteMeter,
}

impl Mounted {
    pub(crate) fn new(meta: &'static Meta) -> Arc<Self> {
        let mounted = Arc::new(Self {
            meta,
            open: AtomicUsize::new(0),
            #[cfg(feature = "inspector")]
            ended: inspected::Ended::default(),
            meter: RouteMeter::new(meta.path),
        });
        #[cfg(feature = "inspector")]
        inspected::ROUTES.add(&mounted);
        mounted
    }
}

#[cfg(feature = "inspector")]
pub(crate) use inspected::mounted;

/// What the inspector knows of routes: all that are mounted in this process, and what their streams have done.
#[cfg(feature = "inspector")]
mod inspected {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::Enlisted;
    use super::Mounted;
    use crate::stream::Disconnect;

    /// The streams of a route that are over.
    #[derive(Default)]
    pub(crate) struct Ended {
        streams: AtomicU64,
        events: AtomicU64,
    }

    impl Ended {
        pub(crate) fn streams(&self) -> u64 {
            self.streams.load(Ordering::Relaxed)
        }

        /// How many events they had handed to their connections.
        pub(crate) fn events(&self) -> u64 {
            self.events.load(Ordering::Relaxed)
        }
    }

    impl Mounted {
        /// One of its streams is over.
        pub(crate) fn note_ended(&self, gone: &Disconnect) {
            self.ended.streams.fetch_add(1, Ordering::Relaxed);
            self.ended.events.fetch_add(gone.events, Ordering::Relaxed);
        }
    }

    pub(super) static ROUTES: Enlisted<Mounted> = Enlisted::none();

    /// All mounted routes, in the order in which they were made.
    pub(crate) fn mounted() -> Vec<Arc<Mounted>> {
        ROUTES.all()
    }
}
