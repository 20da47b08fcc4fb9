//! What runs when a stream is over.

use std::future::Future;
use std::pin::Pin;

use tokio::runtime::Handle;

use super::disconnect::Disconnect;
use crate::lifecycle::Shutdown;

/// A registered `on_disconnect` hook.
pub(crate) type Hook = Box<dyn FnOnce(Disconnect) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Runs a hook in a task of its own: the connection it belonged to is gone, and a hook that panics or is slow must
/// concern nobody else. A drain waits for it.
pub(crate) fn spawn_hook(
    hook: Hook,
    disconnect: Disconnect,
    runtime: Option<&Handle>,
    shutdown: Option<&Shutdown>,
) {
    let Some(runtime) = runtime else {
        tracing::error!(
            "an on_disconnect hook needs a tokio runtime, and its stream was started outside of any"
        );
        return;
    };
    let run = async move { hook(disconnect).await };
    match shutdown {
        Some(shutdown) => shutdown.track(run, runtime),
        None => drop(runtime.spawn(run)),
    }
}
