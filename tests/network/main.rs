//! What stands or breaks between a client and us: a host of its own, in a network namespace, behind a cable that is cut
//! without a word; and a real nginx. Needs `ip`, to be root or to become it by `sudo`, and `nginx`.

mod hosts;
mod nginx;
mod vanished;
