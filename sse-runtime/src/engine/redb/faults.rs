//! A disk that fails when a test says so, and what the engine makes of it.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::redb::backends::FileBackend;
use ::redb::{BackendError, DatabaseError, StorageBackend};

use super::{Redb, RedbError};
use crate::engine::{Delivered, Engine as _, EngineError, Feed, Page, Receiver, Record};

#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Once it was given a page with this text, it brings it to the disk as it should, and says that it could not.
    text: Mutex<Option<&'static str>>,
    sync: AtomicBool,
    /// For as long as this is set, nothing can be opened.
    open: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Disk(FileBackend, Arc<Faults>);

impl Disk {
    pub(super) fn new(file: File, faults: &Arc<Faults>) -> Result<Self, DatabaseError> {
        if faults.open.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is away").into());
        }
        Ok(Self(FileBackend::new(file)?, Arc::clone(faults)))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_data()?;
        if self.1.sync.swap(false, Ordering::SeqCst) {
            Err(io::Error::other("the disk is gone"))
        } else {
            Ok(())
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut text = self.1.text.lock().unwrap();
        if text.is_some_and(|text| data.windows(text.len()).any(|window| window == text.as_bytes())) {
            *text = None;
            self.1.sync.store(true, Ordering::SeqCst);
        }
        self.0.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<(u64, String)>>, Mutex<Vec<Result<(), String>>>);

impl Receiver for Recorder {
    fn deliver(&self, _: &str, seq: u64, record: Record<'_>) -> Delivered {
        self.0.lock().unwrap().push((seq, String::from_utf8_lossy(record.block).into_owned()));
        Delivered::default()
    }

    fn lost(&self, top: u64) {
        self.0.lock().unwrap().push((top, "lost".to_owned()));
    }

    fn health(&self, outcome: Result<(), EngineError>) {
        self.1.lock().unwrap().push(outcome.map_err(|error| error.to_string()));
    }
}

/// With its text as its dedupe key, too.
async fn publish(engine: &Redb, block: &str) -> Result<u64, String> {
    let published = engine.publish("t", Record::new(block.as_bytes(), "").deduped(Some(block))).await;
    published.map_err(|error| {
        assert!(matches!(error.downcast_ref(), Some(RedbError::Io { .. })), "{error:?}");
        error.to_string()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_log_after_all_is_delivered_before_what_follows() {
    let file = std::env::temp_dir().join(format!("sse-faults-{}.redb", std::process::id()));
    let engine = Redb::open(&file);
    let faults = Arc::clone(&engine.options.faults);
    let recorder = Arc::new(Recorder::default());
    engine.start(Feed::new(&(Arc::clone(&recorder) as Arc<dyn Receiver>))).await.unwrap();

    // Begun, it has the file that it made; it fails once opened again.
    assert_eq!(publish(&engine, "1").await, Ok(1));
    let mut number = 1;
    drop(engine);
    let engine = Redb {
        options: super::Options { faults: Arc::clone(&faults), ..Redb::open(&file).options },
        running: super::Started::not_yet(),
    };
    engine.start(Feed::new(&(Arc::clone(&recorder) as Arc<dyn Receiver>))).await.unwrap();

    for (away, text) in [(false, "unknown 2"), (true, "unknown 4")] {
        faults.open.store(away, Ordering::SeqCst);
        *faults.text.lock().unwrap() = Some(text);
        let error = publish(&engine, text).await.unwrap_err();
        assert!(error.contains("the disk is gone"), "{error}");
        if away {
            let error = publish(&engine, "refused").await.unwrap_err();
            assert!(error.contains("the disk is away"), "{error}");
            assert!(engine.read("t", 0, u64::MAX).await.is_err());
            faults.open.store(false, Ordering::SeqCst);
        }
        // Without a publisher, by itself.
        number += 1;
        let caught_up = async {
            while recorder.0.lock().unwrap().last().is_none_or(|(seq, _)| *seq < number) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), caught_up).await.expect("it is delivered");
        assert_eq!(engine.top().await.unwrap(), number);
        // Its publisher tries again, and so does that of the first one.
        assert_eq!((publish(&engine, text).await, publish(&engine, "1").await), (Ok(number), Ok(1)));
        number += 1;
        assert_eq!(publish(&engine, &format!("known {number}")).await, Ok(number));
        let mut health = std::mem::take(&mut *recorder.1.lock().unwrap());
        assert_eq!(health.pop(), Some(Ok(())), "it is up, once something was written, and last");
        let errors: Vec<String> = health.into_iter().map(|said| said.unwrap_err()).collect();
        assert!(errors[0].contains("the disk is gone"), "{errors:?}");
        assert!(errors[1..].iter().all(|error| away && error.contains("the disk is away")), "{errors:?}");
        assert_eq!(errors.len() > 1, away, "{errors:?}");
    }
    let expected = [(1, "1"), (2, "unknown 2"), (3, "known 3"), (4, "unknown 4"), (5, "known 5")];
    let expected = expected.map(|(seq, block)| (seq, block.to_owned()));
    assert_eq!(*recorder.0.lock().unwrap(), expected);
    let Page::Records(records) = engine.read("t", 0, u64::MAX).await.unwrap() else {
        panic!("nothing was evicted")
    };
    let records: Vec<_> = records
        .iter()
        .map(|record| (record.seq, String::from_utf8_lossy(&record.block).into_owned()))
        .collect();
    assert_eq!(records, expected);
    drop(engine);
    std::fs::remove_file(file).unwrap();
}
