//! The feed of a PostgreSQL database.
//!
//! ```text
//! outbox.sql  tables and triggers in the database
//! install     looks for them, and makes them
//! session     one connection
//! position    how far a feed has read
//! reader      one page of changes after the other: connects, stands by, looks, waits
//! page        what it has read
//! floor       what it need not look at any more
//! statements  what it says to the database
//! publish     onto topics
//! snapshot    the rows as they are, for who begins anew
//! outage      trying again
//! ```

mod error;
mod floor;
mod install;
mod outage;
mod page;
mod position;
mod publish;
mod reader;
mod session;
mod snapshot;
mod statements;

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::Stream;

pub use self::error::ChangesError;
use self::install::Table;
pub(super) use self::install::of as refused;
pub(super) use self::outage::Outage;
use self::page::{Item, Page};
use self::reader::Reader;
pub(super) use self::session::{Lost, Session, Target};
use self::snapshot::Snapshots;
use super::{Operation, RowChange};
use crate::topic::{PublishError, Topic};

/// The changes of some tables of a PostgreSQL database, from version 14 on, as it comes: no setting of the server and no
/// restart is needed.
///
/// ```no_run
/// use axum::{Router, extract::State};
/// use sse_runtime::changes::{PostgresChanges, RowChange};
/// use sse_runtime::{Hub, Result, Sse, Topic, listen, routes, serve, sse_route};
///
/// #[sse_route("/orders", slow = "latest")]
/// async fn orders(sse: Sse<RowChange>, State(topic): State<Topic<RowChange>>) -> Result<()> {
///     sse.follow(&topic).await?;
///     Ok(())
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<()> {
///     let hub = Hub::in_memory().build();
///     let feed = PostgresChanges::connect("postgres://app:secret@localhost/shop").table("orders").start().await?;
///     let topic = feed.snapshot(hub.topic("orders")); // who comes gets the rows first
///     let app: Router = routes![orders].with_state(topic.clone());
///     tokio::select! {
///         served = serve(listen("127.0.0.1:3000").await?, app) => served?,
///         stopped = feed.publish_to(&topic) => stopped?,
///     }
///     Ok(())
/// }
/// ```
///
/// What is promised, and what it costs, is in [the guide](crate::guide::database_changes).
///
/// The connection is not encrypted. It has to be one that stays with one session of the server: a pooler that
/// gives each transaction another one is in the way.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `start`"]
pub struct PostgresChanges {
    url: String,
    name: String,
    tables: Vec<(String, Option<String>)>,
    old_rows: bool,
    page: usize,
    snapshot_rows: usize,
}

/// What a feed knows of itself once it has started.
#[derive(Debug)]
struct Options {
    target: Target,
    name: String,
    tables: Vec<(Table, Option<String>)>,
    page: usize,
    snapshot_rows: usize,
}

impl Options {
    fn labels(&self) -> Vec<&str> {
        self.tables.iter().map(|(table, _)| table.label.as_str()).collect()
    }

    /// Says of every table that something is missing.
    fn missed(&self, what: &str) -> Vec<Item> {
        let item = |label: &str| Item {
            change: RowChange::new(Operation::Missed, label, ""),
            dedupe: format!("missed/{what}/{label}"),
        };
        self.labels().into_iter().map(item).collect()
    }
}

impl PostgresChanges {
    /// What the feed needs in the database, for administrators who rather run it themselves: its head says how.
    /// [`start`](Self::start) does, where it is missing.
    ///
    /// ```
    /// use sse_runtime::changes::PostgresChanges;
    ///
    /// std::fs::write(std::env::temp_dir().join("outbox.sql"), PostgresChanges::SQL)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const SQL: &str = include_str!("outbox.sql");

    /// The database, as `postgres://user:password@host:5432/database`. Nothing is connected before [`start`](Self::start).
    pub fn connect(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: "default".to_owned(),
            tables: Vec::new(),
            old_rows: false,
            page: 500,
            snapshot_rows: 10_000,
        }
    }

    /// A table whose changes are read: `orders`, or `shop.orders`. It needs a primary key. Several calls name several.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.tables.push((table.into(), None));
        self
    }

    /// Which rows of the table that was named last a [snapshot](PostgresFeed::snapshot) has, as SQL:
    /// `at > now() - interval '1 minute'`. It is part of a statement, so nothing of it may come from outside.
    pub fn snapshot_where(mut self, condition: impl Into<String>) -> Self {
        if let Some((_, kept)) = self.tables.last_mut() {
            *kept = Some(condition.into());
        }
        self
    }

    /// How many rows of a table a [snapshot](PostgresFeed::snapshot) may have; with more, it is an error. 10,000 by default.
    pub fn snapshot_rows(mut self, rows: usize) -> Self {
        self.snapshot_rows = rows;
        self
    }

    /// The feed's name, under which its position is kept; `default` by default. Of all who read under one name, on this
    /// machine or another, one reads at a time, and the others stand by. So processes that share their hub's engine share the
    /// name, and those that each have a hub in memory have one each. Two sets of tables are two names, too.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Has updates bring the row as it was, too. It is a property of the table: all feeds get it, or none.
    pub fn old_rows(mut self) -> Self {
        self.old_rows = true;
        self
    }

    /// How many changes are read at once, and are in memory, at most. 500 by default.
    pub fn page(mut self, changes: usize) -> Self {
        self.page = changes.max(1);
        self
    }

    /// Connects, makes what is missing in the database, and begins the feed, if it has not begun: what is committed from then
    /// on will be read.
    ///
    /// # Errors
    /// If the database cannot be reached, refuses the login, has no such table, or does not allow it: see [`ChangesError`].
    /// It is tried once.
    pub async fn start(self) -> Result<PostgresFeed, ChangesError> {
        let target = Target::new(&self.url)?;
        let server = target.server.clone();
        let session = target.connect().await.map_err(|lost| install::of(&server, "connect", lost))?;
        let (names, conditions): (Vec<_>, Vec<_>) = self.tables.into_iter().unzip();
        let tables = install::install(&session, &server, &names, self.old_rows).await?;
        let begun = reader::register(&session, &self.name).await;
        begun.map_err(|lost| install::of(&server, "write the position of a feed", lost))?;
        let options = Arc::new(Options {
            target,
            name: self.name,
            tables: tables.into_iter().zip(conditions).collect(),
            page: self.page,
            snapshot_rows: self.snapshot_rows,
        });
        let reader = Reader::new(Arc::clone(&options), session);
        Ok(PostgresFeed {
            snapshots: Arc::new(Snapshots::new(Arc::clone(&options))),
            options,
            reader,
            page: None,
        })
    }
}

