//! What the inspector can find in this process without having been told of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// All there are of something, in the order in which they were made, for as long as they live.
pub(crate) struct Enlisted<T>(Mutex<Vec<Weak<T>>>);

impl<T> Enlisted<T> {
    pub(crate) const fn none() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn add(&self, one: &Arc<T>) {
        let mut list = self.list();
        if list.len() == list.capacity() {
            // Those that are gone make room for others.
            list.retain(|one| one.strong_count() > 0);
        }
        list.push(Arc::downgrade(one));
    }

    /// Whoever asks may be the last owner of one of them: it is dropped when the list is free.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.list().iter().filter_map(Weak::upgrade).collect()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Weak<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
