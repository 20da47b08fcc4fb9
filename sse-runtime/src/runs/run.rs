//! One run of this process: what its handler, its clients and its driver share.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::Response;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::id::RunId;
use super::meta::RunMeta;
use super::owner::Owner;
use crate::stream::{Disconnect, DisconnectReason, Head, Hook, Shared, Sse};
use crate::topic::Log;

/// Called for each client that leaves.
type OnDisconnect = Arc<dyn Fn(Disconnect) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What the handler wants to hear of. Clients that are still there hold them for themselves when the run lets go.
type Hooks = Arc<Mutex<Vec<OnDisconnect>>>;

pub(crate) struct RunState {
    pub(super) id: RunId,
    pub(super) owner: Owner,
    /// Of the request that began it.
    pub(super) key: Option<Box<str>>,
    pub(super) meta: &'static RunMeta,
    pub(super) begun: Instant,
    /// What the handler sends into.
    pub(super) stream: Arc<Shared>,
    pub(super) log: Log,
    pub(super) phase: watch::Sender<Phase>,
    /// How many clients follow it here.
    attached: watch::Sender<usize>,
    /// Until when clients follow it at other nodes, as far as is known.
    elsewhere: watch::Sender<Instant>,
    /// What the handler said of the head, or the answer in place of a stream: for the client that began it.
    pub(super) opening: Mutex<Opening>,
    hooks: Mutex<Hooks>,
}

/// What the client that began it gets before the events.
#[derive(Default)]
pub(super) struct Opening {
    pub(super) head: Option<Box<Head>>,
    pub(super) answer: Option<Response>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The handler has sent nothing yet.
    Begins,
    /// It was answered by an HTTP response, and there is no run.
    Refused,
    /// Its events have numbers above this one.
    Runs {
        first: u64,
    },
    Ended(End),
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(super) first: u64,
    /// The number of its last event.
    pub(super) last: u64,
    pub(super) reason: DisconnectReason,
    /// Its log could not be written, and so nothing says how it ended.
    pub(super) is_cut: bool,
}

impl Phase {
    pub(super) fn first(self) -> Option<u64> {
        match self {
            Self::Begins | Self::Refused => None,
            Self::Runs { first } | Self::Ended(End { first, .. }) => Some(first),
        }
    }

    pub(super) fn end(self) -> Option<End> {
        if let Self::Ended(end) = self { Some(end) } else { None }
    }
}

impl RunState {
    pub(super) fn new(
        id: RunId,
        owner: Owner,
        key: Option<&str>,
        meta: &'static RunMeta,
        stream: Arc<Shared>,
        log: Log,
    ) -> Arc<Self> {
        let run = Arc::new(Self {
            id,
            owner,
            key: key.map(Into::into),
            meta,
            begun: Instant::now(),
            stream,
            log,
            phase: watch::Sender::new(Phase::Begins),
            attached: watch::Sender::new(0),
            elsewhere: watch::Sender::new(Instant::now()),
            opening: Mutex::default(),
            hooks: Mutex::default(),
        });
        run.stream.set_run(Arc::downgrade(&run));
        run
    }

    /// Whether a client that has seen this id has seen all there is.
    pub(crate) fn has_been_seen(&self, id: &str) -> bool {
        let end = self.phase.borrow().end();
        end.is_some_and(|end| self.log.number_of(id).is_some_and(|seen| seen >= end.last))
    }

    pub(crate) fn cancel(&self) -> bool {
        self.end(DisconnectReason::Cancelled)
    }

    /// One more client, and what it tells others of itself.
    pub(crate) fn attach_client(self: &Arc<Self>, client: &Sse) -> Attached {
        if let Some(principal) = &self.owner.principal {
            client.set_principal(principal.name());
        }
        self.watch(client);
        self.attach()
    }

    /// Counts a client for as long as what is returned lives.
    pub(super) fn attach(self: &Arc<Self>) -> Attached {
        self.attached.send_modify(|attached| *attached += 1);
        Attached(Arc::clone(self))
    }

    pub(super) fn attached(&self) -> usize {
        *self.attached.borrow()
    }

    /// Clients follow it at another node, which says so again before that time.
    pub(super) fn attached_elsewhere(&self, until: Instant) {
        self.elsewhere.send_modify(|known| *known = until.max(*known));
    }

    /// Has the hooks of the handler run when a client leaves.
    pub(super) fn watch(&self, client: &Sse) {
        let hooks = Arc::clone(&self.hooks());
        client.on_disconnect(move |gone| async move {
            let hooks = hooks.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for hook in hooks {
                // In a task of its own: one that panics concerns no other.
                let gone = gone.clone();
                drop(tokio::spawn(async move { hook(gone).await }).await);
            }
        });
    }

    fn hooks(&self) -> std::sync::MutexGuard<'_, Hooks> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the hooks, which may hold the run itself.
    pub(super) fn take_hooks(&self) -> Hooks {
        std::mem::take(&mut *self.hooks())
    }

    pub(super) fn opening(&self) -> std::sync::MutexGuard<'_, Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until its time is over, or nobody has followed it for as long as it may be left alone.
    pub(super) async fn overstays(&self) -> DisconnectReason {
        tokio::select! {
            () = sleep_until(self.begun + self.meta.time) => DisconnectReason::MaxAge,
            () = self.is_abandoned() => DisconnectReason::Abandoned,
        }
    }

