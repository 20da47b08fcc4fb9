//! The writer after an error.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::delivery::Parcel;
use super::error::RedbError;
use super::reader::replay;
use super::start::{self, Opened};
use super::table::Tail;
use super::writer::{REST, Writer};
use crate::engine::EngineError;

impl Writer {
    /// Makes sure that the file can be used, or says why it cannot.
    pub(super) fn mended(&mut self) -> Result<(), EngineError> {
        match &self.broken {
            None => Ok(()),
            Some((since, error)) if since.elapsed() < REST => Err(error.clone()),
            Some(_) => self.mend(),
        }
    }

    /// After an error: redb does not go on with the file, but it may with the same one opened again.
    pub(super) fn mend(&mut self) -> Result<(), EngineError> {
        match self.open_again() {
            Ok(()) => {
                self.broken = None;
                Ok(())
            }
            Err(error) => {
                let error = self.failed(error);
                self.broken = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn open_again(&mut self) -> Result<(), RedbError> {
        let path = &self.options.path;
        self.file.close();
        let Opened { database, epoch, mut tail, mut once, ahead } = start::open_again(&self.options)?;
        if epoch != self.epoch {
            return Err(RedbError::damaged(path, "another log has taken its place"));
        }
        let known = self.tail.top;
        if ahead {
            // Of what was not on the disk, nobody can say what is left. Numbers that were given out mean something else.
            (tail, once) = (Tail { top: known, ..Tail::default() }, self.options.once());
            start::empty(&database, epoch, known, true).map_err(|failure| RedbError::of(path, failure))?;
        } else if tail.top < known {
            let reason = format!("it ends at the number {}, though {known} was written", tail.top);
            return Err(RedbError::damaged(path, reason));
        }
        self.file.replace(database);
        if ahead {
            self.delivery.hand_over(Parcel::Lost(known));
        } else {
            self.catch_up(tail.top)?;
        }
        (self.tail, self.once, self.behind, self.ahead) = (tail, once, true, None);
        Ok(())
    }

    /// Delivers what is in the log up to `top`, and was not answered for.
    fn catch_up(&mut self, top: u64) -> Result<(), RedbError> {
        let mut passed = self.tail.top;
        let outcome = self.file.with(|database| {
            replay(database, passed, |seq, value| {
                if seq > passed + 1 {
                    self.delivery.hand_over(Parcel::Lost(seq - 1));
                }
                self.delivery.hand_over(Parcel::Found(seq, value.to_owned()));
                passed = seq;
            })
        });
        if outcome.is_ok() && passed < top {
            self.delivery.hand_over(Parcel::Lost(top));
            passed = top;
        }
        self.tail.top = passed;
        self.top.store(passed, Ordering::Release);
        outcome
    }
}
