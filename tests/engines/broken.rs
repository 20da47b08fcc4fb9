//! Engines with one flaw each, which the checks of the contract have to find.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use sse_runtime::engine::{
    Answer, Delivered, Engine, EngineError, Feed, Log, Page, Receiver, Record, TraceParent,
};
use sse_runtime::testing::engine_contract::{self, Subject};

use crate::broker::{Broker, Delivers, Node};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    NumbersFromZero,
    OneAnswerForTwo,
    AnswerOfAnother,
    TopIsLate,
    TopOfFreshLog,
    EpochOfItsOwn,
    EpochForAll,
    NewEpochAfterRestart,
    NumbersAgainAfterRestart,
    DeliversTwice,
    DeliversSometimesNot,
    DeliversTopicsInTurn,
    DeliversTwoAtOnce,
    DeliversThePast,
    DeliversNothingElsewhere,
    OpensTooHigh,
    OpensTooLow,
    OpensAhead,
    ClosesForGood,
    ReadsWithHole,
    ReadsEmptyPart,
    ReadsFromAfter,
    ReadsWithoutEnd,
    ReadsNothingOfWhatIsGone,
    ReadsTooLittle,
    SaysThatMoreIsGone,
    RefusesLargeNumbers,
    SaysLost,
    Fails,
    NeverAnswers,
    DropsHalfway,
    TrimsNames,
    IgnoresCase,
    CutsNames,
    TakesWildcards,
    CutsBlocks,
    EndsAtNul,
    ForgetsKeys,
    ForgetsTraces,
    ReadsWithoutTraces,
    IgnoresDedupe,
    DedupesAcrossTopics,
    DedupesAtOneNode,
}

/// A good engine behind something that spoils it.
#[derive(Debug)]
struct Broken {
    flaw: Flaw,
    good: Node,
    /// Keeps what stands between the engine and its hub.
    between: Mutex<Option<Arc<Between>>>,
    calls: AtomicU64,
    /// Dedupe keys, and the number that goes with each.
    known: Mutex<HashMap<String, u64>>,
    again: bool,
}

#[derive(Debug)]
struct Between {
    flaw: Flaw,
    feed: Feed,
    delivered: AtomicU64,
    held: Mutex<Vec<Held>>,
}

#[derive(Debug)]
struct Held {
    topic: String,
    seq: u64,
    block: Vec<u8>,
    key: String,
    trace: Option<TraceParent>,
    dedupe: Option<String>,
}

impl Held {
    fn new(topic: &str, seq: u64, record: Record<'_>) -> Self {
        let (block, key) = (record.block.to_owned(), record.key.to_owned());
        let dedupe = record.dedupe.map(str::to_owned);
        Self { topic: topic.to_owned(), seq, block, key, trace: record.trace.copied(), dedupe }
    }

    fn record(&self) -> Record<'_> {
        let record = Record::new(&self.block, &self.key).traced(self.trace.as_ref());
        record.deduped(self.dedupe.as_deref())
    }
}

impl Broken {
    fn new(flaw: Flaw, good: Node, again: bool) -> Self {
        let good = match flaw {
            Flaw::OpensTooLow => good.delivers(Delivers::Open).latency(Duration::from_millis(20)),
            _ => good,
        };
        Self {
            flaw,
            good,
            between: Mutex::default(),
            calls: AtomicU64::new(0),
            known: Mutex::default(),
            again,
        }
    }

    fn call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn name(&self, topic: &str) -> String {
        match self.flaw {
            Flaw::TrimsNames => topic.trim().to_owned(),
            Flaw::IgnoresCase => topic.to_lowercase(),
            Flaw::CutsNames => topic.chars().take(200).collect(),
            _ => topic.to_owned(),
        }
    }
}

impl Receiver for Between {
    fn deliver(&self, topic: &str, seq: u64, record: Record<'_>) -> Delivered {
        let nth = self.delivered.fetch_add(1, Ordering::Relaxed) + 1;
        match self.flaw {
            Flaw::DeliversTwice if nth % 5 == 0 => drop(self.feed.deliver(topic, seq, record)),
            Flaw::DeliversSometimesNot if nth % 7 == 0 && topic != "fence" => return Delivered::default(),
            Flaw::DeliversTopicsInTurn if topic != "fence" => {
                let mut held = self.held.lock().expect("no panic");
                held.push(Held::new(topic, seq, record));
                if held.len() == 6 {
                    held.sort_by(|a, b| a.topic.cmp(&b.topic));
                    for held in held.drain(..) {
                        drop(self.feed.deliver(&held.topic, held.seq, held.record()));
                    }
                }
                return Delivered::default();
            }
            Flaw::DeliversTwoAtOnce if topic != "fence" => {
                let mut held = self.held.lock().expect("no panic");
                held.push(Held::new(topic, seq, record));
                if held.len() == 2 {
                    let together = Barrier::new(2);
                    std::thread::scope(|scope| {
                        for held in held.drain(..) {
                            let together = &together;
                            scope.spawn(move || {
                                together.wait();
                                drop(self.feed.deliver(&held.topic, held.seq, held.record()));
                            });
                        }
                    });
                }
                return Delivered::default();
            }
            Flaw::SaysLost if nth == 20 => self.feed.lost(seq),
            _ => {}
        }
        let name = match self.flaw {
            Flaw::TakesWildcards if topic == "a.b" => "a.*",
            _ => topic,
        };
        let block = match self.flaw {
            Flaw::CutsBlocks => record.block.get(..8000).unwrap_or(record.block),
            Flaw::EndsAtNul => record.block.split(|&byte| byte == 0).next().unwrap_or_default(),
            _ => record.block,
        };
        let key = if self.flaw == Flaw::ForgetsKeys { "" } else { record.key };
        let trace = record.trace.filter(|_| self.flaw != Flaw::ForgetsTraces);
        self.feed.deliver(name, seq, Record::new(block, key).traced(trace))
    }

