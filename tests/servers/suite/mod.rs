//! What every engine on a server has to show, whatever its server does. One file for each idea; each is a test for every
//! engine, and an engine is a line in [`on_each_server`].

use sse_runtime::engine::{Engine, EngineError};

use crate::log::Log;
use crate::server::Server;

/// An engine, and how it is put on its server.
pub(crate) trait OnServer: 'static {
    type Server: Server;
    /// An event of as many bytes is too large, one of a tenth less is not.
    const TOO_LARGE: usize;

    fn engine(log: &Log) -> Box<dyn Engine>;

    /// Whether this is what the engine says of an event that is too large for it.
    fn is_too_large(error: &EngineError) -> bool;
}

/// Makes a test of a function for each engine.
macro_rules! on_each_server {
    ($test:ident) => {
        mod $test {
            use crate::engines::{OnNats, OnPostgres, OnRedis};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn nats() {
                super::$test::<OnNats>().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$test::<OnPostgres>().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                super::$test::<OnRedis>().await;
            }
        }
    };
}

mod crowd;
mod hanging;
mod ids;
mod killed;
mod large;
mod names;
mod outage;
mod refused;
mod runs;
mod same_key;
mod scene;
