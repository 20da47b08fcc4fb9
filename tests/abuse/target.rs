//! The server under attack: a few routes, a runtime of its own (so that an attack takes no turns from it but those that
//! it takes over the network), and a ledger of its streams.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::get;
use sse_runtime::{DisconnectReason, Hub, Result, Serve, Shutdown, Sse, routes, serve, sse_route};
use sse_tests::allow_many_files;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::peer::until;

/// Every stream that began, and how often and why its hook was told of the end.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Vec<DisconnectReason>>>>);

impl Ledger {
    /// To be called by a handler, first.
    pub(crate) fn enter<E>(&self, sse: &Sse<E>) {
        let number = {
            let mut streams = self.streams();
            streams.push(Vec::new());
            streams.len() - 1
        };
        let ledger = self.clone();
        sse.on_disconnect(move |gone| async move { ledger.streams()[number].push(gone.reason) });
    }

    /// How many handlers have run.
    pub(crate) fn begun(&self) -> usize {
        self.streams().len()
    }

    /// How many of their streams are over.
    pub(crate) fn ended(&self) -> usize {
        self.streams().iter().filter(|hooks| !hooks.is_empty()).count()
    }

    /// How many ended for this reason.
    pub(crate) fn ended_by(&self, reason: DisconnectReason) -> usize {
        self.streams().iter().filter(|hooks| hooks.contains(&reason)).count()
    }

    /// Waits until each stream is over; its hook has then run once.
    pub(crate) async fn settled(&self) {
        until("the end of every stream", || self.ended() == self.begun()).await;
        // Whatever else is ready to run could run a hook a second time.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(self.streams().iter().all(|hooks| hooks.len() == 1), "each hook runs once");
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Vec<DisconnectReason>>> {
        self.0.lock().expect("no test panics while it holds this")
    }
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) ledger: Ledger,
    pub(crate) hub: Hub,
}

impl FromRef<App> for Ledger {
    fn from_ref(app: &App) -> Self {
        app.ledger.clone()
    }
}

impl FromRef<App> for Hub {
    fn from_ref(app: &App) -> Self {
        app.hub.clone()
    }
}

/// What a client that means well asks for: not in the ledger.
#[sse_route("/one")]
async fn one(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    Ok(())
}

#[sse_route("/idle")]
async fn idle(sse: Sse, State(ledger): State<Ledger>) -> Result<()> {
    ledger.enter(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

/// With a word often enough that whoever has left is noticed by a write.
#[sse_route("/pinged", methods = ["GET", "POST"], keep_alive = "200ms")]
async fn pinged(sse: Sse, State(ledger): State<Ledger>) -> Result<()> {
    ledger.enter(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/flood", send_timeout = "1s")]
async fn flood(sse: Sse, State(ledger): State<Ledger>) -> Result<()> {
    ledger.enter(&sse);
    loop {
        sse.send("x".repeat(10_000)).await?;
    }
}

#[sse_route("/upload", methods = ["POST"])]
async fn upload(sse: Sse, State(ledger): State<Ledger>, body: String) -> Result<()> {
    ledger.enter(&sse);
    sse.send(format!("{} bytes", body.len())).await?;
    Ok(())
}

#[sse_route("/rooms/{*room}")]
async fn room(sse: Sse, room: String, State(app): State<App>) -> Result<()> {
    app.ledger.enter(&sse);
    sse.follow(&app.hub.topic(room)).await?;
    Ok(())
}

pub(crate) fn app() -> Router<App> {
    let plain = Router::new().route("/plain", get(|| async { "x".repeat(10_000) }));
    routes![one, idle, pinged, flood, upload, room].merge(plain)
}

pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) ledger: Ledger,
    pub(crate) hub: Hub,
    pub(crate) shutdown: Shutdown,
    runtime: Option<Runtime>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        Self::with(app(), Hub::default(), |serve| serve).await
    }

    pub(crate) async fn set(set: impl FnOnce(Serve) -> Serve) -> Self {
        Self::with(app(), Hub::default(), set).await
    }

    pub(crate) async fn with(app: Router<App>, hub: Hub, set: impl FnOnce(Serve) -> Serve) -> Self {
        // A client is two open files here; the common limit is 1024.
        allow_many_files();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let bind = runtime.spawn(TcpListener::bind("127.0.0.1:0"));
        let listener = bind.await.expect("no panic").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (ledger, shutdown) = (Ledger::default(), Shutdown::new());
        let app = app.with_state(App { ledger: ledger.clone(), hub: hub.clone() });
        runtime.spawn(set(serve(listener, app).shutdown(shutdown.clone())).into_future());
        Self { address, ledger, hub, shutdown, runtime: Some(runtime) }
    }

    /// Waits until no stream is left, each with its hook, and says how many there were.
    pub(crate) async fn settled(&self) -> usize {
        self.ledger.settled().await;
        until("the end of every stream", || self.shutdown.open_streams() == 0).await;
        self.ledger.begun()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Waiting for it is not allowed among futures.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