    fn lost(&self, top: u64) {
        self.feed.lost(top);
    }
}

impl Engine for Broken {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        Answer::later(async move {
            if self.flaw == Flaw::DeliversThePast && self.good.broker().top() > 0 {
                drop(feed.deliver("t", 1, Record::new(b"data: 0\n\n", "")));
            }
            let (flaw, delivered) = (self.flaw, AtomicU64::new(0));
            let between = Arc::new(Between { flaw, feed: feed.clone(), delivered, held: Mutex::default() });
            let inner = Feed::new(&(Arc::clone(&between) as Arc<dyn Receiver>));
            *self.between.lock().expect("no panic") = Some(between);
            let mut log = self.good.start(inner).await?;
            match self.flaw {
                Flaw::EpochOfItsOwn => log.epoch = self as *const Self as u64,
                Flaw::EpochForAll => log.epoch = 7,
                Flaw::NewEpochAfterRestart if self.again => log.epoch += 1_000_000,
                Flaw::NumbersAgainAfterRestart if self.again => log.top = 0,
                Flaw::TopOfFreshLog => log.top += 1,
                _ => {}
            }
            Ok(log)
        })
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        let call = self.call();
        Answer::later(async move {
            match self.flaw {
                Flaw::Fails if call >= 30 => return Err(EngineError::new("no reason")),
                Flaw::DeliversNothingElsewhere if self.again => return Ok(0),
                _ => {}
            }
            let name = self.name(topic);
            let opening = self.good.open(&name);
            if self.flaw == Flaw::OpensAhead {
                // Answers without having waited for delivery.
                drop(tokio::time::timeout(Duration::from_millis(4), opening).await);
                return Ok(self.good.broker().top());
            }
            let above = opening.await?;
            Ok(match self.flaw {
                Flaw::OpensTooHigh => above + 5,
                Flaw::OpensTooLow => 0,
                _ => above,
            })
        })
    }

    fn close(&self, topic: &str) {
        if self.flaw != Flaw::ClosesForGood || !self.good.is_open(topic) {
            return self.good.close(&self.name(topic));
        }
        // It takes effect late: after the topic was opened again.
        let (good, topic) = (self.good.clone(), topic.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            good.close(&topic);
        });
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        let call = self.call();
        if self.flaw == Flaw::DropsHalfway {
            // Two writes, of which the second one is lost with the answer.
            let (block, key) = (record.block.to_owned(), record.key.to_owned());
            return Answer::later(async move {
                let half = block.get(..block.len() / 2).unwrap_or_default();
                let seq = self.good.publish(topic, Record::new(half, &key)).await?;
                self.good.publish(topic, Record::new(&block, &key)).await?;
                Ok(seq)
            });
        }
        let name = self.name(topic);
        let mut held = Held::new(topic, 0, record);
        match self.flaw {
            Flaw::IgnoresDedupe => held.dedupe = None,
            Flaw::DedupesAtOneNode if self.again => held.dedupe = None,
            _ => {}
        }
        let anywhere = match &held.dedupe {
            Some(dedupe) if self.flaw == Flaw::DedupesAcrossTopics => {
                let mut known = self.known.lock().expect("no panic");
                let first = known.get(dedupe).copied();
                known.entry(dedupe.clone()).or_insert_with(|| self.good.broker().top() + 1);
                first
            }
            _ => None,
        };
        Answer::later(async move {
            if let Some(first) = anywhere {
                return Ok(first);
            }
            let seq = self.good.publish(&name, held.record()).await?;
            match self.flaw {
                Flaw::NumbersFromZero => Ok(seq - 1),
                Flaw::OneAnswerForTwo => Ok(seq.div_ceil(2)),
                Flaw::AnswerOfAnother if call % 9 == 0 => Ok(seq + 1),
                Flaw::NeverAnswers if call == 40 => std::future::pending().await,
                _ => Ok(seq),
            }
        })
    }

    fn deduplicates(&self) -> bool {
        true
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::later(async move {
            let top = self.good.top().await?;
            Ok(if self.flaw == Flaw::TopIsLate { top.saturating_sub(1) } else { top })
        })
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        Answer::later(async move {
            let name = self.name(topic);
            let after = if self.flaw == Flaw::ReadsFromAfter { after.saturating_sub(1) } else { after };
            let until = if self.flaw == Flaw::ReadsWithoutEnd { u64::MAX } else { until };
            if self.flaw == Flaw::RefusesLargeNumbers && i64::try_from(until).is_err() {
                return Err(EngineError::new("out of range for type bigint"));
            }
            let mut page = self.good.read(&name, after, until).await?;
            if let Page::Records(records) = &mut page {
                match self.flaw {
                    Flaw::ReadsWithHole if records.len() > 3 => drop(records.remove(2)),
                    Flaw::ReadsWithoutTraces => records.iter_mut().for_each(|record| record.trace = None),
                    Flaw::ReadsEmptyPart if records.len() > 6 => records.clear(),
                    _ => {}
                }
            }
            match self.flaw {
                Flaw::ReadsTooLittle if after < until => page = Page::Evicted { until: after + 1 },
                Flaw::SaysThatMoreIsGone if matches!(page, Page::Evicted { .. }) => {
                    page = Page::Evicted { until: u64::MAX };
                }
                Flaw::ReadsNothingOfWhatIsGone if matches!(page, Page::Evicted { .. }) => {
                    page = Page::Records(Vec::new());
                }
                _ => {}
            }
            Ok(page)
        })
    }
}

