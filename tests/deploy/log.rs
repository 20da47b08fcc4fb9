//! One log for several processes: a file, a line for each record. One process appends, the others read on.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sse_runtime::engine::{Answer, Engine, EngineError, Feed, Log, Page, Record, Stored};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_millis(20);
/// A fact about the log: it is the same for all who read it.
const EPOCH: u64 = 7;

/// The end that appends.
pub(crate) struct Writer {
    file: File,
    last: u64,
}

impl Writer {
    pub(crate) fn new(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).expect("a new file");
        Self { file, last: 0 }
    }

    /// Appends the event whose data is the next number; returns it.
    pub(crate) fn append(&mut self) -> u64 {
        self.last += 1;
        writeln!(self.file, "{}", self.last).expect("there is room");
        self.last
    }
}

/// The end that reads on: the same events for every topic.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    at: u64,
    unfinished: String,
    records: Vec<String>,
}

impl Reader {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), known: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics while holding it")
    }
}

impl Known {
    /// Reads what is new in the file.
    fn read_on(&mut self, path: &Path) {
        let mut file = File::open(path).expect("the log");
        file.seek(SeekFrom::Start(self.at)).expect("a place in it");
        self.at += file.read_to_string(&mut self.unfinished).expect("text") as u64;
        while let Some((line, rest)) = self.unfinished.split_once('\n') {
            self.records.push(format!("event: tick\ndata: {line}\n\n"));
            self.unfinished = rest.to_owned();
        }
    }

    fn top(&self) -> u64 {
        self.records.len() as u64
    }
}

impl Engine for Reader {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        self.known().read_on(&self.path);
        let log = Log { epoch: EPOCH, top: self.known().top() };
        let (path, known, mut delivered) = (self.path.clone(), Arc::clone(&self.known), log.top);
        tokio::spawn(async move {
            while !feed.is_closed() {
                tokio::time::sleep(EVERY).await;
                let new = {
                    let mut known = known.lock().expect("nobody panics while holding it");
                    known.read_on(&path);
                    known.records.get(usize::try_from(delivered).expect("few")..).unwrap_or_default().to_vec()
                };
                for block in new {
                    delivered += 1;
                    drop(feed.deliver("ticks", delivered, Record::new(block.as_bytes(), "")));
                }
            }
        });
        Answer::now(Ok(log))
    }

    fn open<'a>(&'a self, _: &'a str) -> Answer<'a, u64> {
        Answer::now(Ok(0))
    }

    fn close(&self, _: &str) {}

    fn publish<'a>(&'a self, _: &'a str, _: Record<'_>) -> Answer<'a, u64> {
        Answer::now(Err(EngineError::new("only the writer appends")))
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::now(Ok(self.known().top()))
    }

    fn read<'a>(&'a self, _: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        let known = self.known();
        let records = (1_u64..).zip(&known.records).filter(|(seq, _)| after < *seq && *seq <= until);
        let stored = |(seq, block): (u64, &String)| Stored {
            seq,
            block: block.clone().into_bytes().into(),
            key: String::new(),
            trace: None,
        };
        Answer::now(Ok(Page::Records(records.map(stored).collect())))
    }
}
