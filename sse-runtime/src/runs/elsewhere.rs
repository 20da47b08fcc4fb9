//! A run that another node has, or had: what the log says of it, and a client that follows it from here.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::response::Response;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use tokio::time::{Instant, sleep, sleep_until};

use super::attach::outcome;
use super::course::Course;
use super::id::RunId;
use super::owner::Owner;
use super::runs::Runs;
use super::signs::{Follower, RETRY, Sign, Signs};
use crate::engine::EngineError;
use crate::error::SendError;
use crate::stream::{DisconnectReason, END_ID, Sse};
use crate::topic::{Entry, FollowError, Log, ReadError, Records};
use crate::wire::{EventError, EventWriter, SseEvent};

/// The last event of a run whose node is gone.
pub(crate) const LOST: &str = "run-lost";

/// Such a run.
pub(crate) struct Elsewhere {
    runs: Runs,
    id: RunId,
    log: Log,
    course: Records,
    /// The number before its first event.
    first: u64,
    node: u64,
    end: Option<Ending>,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
struct Ending {
    last: u64,
    is_whole: bool,
    is_cut: bool,
}

/// How a run ended whose log could not be written any more.
pub(super) const CUT: &str = "LogFailed";

impl Ending {
    fn read(entry: &Entry) -> Option<Self> {
        match Course::read(&entry.block)? {
            Course::Ended { last, reason, .. } => Some(Self::new(last, &reason)),
            _ => None,
        }
    }

    fn new(last: u64, reason: &str) -> Self {
        Self { last, is_whole: reason == DisconnectReason::Completed.as_str(), is_cut: reason == CUT }
    }
}

/// What becomes of it.
enum Turn {
    Ended(Ending),
    /// Its node has given no sign of life for too long, as is known since this number.
    Lost(u64),
    Unreadable(ReadError),
}

impl Elsewhere {
    /// Looks for the run in the log; none if it is not there, or not this owner's, if one is named.
    pub(crate) async fn find(
        runs: &Runs,
        id: RunId,
        owner: Option<&Owner>,
    ) -> Result<Option<Self>, EngineError> {
        let mut course = Log::new(runs.hub(), &id.course()).read_kept().await?;
        let entries = match course.until_now().await {
            Ok(entries) => entries,
            // It has been too long ago.
            Err(ReadError::Evicted) => return Ok(None),
            Err(ReadError::Engine(error)) => return Err(error),
        };
        let mut read = entries.iter().map(|entry| (entry.seq, Course::read(&entry.block)));
        let Some((first, Some(Course::Begun { route, path, principal, node, keep }))) = read.next() else {
            return Ok(None);
        };
        if owner.is_some_and(|owner| !owner.is(&route, &path, principal.as_deref())) {
            return Ok(None);
        }
        let end = read.find_map(|(_, course)| match course {
            Some(Course::Ended { last, reason, at }) => Some((Ending::new(last, &reason), at)),
            _ => None,
        });
        if end.is_some_and(|(_, at)| now() > at.saturating_add(keep)) {
            return Ok(None);
        }
        let log = Log::new(runs.hub(), &id.events());
        let end = end.map(|(end, _)| end);
        Ok(Some(Self { runs: runs.clone(), id, log, course, first, node, end }))
    }

    /// Whether a client that has seen this id has seen all there is.
    pub(crate) fn has_been_seen(&self, id: &str) -> bool {
        self.end.is_some_and(|end| self.log.number_of(id).is_some_and(|seen| seen >= end.last))
    }

    /// Asks its node to end it.
    pub(crate) async fn cancel(&self) -> Result<(), EngineError> {
        self.runs.say(self.id, &Course::Cancelled).await.map(drop)
    }

    /// What the handler of a stream does whose client follows it.
    pub(crate) async fn attend(self, client: Sse) -> Result<(), Box<Response>> {
        outcome(self.follow(&client).await)
    }

