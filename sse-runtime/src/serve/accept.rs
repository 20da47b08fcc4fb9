//! When the next connection is accepted: not while there are enough, and not faster than is wished.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};

use crate::lifecycle::{Connections, Pace, Rate};

/// How long the accept loop rests after an error that is not the connection's own (out of file descriptors, mostly).
const REST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Accepting {
    pub(super) max_open: usize,
    pub(super) rate: Option<Rate>,
    pace: Option<Pace>,
    /// Not before.
    rests_until: Option<Instant>,
}

impl Default for Accepting {
    fn default() -> Self {
        Self { max_open: usize::MAX, rate: None, pace: None, rests_until: None }
    }
}

impl Accepting {
    /// The next connection. Cancel safe: none is lost, and none is counted that did not come.
    pub(super) async fn next(
        &mut self,
        listener: &TcpListener,
        connections: &Connections,
    ) -> io::Result<(TcpStream, SocketAddr)> {
        if let Some(until) = self.rests_until {
            sleep_until(until).await;
            self.rests_until = None;
        }
        connections.fewer_than(self.max_open).await;
        if let Some(rate) = self.rate {
            // Asked of a copy: what counts is the connection that comes.
            while let Err(wait) = rate.take(&mut { *self.pace() }, Instant::now()) {
                sleep(wait).await;
            }
        }
        let accepted = listener.accept().await?;
        if let Some(rate) = self.rate {
            let _ = rate.take(self.pace(), Instant::now());
        }
        Ok(accepted)
    }

    fn pace(&mut self) -> &mut Pace {
        self.pace.get_or_insert_with(|| Pace::new(Instant::now()))
    }

    /// Rests if accepting failed for a reason of ours (out of file descriptors, mostly), which a pause may cure.
    pub(super) fn rest_after(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        // The client gave up between its handshake and our accept: nothing of ours is wrong.
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return;
        }
        tracing::error!(%error, "accepting connections failed; trying again in {REST:?}");
        self.rests_until = Some(Instant::now() + REST);
    }
}
