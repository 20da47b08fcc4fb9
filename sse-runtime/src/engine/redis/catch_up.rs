//! After a connection was lost: what the open topics have got meanwhile is read, and delivered in the order of the
//! numbers over all of them; or it is said to be lost, if it is much, and the hub reads what somebody needs.

use ::redis::{Cmd, Pipeline, RedisError, Value, cmd};

use super::delivery::Delivery;
use super::error::RedisFailure;
use super::keys;
use super::reader::{self, BYTES, Found, RECORDS};
use super::start::{CHANNELS, Joined};

/// The most records that are read again. The hub's rings hold no more of a topic, as a rule.
const MOST: usize = 100_000;
/// The most records that are held in memory meanwhile, and the most topics that are read at once.
const AT_ONCE: usize = 8192;

impl Delivery {
    /// Goes on where the last connection ended.
    pub(super) async fn resume(&mut self, joined: &mut Joined) -> Result<(), RedisFailure> {
        let limit = self.shared.options.connect_timeout * 2;
        let reason = format!("what was missed could not be read within {limit:?}");
        match tokio::time::timeout(limit, self.resume_for_ever(joined)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RedisFailure::Unreachable { address: self.shared.address.clone(), reason }),
        }
    }

    async fn resume_for_ever(&mut self, joined: &mut Joined) -> Result<(), RedisFailure> {
        if joined.epoch != self.epoch {
            tracing::warn!(
                "the log on {} was begun anew by another process while this one could not reach it: \
                 clients that go from one to the other get `sse-reset`",
                self.shared.address
            );
            self.epoch = joined.epoch;
        }
        if joined.lost {
            self.lose(joined.top);
        }
        let failed = |error: RedisError| RedisFailure::of(&self.shared.address, &error);
        let open: Vec<String> = self.open.keys().cloned().collect();
        for channels in open.chunks(CHANNELS) {
            joined.sink.subscribe(channels).await.map_err(failed)?;
        }
        // From here on, everything comes as a message; up to here, it is in the log.
        let (keys, mut connection) = (&self.shared.keys, joined.link.connection.clone());
        let mut top = cmd("HGET");
        let top: u64 = top.arg(&keys.about).arg("top").query_async(&mut connection).await.map_err(failed)?;
        if top <= self.delivered {
            return Ok(());
        }
        let mut changed = cmd("ZRANGEBYSCORE");
        changed.arg(&keys.topics).arg(format!("({}", self.delivered)).arg("+inf");
        let mut changed: Vec<String> = changed.query_async(&mut connection).await.map_err(failed)?;
        changed.retain(|stream| self.open.contains_key(stream));
        let mut left = MOST;
        while !changed.is_empty() && self.delivered < top {
            if changed.len() > AT_ONCE || left == 0 {
                self.lose(top);
                break;
            }
            match self.step(joined, &changed, top).await? {
                Some(records) => left = left.saturating_sub(records),
                None => self.lose(top),
            }
        }
        self.arrived(top);
        Ok(())
    }

    /// Reads and delivers a part of what was missed: so many records. None if something is gone.
    async fn step(
        &mut self,
        joined: &Joined,
        streams: &[String],
        top: u64,
    ) -> Result<Option<usize>, RedisFailure> {
        let each = (AT_ONCE / streams.len()).clamp(1, RECORDS);
        let mut reads = Pipeline::with_capacity(streams.len());
        for stream in streams {
            let read: Cmd = reader::call(&self.shared, stream, self.delivered, top, each);
            reads.add_command(read);
        }
        let answers: Vec<Value> = reads
            .query_async(&mut joined.link.connection.clone())
            .await
            .map_err(|error| self.shared.failure(&error))?;
        // Up to this number, everything has been read.
        let mut until = top;
        let mut found = Vec::new();
        for (stream, answer) in streams.iter().zip(answers) {
            let Some(Ok(records)) = reader::found(answer) else { return Ok(None) };
            let bytes: usize = records.iter().map(|record| record.value.len()).sum();
            let is_cut = records.len() >= each || bytes >= BYTES;
            let mut last = None;
            for Found { seq, value } in records {
                last = Some(seq);
                found.push((seq, stream, value));
            }
            until = last.filter(|_| is_cut).map_or(until, |last| until.min(last));
        }
        found.sort_unstable_by_key(|(seq, ..)| *seq);
        found.retain(|(seq, ..)| *seq <= until);
        let count = found.len();
        for (seq, stream, value) in found {
            let Some(parts) = keys::decode(&value) else { return Ok(None) };
            if let Some(newest) = self.open.get_mut(stream) {
                *newest = seq;
            }
            self.deliver(stream, seq, &parts);
        }
        self.arrived(until);
        Ok(Some(count.max(1)))
    }
}
