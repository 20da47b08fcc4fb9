//! The servers that engines stand on, as the tests start them.

mod nats;
mod postgres;
mod redis;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

pub(crate) use nats::Nats;
pub(crate) use postgres::Postgres;
pub(crate) use redis::Redis;
use tokio::sync::Mutex;

use crate::process::Process;

/// The user, the password and the database of every server that has one. Only what stands in its URL gets in.
pub(crate) const USER: &str = "sse";
pub(crate) const PASSWORD: &str = "open-5e5ame";

/// A server in a folder of its own. It is killed when dropped, and the folder is gone then.
pub(crate) trait Server: Sized + Send + Sync + 'static {
    /// What people call it.
    const NAME: &'static str;

    /// Starts one that is new and empty, and waits until it answers.
    fn start() -> impl Future<Output = Self> + Send;

    /// Whether the server there answers somebody who is new.
    fn answers(address: SocketAddr) -> impl Future<Output = io::Result<bool>> + Send;

    /// Starts it where it was killed, with what it had, and waits until it answers.
    fn start_again(&mut self) -> impl Future<Output = ()> + Send {
        self.process_mut().start(Self::answers)
    }

    /// The URL of the server, with who may log in.
    fn url(&self) -> String {
        self.url_with(PASSWORD, self.process().address())
    }

    /// The same with another password, or somewhere else.
    fn url_with(&self, password: &str, address: SocketAddr) -> String;

    fn process(&self) -> &Process;

    fn process_mut(&mut self) -> &mut Process;

    /// `kill -9`, for all of its processes at once. Returns when they are gone.
    fn kill(&mut self) -> impl Future<Output = ()> + Send {
        self.process_mut().kill()
    }

    /// It hangs from now on: connections stay open, new ones are accepted by the kernel, and nothing answers.
    fn pause(&self) {
        self.process().pause();
    }

    /// It goes on.
    fn resume(&self) {
        self.process().resume();
    }
}

/// One server for all tests of this process that do no harm to it: keep what this returns as long as it is needed.
pub(crate) struct Shared<S>(Mutex<Weak<S>>);

impl<S: Server> Shared<S> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::const_new(Weak::new()))
    }

    /// The one that runs. The last who lets go of it ends it: a `static` would leave its folder behind.
    pub(crate) async fn get(&self) -> Arc<S> {
        let mut running = self.0.lock().await;
        if let Some(server) = running.upgrade() {
            return server;
        }
        let server = Arc::new(S::start().await);
        *running = Arc::downgrade(&server);
        server
    }
}

/// A word that no test of this process has had: the name of a log, a table, a topic.
pub(crate) fn fresh_name() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("log{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
