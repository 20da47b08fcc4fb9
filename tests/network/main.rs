//! What crosses a network that can break: a host of its own, in a network namespace, behind a cable that is cut without a
//! word. Needs `ip`, and to be root or to become it by `sudo`.

mod hosts;
mod vanished;