struct Spoilt(Flaw);

impl Subject for Spoilt {
    type Engine = Broken;

    async fn fresh(&self) -> Broken {
        Broken::new(self.0, Broker::keeping(1000).node(), false)
    }

    async fn second(&self, first: &Broken) -> Option<Broken> {
        Some(Broken::new(self.0, first.good.broker().node(), true))
    }

    async fn restart(&self, engine: Broken) -> Option<Broken> {
        Some(Broken::new(self.0, engine.good.broker().node(), true))
    }

    async fn evict(&self, engine: &Broken, until: u64) -> bool {
        engine.good.broker().forget(until);
        true
    }
}

/// What the check says of an engine with this flaw.
async fn verdict(flaw: Flaw) -> String {
    match AssertUnwindSafe(engine_contract::check(Spoilt(flaw))).catch_unwind().await {
        Ok(()) => "passed".to_owned(),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "another panic".to_owned()),
    }
}

#[tokio::test(start_paused = true)]
async fn each_flaw_is_found_and_the_clause_named() {
    use Flaw::*;
    let flaws = [
        (NumbersFromZero, &[1][..]),
        (OneAnswerForTwo, &[1]),
        (AnswerOfAnother, &[1, 3]),
        (TopIsLate, &[1]),
        (TopOfFreshLog, &[1]),
        (EpochOfItsOwn, &[2]),
        (EpochForAll, &[2]),
        (NewEpochAfterRestart, &[2]),
        (NumbersAgainAfterRestart, &[1]),
        (DeliversTwice, &[3]),
        (DeliversSometimesNot, &[3]),
        (DeliversTopicsInTurn, &[3]),
        (DeliversTwoAtOnce, &[3]),
        (DeliversThePast, &[3]),
        (DeliversNothingElsewhere, &[3]),
        (OpensTooHigh, &[4]),
        (OpensTooLow, &[3]),
        (OpensAhead, &[4]),
        (ClosesForGood, &[3]),
        (ReadsWithHole, &[5]),
        (ReadsEmptyPart, &[5]),
        (ReadsFromAfter, &[5]),
        (ReadsWithoutEnd, &[5]),
        (ReadsNothingOfWhatIsGone, &[5]),
        (ReadsTooLittle, &[5]),
        (SaysThatMoreIsGone, &[5]),
        (RefusesLargeNumbers, &[6]),
        (SaysLost, &[6]),
        (Fails, &[6]),
        (NeverAnswers, &[7]),
        (DropsHalfway, &[3]),
        (TrimsNames, &[3]),
        (IgnoresCase, &[3]),
        (CutsNames, &[3]),
        (TakesWildcards, &[3]),
        (CutsBlocks, &[3]),
        (EndsAtNul, &[3]),
        (ForgetsKeys, &[3]),
        (ForgetsTraces, &[3]),
        (ReadsWithoutTraces, &[5]),
        (IgnoresDedupe, &[9]),
        (DedupesAcrossTopics, &[1, 9]),
        (DedupesAtOneNode, &[9]),
    ];
    let mut wrong = Vec::new();
    for (flaw, clauses) in flaws {
        let verdict = verdict(flaw).await;
        let named =
            |clause: &u8| verdict.starts_with(&format!("the engine breaks its contract, clause {clause} ("));
        if !clauses.iter().any(named) {
            wrong.push(format!("{flaw:?}: {verdict}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_engine_without_a_flaw_passes() {
    assert_eq!(verdict(Flaw::None).await, "passed");
}
