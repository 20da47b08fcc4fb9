//! The runs of a process, and what they stand on.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tower_layer::Layer;

use super::attach::follow;
use super::course::Course;
use super::drive::drive;
use super::elsewhere::Elsewhere;
use super::id::RunId;
use super::meta::RunMeta;
use super::owner::Owner;
use super::run::{Run, RunState};
use super::signs::{Followers, give_signs};
use crate::engine::EngineError;
use crate::error::SendError;
use crate::lifecycle::{Full, Limit};
use crate::stream::{Shared, Sse};
use crate::topic::{FollowError, Hub, Log};

/// The runs of the routes below: a layer that says where their events are kept, and lists and ends them.
///
/// Without it, a route with the option `run` keeps its runs in memory, for itself. With a hub on an engine that other nodes
/// share, a client may come back to any of them.
///
/// ```
/// use sse_runtime::{Hub, Result, Runs, Sse, routes, sse_route};
///
/// #[sse_route("/chat", methods = ["POST"], run = "15m")]
/// async fn chat(sse: Sse) -> Result<()> {
///     for word in ["It", "goes", "on", "without", "you"] {
///         tokio::time::sleep(std::time::Duration::from_millis(50)).await;
///         sse.send(word).await?;
///     }
///     Ok(())
/// }
///
/// let runs = Runs::in_memory().per_principal(3);
/// let app: axum::Router = routes![chat].layer(runs.clone());
/// for run in runs.list() {
///     println!("{:?}", run.info());
///     run.cancel();
/// }
/// # let _ = app;
/// ```
///
/// What a hub keeps of a topic is what it keeps of a run: a hub of your own should keep as many events of one topic as a run
/// may have (100,000, and 16 MiB), for as long as the run and its `run_keep` last together
/// ([`age`](crate::HubBuilder::age), by default 1 h).
#[derive(Clone)]
#[must_use = "it keeps the runs of the routes that it is a layer of"]
pub struct Runs(pub(super) Arc<Inner>);

pub(super) struct Inner {
    hub: Hub,
    node: u64,
    per_principal: Option<usize>,
    lease: Duration,
    table: Mutex<Table>,
}

/// The run of a request.
pub(crate) enum Entered {
    Begun(Arc<RunState>),
    /// It was there.
    Joined(Arc<RunState>),
}

#[derive(Default)]
pub(super) struct Table {
    runs: HashMap<RunId, Arc<RunState>>,
    /// By the keys that clients gave their requests.
    by_key: HashMap<(Owner, Box<str>), RunId>,
    /// Those of other nodes that clients of this one follow.
    pub(super) followed: HashMap<RunId, Followers>,
    /// A task says that this node is there.
    gives_signs: bool,
}

impl Runs {
    /// Runs whose events this process keeps in its memory: of each, all; of all together, the newest 256 MiB. Beyond that, the
    /// oldest events go, and who comes back for them is told so by `sse-reset`: limit how many runs there are (`max_runs`), or
    /// give a hub that keeps more to [`on`](Self::on).
    pub fn in_memory() -> Self {
        // A run says itself how much it may have, and for how long it is kept.
        let all = Hub::in_memory().topic_events(usize::MAX).topic_bytes(usize::MAX).age(Duration::MAX);
        Self::on(all.build())
    }

    /// Runs whose events this hub keeps.
    pub fn on(hub: Hub) -> Self {
        Self::with(hub, None, Duration::from_secs(15))
    }

    fn with(hub: Hub, per_principal: Option<usize>, lease: Duration) -> Self {
        let node = fastrand::u64(..);
        let inner = Arc::new(Inner { hub, node, per_principal, lease, table: Mutex::default() });
        #[cfg(feature = "inspector")]
        super::inspected::KEEPERS.add(&inner);
        Self(inner)
    }

    /// At most so many runs of one [`Principal`](crate::Principal) at a time, in this process. Who has as many is answered 503
    /// with `Retry-After`, as by [`Admission`](crate::Admission).
    pub fn per_principal(self, runs: usize) -> Self {
        Self::with(self.0.hub.clone(), Some(runs), self.0.lease)
    }

    /// How long other nodes wait for a sign of life of the one that has a run, before they tell its clients that it is lost.
    /// 15 s by default.
    pub fn lease(self, lease: Duration) -> Self {
        Self::with(self.0.hub.clone(), self.0.per_principal, lease)
    }

    /// All runs of this process: those that go on, and those that are over and can still be replayed.
    #[must_use]
    pub fn list(&self) -> Vec<Run> {
        self.table().runs.values().map(|run| Run(Arc::clone(run))).collect()
    }

