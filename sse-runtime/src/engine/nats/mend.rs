//! The task behind an engine: it has a connection, or makes one.
//!
//! ```text
//!   connected: publish, take answers, deliver --- anything goes wrong: the connection is dropped
//!       ^                                                     |  the hub is told: down
//!       |  up                                                 v
//!       +--- connect, look at the stream, deliver from where it stopped, send again what has no answer
//!                        ^                  |  an error
//!                        +------ rest ------+
//! ```
//!
//! | the stream, when it is looked at again | what is done |
//! |---|---|
//! | has what was delivered | it goes on behind that |
//! | has evicted more than that | the hub is told what is lost |
//! | is not there | it is made again, with numbers above all that were given out |
//! | is another one | the same, with its own records |
//! | ends below what was given out: the server lost its last records | the numbers are used up with empty messages |

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::api::Api;
use super::connect::Servers;
use super::delivery::{self, Consumer};
use super::error::NatsError;
use super::queue::Job;
use super::session::{Session, Shared};
use super::stream::{self, Found, Identity};
use super::writer::{Pending, Writer};
use crate::engine::EngineError;

/// How long one attempt to connect may take, all in all.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The pause after the first attempt that fails, and the longest one.
const REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(1);
/// A connection that lived for less is no sign that all is well.
const LIVED: Duration = Duration::from_secs(5);
/// How often it is looked whether an answer is overdue.
const LOOK: Duration = Duration::from_secs(1);
/// How many records are taken from the queue at once.
const GROUP: usize = 64;
/// What stands for no topic.
const FILLING: &str = "=fill";

/// Does all there is to do, until the engine is dropped.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut servers: Servers,
    mut jobs: UnboundedReceiver<Job>,
    first: Arc<Session>,
) {
    let mut pending = Pending::new();
    let (mut session, mut consumer) = (first, None);
    let mut rest = REST;
    loop {
        let since = Instant::now();
        shared.session.send_replace(Some(Arc::clone(&session)));
        let Some(error) = connected(&shared, &session, consumer, &mut pending, &mut jobs).await else {
            return;
        };
        shared.session.send_replace(None);
        drop(session);
        shared.feed.down(EngineError::new(error));
        // A server that lets everybody in, and then refuses what is asked of it, is not to be asked without a pause.
        let mut at_once = since.elapsed() > LIVED;
        if at_once {
            rest = REST;
        }
        (session, consumer) = loop {
            if !at_once {
                // Not all nodes at once.
                sleep(rest.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
                rest = (rest * 2).min(LONGEST_REST);
            }
            at_once = false;
            match within(open_again(&shared, &mut servers)).await {
                Ok(opened) => break opened,
                Err(error) => shared.feed.down(EngineError::new(error)),
            }
        };
        shared.feed.up();
    }
}

/// Bounds an attempt.
pub(super) async fn within<T>(attempt: impl Future<Output = Result<T, NatsError>>) -> Result<T, NatsError> {
    let timed_out = NatsError::TimedOut { doing: "open the log", after: ATTEMPT };
    timeout(ATTEMPT, attempt).await.unwrap_or(Err(timed_out))
}

/// Works on a connection until that ends, and says why; none, if there is nobody to work for.
async fn connected(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    consumer: Option<Consumer>,
    pending: &mut Pending,
    jobs: &mut UnboundedReceiver<Job>,
) -> Option<NatsError> {
    // A task of its own, so that the two can run at once.
    let (for_delivery, with) = (Arc::clone(shared), Arc::clone(session));
    let mut delivering =
        AbortOnDropHandle::new(tokio::spawn(
            async move { delivery::run(&for_delivery, &with, consumer).await },
        ));
    let ended = {
        let publishing = pin!(publish(shared, session, pending, jobs));
        tokio::select! {
            ended = publishing => ended,
            ended = &mut delivering => Some(ended.unwrap_or(NatsError::Closed)),
        }
    };
    // Only one delivers at a time.
    if !delivering.is_finished() {
        delivering.abort();
        drop(delivering.await);
    }
    ended
}

/// Publishes on a connection until that ends.
async fn publish(
    shared: &Shared,
    session: &Session,
    pending: &mut Pending,
    jobs: &mut UnboundedReceiver<Job>,
) -> Option<NatsError> {
    let mut writer = match Writer::new(shared, session).await {
        Ok(writer) => writer,
        Err(error) => return Some(error),
    };
    let unanswered = pending.all();
    if let Err(error) = send(&writer, pending, unanswered).await {
        return Some(error);
    }
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut again, mut goes) = (pin!(sleep(LOOK)), false);
    let mut group = Vec::with_capacity(GROUP);
    loop {
        let outcome = tokio::select! {
            answer = writer.answers.next() => writer.answered_all(pending, answer),
            taken = jobs.recv_many(&mut group, GROUP.min(pending.room())), if pending.room() > 0 => {
                if taken == 0 {
                    return None;
                }
                // All of them, before any is sent: what is interrupted is sent again.
                let which = group.drain(..).map(|job| pending.push(job)).collect();
                send(&writer, pending, which).await
            }
            () = &mut again, if goes => {
                goes = false;
                let records = pending.take_again();
                send(&writer, pending, records).await
            }
            _ = look.tick() => match pending.is_stuck() {
                true => Err(NatsError::TimedOut { doing: "publish", after: super::writer::ANSWER }),
                false => Ok(()),
            },
        };
        if let Err(error) = outcome {
            return Some(error);
        }
        if !goes {
            if let Some(pause) = pending.pause() {
                again.as_mut().reset(Instant::now() + pause);
                goes = true;
            }
        }
    }
}

