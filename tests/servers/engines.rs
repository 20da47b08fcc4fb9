//! The engines, as the suite has to know them.

use sse_runtime::engine::{Engine, EngineError, from_url};

use crate::server::{Nats, Postgres, Redis, Server};
use crate::suite::OnServer;

pub(crate) struct OnNats;
pub(crate) struct OnPostgres;
pub(crate) struct OnRedis;

impl OnServer for OnNats {
    type Server = Nats;
    const TOO_LARGE: usize = 1 << 20;

    fn url(server: &Nats, log: &str) -> String {
        format!("{}/{log}", server.url())
    }
    fn keeping(url: &str, events: u64) -> Box<dyn Engine> {
        let _ = events;
        from_url(url).unwrap()
    }
    fn is_too_large(error: &EngineError) -> bool {
        error.to_string().contains("large")
    }
}

impl OnServer for OnPostgres {
    type Server = Postgres;
    const TOO_LARGE: usize = 1 << 20;

    fn url(server: &Postgres, log: &str) -> String {
        format!("{}?log={log}", server.url())
    }
    fn keeping(url: &str, events: u64) -> Box<dyn Engine> {
        let _ = events;
        from_url(url).unwrap()
    }
    fn is_too_large(error: &EngineError) -> bool {
        error.to_string().contains("large")
    }
}

impl OnServer for OnRedis {
    type Server = Redis;
    const TOO_LARGE: usize = 1 << 20;

    fn url(server: &Redis, log: &str) -> String {
        format!("{}/0?log={log}", server.url())
    }
    fn keeping(url: &str, events: u64) -> Box<dyn Engine> {
        let _ = events;
        from_url(url).unwrap()
    }
    fn is_too_large(error: &EngineError) -> bool {
        error.to_string().contains("large")
    }
}
