//! What crosses a network that can break: a host of its own, in a network namespace, behind a cable that is cut without a
//! word. Needs root, and `ip`.

mod hosts;
mod vanished;