/// A feed that has started. It reads when it is asked, by one of its methods, and never more than a page ahead: who is slow
/// to take changes slows the reading, and they stay in the database.
///
/// If the connection is lost, it connects again: at once, then later and later, once a second in the end. The log
/// says so, once when it is lost and once when it is there again.
#[derive(Debug)]
pub struct PostgresFeed {
    options: Arc<Options>,
    snapshots: Arc<Snapshots>,
    reader: Reader,
    page: Option<(VecDeque<Item>, Page)>,
}

impl PostgresFeed {
    /// The next change. To ask for it says that those before are dealt with: if the program ends before that, some of them,
    /// at most a page, come again when it starts.
    ///
    /// # Cancel safety
    /// If the future is dropped, nothing is lost: the next call goes on.
    pub async fn next(&mut self) -> RowChange {
        loop {
            if let Some((items, _)) = &mut self.page {
                if let Some(item) = items.pop_front() {
                    return item.change;
                }
            }
            if let Some((_, page)) = self.page.take() {
                self.reader.done(page).await;
            }
            let mut page = self.reader.page().await;
            self.page = Some((std::mem::take(&mut page.items).into(), page));
        }
    }

    /// The changes as a stream without an end; see [`next`](Self::next).
    ///
    /// ```no_run
    /// use futures_util::StreamExt as _;
    /// use sse_runtime::changes::PostgresChanges;
    ///
    /// # async fn example() -> sse_runtime::Result<()> {
    /// let feed = PostgresChanges::connect("postgres://localhost/shop").table("orders").start().await?;
    /// let mut changes = Box::pin(feed.into_stream());
    /// while let Some(change) = changes.next().await {
    ///     println!("{} {}", change.op, change.key);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_stream(self) -> impl Stream<Item = RowChange> + Send {
        futures_util::stream::unfold(self, |mut feed| async move { Some((feed.next().await, feed)) })
    }

    /// Calls `handler` with each change, one after the other. What it has answered `Ok` for is not repeated, unless the
    /// program ends before the page is noted; see [`next`](Self::next).
    ///
    /// # Errors
    /// That of the handler, which ends it. The change comes again when the feed is started anew.
    pub async fn run<E, F>(mut self, mut handler: impl FnMut(RowChange) -> F) -> Result<(), E>
    where
        F: Future<Output = Result<(), E>>,
    {
        loop {
            handler(self.next().await).await?;
        }
    }

    /// Publishes every change on a topic, with the row as its [key](crate::Publishing::key): in order for each row,
    /// once. While the hub's engine does not work, nothing more is read.
    ///
    /// # Errors
    /// It ends only with an engine that knows no [`dedupe`](crate::Publishing::dedupe) keys.
    pub async fn publish_to(self, topic: &Topic<RowChange>) -> Result<(), PublishError> {
        self.publish_each(|_| Some(topic.clone())).await
    }

    /// Publishes every change on the topic that `topic_of` names for it, or nowhere. For a topic each for tables, or for
    /// tenants.
    ///
    /// # Errors
    /// As for [`publish_to`](Self::publish_to).
    pub async fn publish_each(
        mut self,
        topic_of: impl Fn(&RowChange) -> Option<Topic<RowChange>>,
    ) -> Result<(), PublishError> {
        loop {
            let page = self.reader.page().await;
            publish::publish(&page.items, &topic_of, &self.options.name).await?;
            self.reader.done(page).await;
        }
    }

    /// Gives streams that begin anew the rows of the tables first, each as an `insert`. They are read when the stream asks,
    /// over one connection, and streams that ask at once share them.
    ///
    /// They are at least as new as what was published before. If they are newer than the feed, the changes that they
    /// contain come after them: for a moment a row may show what it was, before it is as the snapshot had it.
    ///
    /// ```no_run
    /// # use sse_runtime::{Hub, changes::{PostgresFeed, RowChange}};
    /// # fn example(hub: Hub, feed: PostgresFeed) {
    /// let topic = feed.snapshot(hub.topic("orders"));
    /// # let _ = topic;
    /// # }
    /// ```
    #[must_use = "the snapshot belongs to the handle that is returned"]
    pub fn snapshot(&self, topic: Topic<RowChange>) -> Topic<RowChange> {
        let snapshots = Arc::clone(&self.snapshots);
        topic.snapshot(move || {
            let snapshots = Arc::clone(&snapshots);
            async move { snapshots.take().await }
        })
    }
}
