//! One mounted route, for as long as a router has it.

use std::sync::atomic::AtomicUsize;

use crate::stream::Meta;

pub(crate) struct Mounted {
    pub(crate) meta: &'static Meta,
    /// Its streams.
    pub(crate) open: AtomicUsize,
}

impl Mounted {
    pub(crate) fn new(meta: &'static Meta) -> Self {
        Self { meta, open: AtomicUsize::new(0) }
    }
}
