//! Who waits for a ring's next event.

use std::task::Waker;

use slab::Slab;

use super::{Ring, Token};

impl Ring {
    /// Notes who is to be woken by the next event. What it replaces is dropped by the caller, without the ring's lock.
    #[must_use]
    pub(in crate::topic) fn wait(&mut self, token: &mut Option<Token>, waker: &Waker) -> Option<Waker> {
        match *token {
            Some(token) if token.emptied == self.emptied => match self.waiting.get_mut(token.slot) {
                Some(known) if known.will_wake(waker) => None,
                Some(known) => Some(std::mem::replace(known, waker.clone())),
                None => None,
            },
            _ => {
                let slot = self.waiting.insert(waker.clone());
                *token = Some(Token { slot, emptied: self.emptied });
                None
            }
        }
    }

    /// Takes a waker out again.
    #[must_use]
    pub(in crate::topic) fn forget(&mut self, token: Token) -> Option<Waker> {
        if token.emptied == self.emptied { self.waiting.try_remove(token.slot) } else { None }
    }

    pub(super) fn take_waiting(&mut self) -> Slab<Waker> {
        if self.waiting.is_empty() {
            return Slab::new();
        }
        self.emptied += 1;
        std::mem::replace(&mut self.waiting, std::mem::take(&mut self.spare))
    }

    /// Those who wait, who go on waiting.
    pub(in crate::topic) fn waiting(&self) -> Vec<Waker> {
        self.waiting.iter().map(|(_, waker)| waker.clone()).collect()
    }

    /// Takes an emptied slab back, for its memory.
    pub(in crate::topic) fn give_back(&mut self, emptied: Slab<Waker>) {
        if emptied.capacity() > self.spare.capacity() {
            self.spare = emptied;
        }
    }
}