    /// The run of this id, if this process has it.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<Run> {
        self.table().runs.get(&id).map(|run| Run(Arc::clone(run)))
    }

    /// Sends the events of a run to a client, as the run's own route does, from a route of another kind: for protocols that
    /// have their own way of coming back. It goes on until the run is over, or the client leaves.
    ///
    /// Whose run it is, is not looked at: that is for the handler to know.
    ///
    /// ```
    /// use axum::extract::State;
    /// use sse_runtime::{Result, RunId, Runs, Sse, StatusCode, sse_route};
    ///
    /// # #[derive(Clone)] struct Chats;
    /// # impl Chats { fn answering(&self, _: &str) -> Option<RunId> { None } }
    /// # #[derive(Clone)] struct App { runs: Runs, chats: Chats }
    /// # impl axum::extract::FromRef<App> for Runs { fn from_ref(app: &App) -> Self { app.runs.clone() } }
    /// # impl axum::extract::FromRef<App> for Chats { fn from_ref(app: &App) -> Self { app.chats.clone() } }
    /// #[sse_route("/api/chat/{chat}/stream", bare)]
    /// async fn resume(sse: Sse, chat: String, State(chats): State<Chats>, State(runs): State<Runs>) -> Result<()> {
    ///     match chats.answering(&chat) {
    ///         Some(run) => runs.follow(&sse, run).await?,
    ///         None => sse.respond(StatusCode::NO_CONTENT)?,
    ///     }
    ///     Ok(())
    /// }
    /// # let _: axum::Router<App> = sse_runtime::routes![resume];
    /// ```
    ///
    /// # Errors
    /// [`FollowError::NoSuchRun`](crate::FollowError::NoSuchRun), which is answered 404 before the head is sent, and those of
    /// [`Sse::follow`](crate::Sse::follow).
    pub async fn follow<E>(&self, sse: &Sse<E>, id: RunId) -> Result<(), SendError> {
        let client: Sse = Sse::new(Arc::clone(sse.hidden()));
        let here = self.table().runs.get(&id).cloned();
        if let Some(run) = here {
            let attached = run.attach_client(&client);
            return follow(&client, &run, attached).await;
        }
        let unknown = || SendError::from(FollowError::NoSuchRun { run: id });
        if !self.0.hub.is_shared() {
            return Err(unknown());
        }
        let failed = |source| FollowError::Engine { topic: id.course(), source };
        let found = Elsewhere::find(self, id, None).await.map_err(failed)?;
        found.ok_or_else(unknown)?.follow(&client).await
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn node(&self) -> u64 {
        self.0.node
    }

    pub(super) fn lease_time(&self) -> Duration {
        self.0.lease
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Tells all nodes something of a run; the number of that.
    pub(super) async fn say(&self, id: RunId, course: &Course) -> Result<u64, EngineError> {
        Log::new(&self.0.hub, &id.course()).append(&course.block(), None).await
    }

    /// The run that such a request has begun already.
    pub(crate) fn joined(&self, owner: &Owner, key: &str) -> Option<Arc<RunState>> {
        let table = self.table();
        let id = table.by_key.get(&(owner.clone(), key.into()))?;
        table.runs.get(id).cloned()
    }

    /// Begins one, unless there are too many, or one was begun with this key meanwhile.
    pub(crate) fn begin(
        &self,
        id: RunId,
        meta: &'static RunMeta,
        owner: Owner,
        key: Option<&str>,
        stream: Arc<Shared>,
    ) -> Result<Entered, Full> {
        let log = Log::new(&self.0.hub, &id.events());
        let run = {
            let mut table = self.table();
            // Another thread may have been faster.
            let same = key.and_then(|key| table.by_key.get(&(owner.clone(), key.into())));
            if let Some(run) = same.and_then(|id| table.runs.get(id)) {
                return Ok(Entered::Joined(Arc::clone(run)));
            }
            let going = |run: &&Arc<RunState>| run.phase.borrow().end().is_none();
            let full = |limit| Err(Full { limit, retry: Duration::from_secs(5) });
            if let Some(most) = meta.most {
                let of_route = |run: &&Arc<RunState>| std::ptr::eq(run.meta, meta);
                if table.runs.values().filter(going).filter(of_route).count() >= most {
                    return full(Limit::Runs);
                }
            }
            if let (Some(most), Some(principal)) = (self.0.per_principal, &owner.principal) {
                let of_principal = |run: &&Arc<RunState>| run.owner.principal.as_ref() == Some(principal);
                if table.runs.values().filter(going).filter(of_principal).count() >= most {
                    return full(Limit::PrincipalRuns);
                }
            }
            if let Some(key) = key {
                table.by_key.insert((owner.clone(), key.into()), id);
            }
            let run = RunState::new(id, owner, key, meta, stream, log);
            table.runs.insert(id, Arc::clone(&run));
            run
        };
        if self.0.hub.is_shared() && !std::mem::replace(&mut self.table().gives_signs, true) {
            drop(tokio::spawn(give_signs(self.clone())));
        }
        drop(tokio::spawn(drive(self.clone(), Arc::clone(&run))));
        Ok(Entered::Begun(run))
    }

    /// Whether other nodes may ask for this one. If not, nobody says any more that it is there.
    pub(super) fn is_needed(&self) -> bool {
        let mut table = self.table();
        table.gives_signs = table.runs.values().any(|run| run.phase.borrow().end().is_none());
        table.gives_signs
    }

    /// The run of this id, if it is this owner's.
    pub(crate) fn find(&self, id: RunId, owner: &Owner) -> Option<Arc<RunState>> {
        self.table().runs.get(&id).filter(|run| run.owner == *owner).cloned()
    }

    /// It can not be replayed any more.
    pub(super) fn forget(&self, run: &RunState) {
        let removed = {
            let mut table = self.table();
            if let Some(key) = &run.key {
                table.by_key.remove(&(run.owner.clone(), key.clone()));
            }
            table.runs.remove(&run.id)
        };
        // They may hold the run.
        let hooks = run.take_hooks();
        drop(hooks);
        run.log.forget();
        Log::new(&self.0.hub, &run.id.course()).forget();
        drop(removed);
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runs").field("hub", &self.0.hub).field("runs", &self.table().runs.len()).finish()
    }
}

/// Gives the routes below their runs.
impl<S> Layer<S> for Runs {
    type Service = axum::middleware::AddExtension<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        axum::Extension(self.clone()).layer(inner)
    }
}
