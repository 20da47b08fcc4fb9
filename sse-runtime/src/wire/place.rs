//! Where a field's text is in its block. It is noted for every event that is sent, so it is one machine word: as
//! an `Option<Range<usize>>` its three words cost more than finding the line ends of a short text.

use std::{num::NonZeroU64, ops::Range};

/// A range of bytes in a block, not ending at 0: the upper half is where it begins, the lower where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(NonZeroU64);

impl Place {
    /// The largest position that can be noted, and so the largest event that there can be: 4 GiB.
    pub(super) const MAX: usize = u32::MAX as usize;

    /// `None` if the range ends at 0 or beyond [`MAX`](Self::MAX); the writer asks for neither.
    #[inline]
    pub(super) fn new(from: usize, to: usize) -> Option<Self> {
        let (from, to) = (u32::try_from(from).ok()?, u32::try_from(to).ok()?);
        NonZeroU64::new(u64::from(from) << 32 | u64::from(to)).map(Self)
    }

    #[inline]
    pub(super) fn range(self) -> Range<usize> {
        // Both are below 2^32, so they always fit.
        let half = |half: u64| usize::try_from(half).unwrap_or(usize::MAX);
        half(self.0.get() >> 32)..half(self.0.get() & u64::from(u32::MAX))
    }
}
