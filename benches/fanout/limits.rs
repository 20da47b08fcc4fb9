//! What `counts --check` holds the library to.

/// What is counted per delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Instructions,
    Allocations,
    Syscalls,
}

#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) count: Count,
    /// Events published back to back.
    pub(crate) burst: u64,
    pub(crate) at_most: AtMost,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum AtMost {
    /// So many per delivery.
    Each(f64),
    /// So many times what axum needs in the same run.
    OfAxums(f64),
}

pub(crate) const LIMITS: &[Limit] = &[
    Limit { count: Count::Allocations, burst: 1, at_most: AtMost::Each(0.05) },
    Limit { count: Count::Allocations, burst: 16, at_most: AtMost::Each(0.05) },
    Limit { count: Count::Syscalls, burst: 1, at_most: AtMost::Each(1.1) },
    Limit { count: Count::Instructions, burst: 1, at_most: AtMost::OfAxums(1.0 / 1.9) },
    Limit { count: Count::Instructions, burst: 16, at_most: AtMost::OfAxums(1.0 / 12.0) },
];