    /// Sends its events, from where the client left off, until it is over.
    pub(super) async fn follow(mut self, client: &Sse) -> Result<(), SendError> {
        drop(client.set_header("sse-run", self.id.as_str()));
        let (log, first) = (self.log.clone(), self.first);
        let turn = tokio::select! {
            followed = log.follow(client, first) => return followed,
            turn = self.turn() => turn,
        };
        match turn {
            Turn::Ended(end) => {
                let sent = log.follow_until(client, first, end.last).await;
                if end.is_cut && sent.is_ok() {
                    client.hidden().shared().say(&Lost(self.id));
                }
                let reason =
                    if end.is_whole { DisconnectReason::Completed } else { DisconnectReason::HandlerError };
                client.hidden().shared().end_with(reason);
                sent
            }
            Turn::Lost(last) => {
                tracing::warn!(run = %self.id, "the node of a run is gone, and the run with it");
                // However slow the client is: first all that there was.
                log.follow_until(client, first, last).await?;
                client.hidden().shared().say(&Lost(self.id));
                client.hidden().shared().end_with(DisconnectReason::HandlerError);
                Ok(())
            }
            Turn::Unreadable(ReadError::Evicted) => Err(FollowError::NoSuchRun { run: self.id }.into()),
            Turn::Unreadable(ReadError::Engine(source)) => {
                Err(FollowError::Engine { topic: self.id.course(), source }.into())
            }
        }
    }

    /// Waits for what becomes of it, while its node is told that somebody is here.
    async fn turn(&mut self) -> Turn {
        if let Some(end) = self.end {
            return Turn::Ended(end);
        }
        let lease = self.runs.lease_time();
        let mut signs = match Signs::of(&self.runs, self.node).await {
            Ok(signs) => signs,
            Err(error) => return Turn::Unreadable(error.into()),
        };
        let _follower = Follower::new(&self.runs, self.id, self.node);
        let mut alive = Instant::now();
        loop {
            tokio::select! {
                biased;
                sign = signs.next() => match sign {
                    Ok(Sign::There) => alive = Instant::now(),
                    Ok(Sign::Silence(until)) => return self.lost(until).await,
                    Err(error) => return Turn::Unreadable(error),
                },
                entry = self.course.next() => match entry {
                    Ok(entry) => {
                        if let Some(end) = Ending::read(&entry) {
                            return Turn::Ended(end);
                        }
                    }
                    Err(error) => return Turn::Unreadable(error),
                },
                () = sleep_until(alive + lease), if !signs.waits(lease) => {
                    if signs.ask().await.is_err() {
                        // Who cannot say anything does not hear anything either.
                        alive = Instant::now();
                    }
                }
            }
        }
    }

    /// Its node is gone; or has left, after it had ended it.
    async fn lost(&mut self, until: u64) -> Turn {
        match self.course.until_now().await {
            Ok(entries) => entries.iter().find_map(Ending::read).map_or(Turn::Lost(until), Turn::Ended),
            Err(error) => Turn::Unreadable(error),
        }
    }
}

/// In milliseconds since 1970: the clock of the wall, moved by as much as the runtime's is, which a test may move.
pub(super) fn now() -> u64 {
    let (moved, steady) = (Instant::now().into_std(), std::time::Instant::now());
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    milliseconds(
        (since + moved.saturating_duration_since(steady))
            .saturating_sub(steady.saturating_duration_since(moved)),
    )
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Says that the run is lost, with the id by which clients stop.
pub(super) struct Lost(pub(super) RunId);

impl SseEvent for Lost {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.name(LOST)?;
        event.id(END_ID)?;
        event.json(self)
    }
}

// By hand: the derive would be another dependency.
impl Serialize for Lost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("run", self.0.as_str())?;
        map.end()
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("id", &self.id).field("node", &self.node).finish_non_exhaustive()
    }
}

/// Hears what other nodes have to say of a run of this one.
pub(super) async fn hear(runs: Runs, run: Arc<super::RunState>) {
    let log = Log::new(runs.hub(), &run.id.course());
    loop {
        if let Ok(mut course) = log.read_kept().await {
            while let Ok(entry) = course.next().await {
                if Course::read(&entry.block) == Some(Course::Cancelled) {
                    run.cancel();
                }
            }
        }
        sleep(RETRY).await;
    }
}
