//! The same by hand: what somebody would write who has the client library, and no engine.

mod memory;
mod nats;
mod postgres;
mod redb;
mod redis;

pub(crate) use memory::Memory;
pub(crate) use nats::Nats;
pub(crate) use postgres::Postgres;
pub(crate) use redb::Redb;
pub(crate) use redis::Redis;
