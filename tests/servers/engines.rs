//! The engines, as the suite has to know them.

use sse_runtime::engine::{Engine, EngineError, Redis, RedisFailure};

use crate::server::{self, Server};
use crate::suite::OnServer;

pub(crate) struct OnRedis;

impl OnServer for OnRedis {
    type Server = server::Redis;
    const TOO_LARGE: usize = 8 << 20;

    fn engine(url: &str, log: &str, keeps: u64) -> Box<dyn Engine> {
        Box::new(Redis::connect(url).prefix(log).topic_events(keeps))
    }

    fn is_too_large(error: &EngineError) -> bool {
        matches!(error.downcast_ref(), Some(RedisFailure::TooLarge { .. }))
    }
}
