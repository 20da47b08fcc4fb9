//! What stands behind: streams that say one event at a time, when the test allows it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use sse_runtime::{
    Compression, Disconnect, DisconnectReason, Hub, Result, Shutdown, Sse, listen, routes, serve, sse_route,
};
use sse_tests::within_limit;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Mutex, Semaphore};

/// What the routes share with the test.
#[derive(Clone)]
struct Shared {
    steps: Arc<Semaphore>,
    hub: Hub,
    gone: UnboundedSender<Disconnect>,
}

#[sse_route("/steps", end = "end")]
async fn steps(sse: Sse, State(shared): State<Shared>) -> Result<()> {
    sse.on_disconnect(async move |gone| drop(shared.gone.send(gone)));
    for n in 0..5 {
        shared.steps.acquire().await?.forget();
        // Some are compressed, and some not.
        sse.send(format!("step {n} {}", "and more ".repeat(n * 50))).await?;
    }
    Ok(())
}

#[sse_route("/quiet", keep_alive = "1s")]
async fn quiet(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/room", retry = "3s")]
async fn room(sse: Sse, State(shared): State<Shared>) -> Result<()> {
    sse.follow(&shared.hub.topic("room")).await?;
    Ok(())
}

#[sse_route("/flood", send_timeout = "2s")]
async fn flood(sse: Sse, State(shared): State<Shared>) -> Result<()> {
    sse.on_disconnect(async move |gone| drop(shared.gone.send(gone)));
    loop {
        sse.send("x".repeat(50_000)).await?;
    }
}

#[sse_route("/breaks", bare)]
async fn breaks(sse: Sse, State(shared): State<Shared>) -> Result<()> {
    sse.send("first").await?;
    shared.steps.acquire().await?.forget();
    sse.send("last words ".repeat(200)).await?;
    Err("it breaks".into())
}

/// The application, served at `/plain`, and compressed at `/packed`.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) hub: Hub,
    steps: Arc<Semaphore>,
    gone: Mutex<UnboundedReceiver<Disconnect>>,
}

impl App {
    pub(crate) async fn start() -> Self {
        let listener = listen("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (steps, hub, shutdown) = (Arc::new(Semaphore::new(0)), Hub::default(), Shutdown::new());
        let (told, gone) = mpsc::unbounded_channel();
        let shared = Shared { steps: Arc::clone(&steps), hub: hub.clone(), gone: told };
        let streams = || -> Router<Shared> { routes![steps, quiet, room, flood, breaks] };
        let app = Router::new()
            .nest("/plain", streams())
            .nest("/packed", streams().layer(Compression::new()))
            .with_state(shared);
        tokio::spawn(serve(listener, app).shutdown(shutdown.clone()).into_future());
        Self { address, shutdown, hub, steps, gone: Mutex::new(gone) }
    }

    /// Allows a stream to say its next event.
    pub(crate) fn step(&self) {
        self.steps.add_permits(1);
    }

    /// Why the next stream ended.
    pub(crate) async fn gone(&self) -> DisconnectReason {
        let mut gone = self.gone.lock().await;
        within_limit("the hook", gone.recv()).await.expect("the application lives").reason
    }
}
