//! redb itself: a transaction with a wait for the disk, of a task by itself or of a group, into the two tables that an engine
//! needs at least: the events, and where those of a topic are. And tokio's `broadcast` to the followers.
//!
//! By hand, a task leaves its transaction to one of tokio's threads for what blocks, as an asynchronous program has to. In
//! groups, the thread that makes them does nothing else: nobody has to be woken on the way to the disk and back.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use redb::{Database, TableDefinition};
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::task::{block_in_place, spawn_blocking};

use crate::side::{Side, tasks};

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
const INDEX: TableDefinition<'_, (&str, u64), ()> = TableDefinition::new("index");

#[derive(Clone)]
pub(crate) struct Redb {
    database: Arc<Mutex<(Database, u64)>>,
    followers: Sender<Bytes>,
    in_groups: bool,
}

impl Redb {
    /// Each on a file of its own in this folder.
    pub(crate) fn ways(folder: &Path) -> [(&'static str, Self); 2] {
        [("by hand", false), ("in groups", true)]
            .map(|(name, in_groups)| (name, Self::new(&folder.join(name), in_groups)))
    }

    fn new(file: &Path, in_groups: bool) -> Self {
        let database = Database::builder().set_cache_size(64 << 20).create(file).expect("a database");
        let database = Arc::new(Mutex::new((database, 0)));
        Self { database, followers: broadcast::channel(1 << 20).0, in_groups }
    }

    fn group(&self, text: &Bytes, events: usize) {
        let mut database = self.database.lock().expect("no panic");
        let (database, top) = &mut *database;
        let blocks: Vec<Bytes> = (0..events).map(|_| [b"data: ", &**text, b"\n\n"].concat().into()).collect();
        let transaction = database.begin_write().expect("a transaction");
        {
            let mut table = transaction.open_table(EVENTS).expect("a table");
            let mut index = transaction.open_table(INDEX).expect("a table");
            for block in &blocks {
                *top += 1;
                table.insert(*top, &**block).expect("inserted");
                index.insert(("events", *top), ()).expect("inserted");
            }
        }
        transaction.commit().expect("committed");
        for block in blocks {
            // There may be no follower.
            let _ = self.followers.send(block);
        }
    }
}

impl Side for Redb {
    type Follower = Receiver<Bytes>;

    async fn publish(&self, text: Bytes) {
        if self.in_groups {
            return block_in_place(|| self.group(&text, 1));
        }
        let side = self.clone();
        spawn_blocking(move || side.group(&text, 1)).await.expect("no panic");
    }

    async fn publish_many(&self, text: Bytes, under_way: usize, until: Instant) -> u64 {
        if !self.in_groups {
            return tasks(self.clone(), text, under_way, until).await;
        }
        // While one half of the publishers is waiting for the disk, the other one gathers.
        let group = (under_way / 2).max(1);
        let publish = || {
            let mut published = 0;
            while Instant::now() < until {
                self.group(&text, group);
                published += group as u64;
            }
            published
        };
        block_in_place(publish)
    }

    async fn follow(&self) -> Receiver<Bytes> {
        self.followers.subscribe()
    }
}