async fn send(writer: &Writer<'_>, pending: &mut Pending, records: Vec<u64>) -> Result<(), NatsError> {
    for which in records {
        writer.send(pending, which).await?;
    }
    Ok(())
}

/// Connects, and finds or makes the log; for a hub that starts.
pub(super) async fn open(options: &super::Options, servers: &mut Servers) -> Result<(Api, Found), NatsError> {
    let api = Api::new(servers.connect(options).await?, &options.stream);
    let found = match stream::find(&api, options).await? {
        Some(found) => {
            stream::limit(&api, options, &found).await?;
            found
        }
        None => stream::create(&api, options, Identity::fresh(crate::engine::fresh_epoch())).await?,
    };
    Ok((api, found))
}

/// Connects to the log that a hub has been on.
async fn open_again(
    shared: &Shared,
    servers: &mut Servers,
) -> Result<(Arc<Session>, Option<Consumer>), NatsError> {
    let options = &shared.options;
    let api = Api::new(servers.connect(options).await?, &options.stream);
    let found = match stream::find(&api, options).await? {
        Some(found) => found,
        None => {
            let identity = Identity::again(shared.epoch, shared.known());
            let found = stream::create(&api, options, identity).await?;
            tracing::error!(
                stream = options.stream,
                "the stream was gone, with all events: it was made again, and clients get what is published from now on"
            );
            found
        }
    };
    let session = Session::new(api, &options.stream, &found, shared.epoch);
    let last = no_number_twice(shared, &session, &found).await?;
    let consumer = match shared.opened.under_way() {
        Some(turn) => Some(Consumer::new(&session, turn, go_on(shared, &session, found.first)).await?),
        None => {
            shared.passed_by(session.number(last));
            None
        }
    };
    Ok((Arc::new(session), consumer))
}

/// Makes sure that no number means two records. The answer is the last sequence.
async fn no_number_twice(shared: &Shared, session: &Session, found: &Found) -> Result<u64, NatsError> {
    // None of them, if they were given out in another stream before this one.
    let missing = session.seq(shared.known()).unwrap_or_default().saturating_sub(found.last);
    if missing == 0 {
        return Ok(found.last);
    }
    tracing::error!(
        stream = session.stream,
        missing,
        "the server has lost the newest events: their numbers are not used again"
    );
    let last = fill(session, found.last + missing).await?;
    shared.lost(session.number(last));
    Ok(last)
}

/// Where delivery goes on: behind this sequence. The hub is told what it does not get any more.
fn go_on(shared: &Shared, session: &Session, first: u64) -> u64 {
    let before = session.seq(shared.delivered());
    let passed = before.unwrap_or_default().max(first.saturating_sub(1));
    if before != Some(passed) {
        shared.lost(session.number(passed));
    }
    passed
}

/// Uses up the numbers until this one.
async fn fill(session: &Session, until: u64) -> Result<u64, NatsError> {
    let subject = format!("{}{FILLING}", session.prefix);
    loop {
        let answer = session
            .api
            .client
            .request(subject.clone(), "".into())
            .await
            .map_err(|error| session.api.lost(error))?;
        let answer = session.api.understood("publish", &answer)?;
        let last = super::api::number(&answer, "seq").unwrap_or_default();
        if last >= until {
            return Ok(last);
        }
        // Without waiting for each.
        for _ in last + 1..until {
            session
                .api
                .client
                .publish(subject.clone(), "".into())
                .await
                .map_err(|error| session.api.lost(error))?;
        }
    }
}
