//! What has been handed out, to whom, and until when: of sessions, tokens and tickets, the server knows the same.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sse_runtime::{Error, Result, StatusCode};
use tokio::time::Instant;

/// Who holds a secret, and what it is good for. All copies are withdrawn together, as a ticket is with its token.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) user: String,
    /// Which login this is, of all that the user has.
    login: u64,
    /// When a stream that it opens ends.
    pub(crate) until: Instant,
    withdrawn: Arc<AtomicBool>,
}

impl Grant {
    pub(crate) fn new(user: String, lifetime: Duration) -> Self {
        Self { user, login: fastrand::u64(..), until: Instant::now() + lifetime, withdrawn: Arc::default() }
    }

    /// The name of the login in the list of open streams. No secret: it is to be looked at.
    pub(crate) fn principal(&self) -> String {
        format!("{} ({:x})", self.user, self.login)
    }

    pub(crate) fn is_good(&self) -> bool {
        Instant::now() < self.until && !self.withdrawn.load(Ordering::SeqCst)
    }

    pub(crate) fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::SeqCst);
    }
}

/// Secrets of one kind. In a program that matters, this is a table of the database, and has their hashes.
#[derive(Default)]
pub(crate) struct Grants {
    held: Mutex<HashMap<String, (Grant, Instant)>>,
}

impl Grants {
    /// They are handed out to whoever asks: without a limit, they would fill the memory.
    const MOST: usize = 10_000;

    /// Hands out a secret that nobody can guess, and that is good for as long.
    pub(crate) fn issue(&self, grant: Grant, lifetime: Duration) -> Result<String> {
        if !(1..=20).contains(&grant.user.chars().count()) {
            return Err(Error::from("no name").with_status(StatusCode::UNPROCESSABLE_ENTITY));
        }
        let mut secret = [0; 16];
        getrandom::fill(&mut secret)?;
        let secret = format!("{:032x}", u128::from_ne_bytes(secret));
        let now = Instant::now();
        let mut held = self.lock();
        held.retain(|_, (grant, end)| now < *end && grant.is_good());
        if held.len() >= Self::MOST {
            return Err(Error::from("no room for another").with_status(StatusCode::SERVICE_UNAVAILABLE));
        }
        held.insert(secret.clone(), (grant, now + lifetime));
        Ok(secret)
    }

    pub(crate) fn look_up(&self, secret: &str) -> Option<Grant> {
        self.lock().get(secret).cloned().and_then(good)
    }

    /// The same, and from now on the secret is good for nothing.
    pub(crate) fn use_up(&self, secret: &str) -> Option<Grant> {
        self.lock().remove(secret).and_then(good)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Grant, Instant)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn good((grant, end): (Grant, Instant)) -> Option<Grant> {
    (Instant::now() < end && grant.is_good()).then_some(grant)
}
