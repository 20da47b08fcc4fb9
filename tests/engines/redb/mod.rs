//! The log on a file: the contract, and what only a process that ends can show.

mod failing;
mod kept;
mod killed;
mod once;
mod process;
mod refused;
mod restarted;
mod runs;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sse_runtime::engine::{Durability, Redb};
use sse_runtime::testing::engine_contract::{self, Subject};
use sse_runtime::{EventId, Hub, Message};
use tempfile::TempDir;

/// A folder that is gone after the test, and a name in it.
fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.redb");
    (folder, file)
}

/// A hub that holds little itself. The process before may still be about to let go of the file.
async fn open(file: &Path) -> Hub {
    on(Redb::open(file)).await
}

async fn on(engine: Redb) -> Hub {
    let engine = engine.lock_timeout(sse_tests::LIMIT);
    Hub::on(engine).topic_events(4).start().await.expect("the log opens")
}

/// The newest id of the log.
fn top(hub: &Hub) -> EventId {
    hub.topic::<Message>("a").position()
}

struct OnFiles {
    folder: TempDir,
    files: AtomicUsize,
    current: Mutex<PathBuf>,
    events: u64,
    durability: Durability,
}

impl OnFiles {
    fn keeping(events: u64) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            files: AtomicUsize::new(0),
            current: Mutex::default(),
            events,
            durability: Durability::EveryGroup,
        }
    }

    fn engine(&self) -> Redb {
        Redb::open(&*self.current.lock().expect("no panic")).events(self.events).durability(self.durability)
    }
}

impl Subject for OnFiles {
    type Engine = Redb;

    async fn fresh(&self) -> Redb {
        let name = format!("{}.redb", self.files.fetch_add(1, Ordering::Relaxed));
        *self.current.lock().expect("no panic") = self.folder.path().join(name);
        self.engine()
    }

    async fn restart(&self, engine: Redb) -> Option<Redb> {
        drop(engine);
        Some(self.engine())
    }

    fn keeps(&self) -> usize {
        usize::try_from(self.events).unwrap_or(usize::MAX).min(1000)
    }
}

#[tokio::test]
async fn the_contract_is_kept() {
    engine_contract::check(OnFiles::keeping(u64::MAX)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_is_kept_with_threads() {
    engine_contract::check(OnFiles::keeping(u64::MAX)).await;
}

#[tokio::test]
async fn the_contract_is_kept_by_a_log_that_keeps_little() {
    engine_contract::check(OnFiles::keeping(100)).await;
}

#[tokio::test]
async fn the_contract_is_kept_by_a_log_that_is_ahead_of_the_disk() {
    let durability = Durability::Within(Duration::from_secs(60));
    engine_contract::check(OnFiles { durability, ..OnFiles::keeping(u64::MAX) }).await;
}
