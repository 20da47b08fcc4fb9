//! What the parts of a node share: the connections on which commands go, and how to use them.
//!
//! Publishing has one connection, so that nothing waits behind large events; what is asked has another, and messages have a
//! third. They are made, watched, and given up together, by the task that delivers. A part that cannot use its connection says
//! so, and waits for the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, Cmd, RedisError, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::Options;
use super::error::{Meaning, RedisFailure, meaning};
use super::keys::Keys;
use super::script;

/// Connections with which the node has joined the log.
pub(super) struct Link {
    /// For what is asked.
    pub(super) connection: MultiplexedConnection,
    pub(super) publishing: MultiplexedConnection,
    /// What the scripts are told, so that they do nothing if the log is another one by now.
    pub(super) generation: String,
    /// Which connections these are: they are counted.
    pub(super) serial: u64,
    /// With the connection before, the node has lost records that it knew of.
    pub(super) lost: bool,
}

/// Whether there is a connection; if not, why.
pub(super) type State = Result<Arc<Link>, RedisFailure>;

pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) client: Client,
    /// Without the password.
    pub(super) address: String,
    pub(super) keys: Keys,
    /// The highest number that this node knows a record of.
    pub(super) known: AtomicU64,
    pub(super) state: watch::Sender<State>,
    /// For the task that delivers: this connection is of no use.
    pub(super) trouble: mpsc::UnboundedSender<(u64, RedisFailure)>,
}

impl Shared {
    pub(super) fn failure(&self, error: &RedisError) -> RedisFailure {
        RedisFailure::of(&self.address, error)
    }

    pub(super) fn note(&self, seq: u64) {
        self.known.fetch_max(seq, Ordering::AcqRel);
    }

    pub(super) fn give_up(&self, link: &Link, failure: RedisFailure) {
        // If that task is gone, so is the engine.
        drop(self.trouble.send((link.serial, failure)));
    }

    /// Asks for something that may be asked again: over the next connection, if this one is lost meanwhile.
    pub(super) async fn ask(&self, command: &Cmd, limit: Duration) -> Result<Value, RedisFailure> {
        match timeout(limit, self.ask_for_ever(command)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.late(limit)),
        }
    }

    /// Why there was no answer in time.
    pub(super) fn late(&self, limit: Duration) -> RedisFailure {
        let down = self.state.borrow().as_ref().err().cloned();
        down.unwrap_or_else(|| RedisFailure::Timeout { address: self.address.clone(), limit })
    }

    async fn ask_for_ever(&self, command: &Cmd) -> Result<Value, RedisFailure> {
        let mut state = self.state.subscribe();
        let mut done_with = None;
        loop {
            let usable = |state: &State| state.as_ref().is_ok_and(|link| Some(link.serial) != done_with);
            let Ok(link) = state.wait_for(usable).await.map(|state| state.as_ref().ok().map(Arc::clone))
            else {
                return Err(RedisFailure::Closed { address: self.address.clone() });
            };
            let Some(link) = link else { continue };
            let mut connection = link.connection.clone();
            let answer = tokio::select! {
                answer = connection.send_packed_command(command) => answer.and_then(Value::extract_error),
                _ = state.wait_for(|state| !state.as_ref().is_ok_and(|now| now.serial == link.serial)) => continue,
            };
            let error = match answer {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match meaning(&error) {
                Meaning::NoScript => {
                    if let Err(error) = script::load(&mut connection, self.options.connect_timeout).await {
                        done_with = Some(link.serial);
                        self.give_up(&link, self.failure(&error));
                    }
                }
                Meaning::Lost | Meaning::Refused => {
                    done_with = Some(link.serial);
                    self.give_up(&link, self.failure(&error));
                }
                Meaning::OutOfTurn | Meaning::Final => return Err(self.failure(&error)),
            }
        }
    }
}