    async fn is_abandoned(&self) {
        let Some(idle) = self.meta.idle else { return std::future::pending().await };
        let (mut attached, mut elsewhere) = (self.attached.subscribe(), self.elsewhere.subscribe());
        loop {
            // The senders live as long as this does, so that neither fails.
            let _ = attached.wait_for(|&attached| attached == 0).await;
            let left = Instant::now();
            let alone = async {
                loop {
                    let until = (*elsewhere.borrow_and_update()).max(left) + idle;
                    tokio::select! {
                        () = sleep_until(until) => return,
                        _ = elsewhere.changed() => {}
                    }
                }
            };
            tokio::select! {
                () = alone => return,
                _ = attached.wait_for(|&attached| attached > 0) => {}
            }
        }
    }

    /// Ends it; whether it was not ending already.
    pub(super) fn end(&self, reason: DisconnectReason) -> bool {
        self.stream.end_because(reason, None)
    }
}

/// A client that follows a run.
pub(crate) struct Attached(Arc<RunState>);

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.attached.send_modify(|attached| *attached -= 1);
    }
}

/// A run, as its handler and an administrator have it: from [`Sse::run`] and [`Runs`](crate::Runs). A clone is the
/// same one, and none keeps it from coming to its end.
///
/// ```
/// use std::time::Duration;
/// use sse_runtime::{Disconnect, Result, Sse, sse_route};
///
/// #[sse_route("/report", methods = ["POST"], run = "15m")]
/// async fn report(sse: Sse) -> Result<()> {
///     let run = sse.run().expect("a route with `run`");
///     run.on_disconnect(|gone: Disconnect| async move { println!("a client left: {}", gone.reason) });
///     run.on_end(|over: Disconnect| async move { println!("all over: {}", over.reason) });
///     for page in 1..=20 {
///         tokio::time::sleep(Duration::from_secs(20)).await;
///         sse.send(format!("page {page}")).await?;
///     }
///     Ok(())
/// }
/// # let _: axum::Router = sse_runtime::routes![report];
/// ```
#[derive(Clone)]
pub struct Run(pub(super) Arc<RunState>);

impl Run {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.0.id
    }

    /// How many clients of this process follow it now.
    #[must_use]
    pub fn attached(&self) -> usize {
        self.0.attached()
    }

    /// Ends it: the handler's future is dropped where it waits, clients receive `sse-bye` with the reason
    /// [`Cancelled`](DisconnectReason::Cancelled), and the stream ends. Whether it was not ending already.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.phase.borrow().end().is_some()
    }

    /// Runs `hook` each time a client of this process leaves, once for each, with the reason; in a task of its own. Those who
    /// come after this call, and those who are there.
    pub fn on_disconnect<F, Fut>(&self, hook: F)
    where
        F: Fn(Disconnect) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let hooks = Arc::clone(&self.0.hooks());
        hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(move |gone| Box::pin(hook(gone))));
    }

    /// Runs `hook` once, when the run is over, with the reason: [`Completed`](DisconnectReason::Completed),
    /// [`MaxAge`](DisconnectReason::MaxAge) when its time was over, [`Cancelled`](DisconnectReason::Cancelled),
    /// [`Abandoned`](DisconnectReason::Abandoned), .. The same as [`Sse::on_disconnect`] in its handler.
    pub fn on_end<F, Fut>(&self, hook: F)
    where
        F: FnOnce(Disconnect) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.0.stream.add_hook(Hook::new(hook));
    }

    /// What there is to say of it now.
    #[must_use]
    pub fn info(&self) -> RunInfo {
        let (events, bytes) = self.0.stream.handed();
        let phase = *self.0.phase.borrow();
        RunInfo {
            id: self.0.id,
            route: self.0.meta.stream.path,
            path: self.0.owner.path.to_string(),
            principal: self.0.owner.principal.as_ref().map(|principal| principal.name().to_owned()),
            age: self.0.begun.elapsed(),
            attached: self.attached(),
            events,
            bytes,
            ended: phase.end().map(|end| end.reason),
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.0.id)
            .field("phase", &*self.0.phase.borrow())
            .finish_non_exhaustive()
    }
}

/// A run at one moment; from [`Run::info`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunInfo {
    /// Its id.
    pub id: RunId,
    /// The path of its route, with parameters as they are declared.
    pub route: &'static str,
    /// The path that was asked for.
    pub path: String,
    /// Whose it is, see [`Principal`](crate::Principal).
    pub principal: Option<String>,
    /// How long ago it began.
    pub age: Duration,
    /// How many clients of this process follow it.
    pub attached: usize,
    /// How many events it has, the runtime's own included.
    pub events: u64,
    /// How many bytes these have, without their ids.
    pub bytes: u64,
    /// Why it is over, if it is.
    pub ended: Option<DisconnectReason>,
}

impl<E> Sse<E> {
    /// The run that this handler is, on a route with the option `run`; none on others.
    #[must_use]
    pub fn run(&self) -> Option<Run> {
        self.hidden().shared().run().and_then(|run| run.upgrade()).map(Run)
    }
}
