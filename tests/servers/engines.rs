//! The engines, as the suite has to know them.

use sse_runtime::engine::{
    Engine, EngineError, Nats, NatsError, Postgres, PostgresError, Redis, RedisFailure,
};

use crate::log::Log;
use crate::server;
use crate::suite::OnServer;

pub(crate) struct OnNats;

impl OnServer for OnNats {
    type Server = server::Nats;
    /// The server's own limit, by default.
    const TOO_LARGE: usize = 1 << 20;

    fn engine(log: &Log) -> Box<dyn Engine> {
        Box::new(Nats::connect(&log.url).stream(&log.name).events(log.keeps).publish_timeout(log.patience))
    }

    fn is_too_large(error: &EngineError) -> bool {
        matches!(error.downcast_ref(), Some(NatsError::TooLarge { .. }))
    }
}

pub(crate) struct OnPostgres;

impl OnServer for OnPostgres {
    type Server = server::Postgres;
    const TOO_LARGE: usize = 8 << 20;

    fn engine(log: &Log) -> Box<dyn Engine> {
        Box::new(
            Postgres::connect(&log.url).schema(&log.name).events(log.keeps).publish_timeout(log.patience),
        )
    }

    fn is_too_large(error: &EngineError) -> bool {
        matches!(error.downcast_ref(), Some(PostgresError::TooLarge { .. }))
    }
}

pub(crate) struct OnRedis;

impl OnServer for OnRedis {
    type Server = server::Redis;
    const TOO_LARGE: usize = 8 << 20;

    fn engine(log: &Log) -> Box<dyn Engine> {
        Box::new(
            Redis::connect(&log.url).prefix(&log.name).topic_events(log.keeps).publish_timeout(log.patience),
        )
    }

    fn is_too_large(error: &EngineError) -> bool {
        matches!(error.downcast_ref(), Some(RedisFailure::TooLarge { .. }))
    }
}
