//! Reads the outbox, page by page: connects again, stands by while another reader has the feed, and knows when to look.
//!
//! ```text
//!   connect ──▶ stand by ──▶ read ──▶ page ──▶ (it is dealt with) ──▶ save the position ──▶ read ..
//!      ▲        (a lock)      │ nothing: wait
//!      └──────── lost ────────┘
//! ```
//!
//! A reader that has had changes a moment ago is awake: it looks again and again, a few milliseconds apart, and nobody
//! notifies it. After a while without any it says that it sleeps, and whoever writes then wakes it. A transaction that has
//! looked before that will not: so the reader looks now and then until the last of those has ended.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Row, Statement};

use super::Options;
use super::floor::Floor;
use super::outage::Outage;
use super::page::{Name, Page};
use super::position::{Position, Snapshot};
use super::session::{Lost, Session};
use super::statements::{FIRST, LISTEN, LOAD, LOCK, NEXT, SAVE, SWEEP_UP};

/// How long after the last change it stays awake.
const AWAKE: Duration = Duration::from_millis(50);
/// How often it looks then, at least.
const GLANCE: Duration = Duration::from_millis(5);
/// How often, while somebody may not know that it sleeps.
const HALF_ASLEEP: Duration = Duration::from_millis(100);
/// How often it looks although nobody has woken it.
const ROUND: Duration = Duration::from_secs(1);
/// How often those who stand by ask for their turn.
const TURN: Duration = Duration::from_millis(250);
/// How often what other feeds have left is looked for.
const SWEEP: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Reader {
    options: Arc<Options>,
    /// A connection without the lock.
    waiting: Option<Session>,
    link: Option<Link>,
    outage: Option<Outage>,
    stands_by: bool,
    /// How far everything is dealt with. Not kept over a lost connection: a server that has crashed gives numbers of
    /// transactions again that it had not written down, and which a snapshot from before may hold.
    position: Option<Position>,
    /// What is dealt with, but not as far as the database knows.
    unsaved: HashSet<Name>,
    /// The feed has begun before. And: it was new in the database when it was looked for.
    has_begun: bool,
    is_new: bool,
    rest: Rest,
    floor: Floor,
    swept: Option<Instant>,
}

/// A connection that has the lock of the feed.
#[derive(Debug)]
struct Link {
    session: Session,
    /// Which outbox it is.
    log: String,
    first: Statement,
    next: Statement,
    save: Statement,
}

#[derive(Debug)]
struct Rest {
    is_asleep: bool,
    /// A transaction that began when everybody could see it.
    since: u64,
    last: Option<Instant>,
    wait: Duration,
}

impl Reader {
    pub(super) fn new(options: Arc<Options>, session: Session) -> Self {
        Self {
            options,
            waiting: Some(session),
            link: None,
            outage: None,
            stands_by: false,
            position: None,
            unsaved: HashSet::new(),
            has_begun: false,
            is_new: false,
            rest: Rest { is_asleep: false, since: 0, last: None, wait: Duration::ZERO },
            floor: Floor::default(),
            swept: None,
        }
    }

    /// The next changes, when there are some. Dropped before, it has read nothing.
    pub(super) async fn page(&mut self) -> Page {
        loop {
            match self.look().await {
                Ok(Some(page)) => return page,
                Ok(None) => {}
                Err(lost) => self.lost(&lost).await,
            }
        }
    }

    /// This page is dealt with. If the connection is lost meanwhile, that is noted when there is another one.
    pub(super) async fn done(&mut self, page: Page) {
        self.position = Some(page.next);
        self.unsaved.extend(&page.rows);
        if let Some(&(last, _)) = page.rows.last() {
            let was_busy = self.rest.last.is_some_and(|last| last.elapsed() < AWAKE);
            self.rest.is_asleep &= !was_busy;
            self.rest.last = Some(Instant::now());
            self.rest.wait = Duration::ZERO;
            self.floor.read(last);
        }
        if let Err(lost) = self.save(&page.rows, &page.notes).await {
            self.lost(&lost).await;
        }
    }

    async fn lost(&mut self, lost: &Lost) {
        (self.link, self.waiting, self.position) = (None, None, None);
        Outage::note(&mut self.outage, &self.options.name, lost).pause().await;
    }

    async fn look(&mut self) -> Result<Option<Page>, Lost> {
        if self.link.is_none() {
            self.take_turn().await?;
        }
        if self.position.is_none() {
            if let Some(page) = self.resume().await? {
                return Ok(Some(page));
            }
        }
        let (Some(link), Some(position)) = (&self.link, &self.position) else { return Ok(None) };
        let tables = self.options.labels();
        let limit = i64::try_from(self.options.page).unwrap_or(i64::MAX);
        let seen = position.seen.0.as_str();
        let Some(batch) = &position.batch else {
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                [&self.options.name, &self.floor.id, &seen, &limit, &tables];
            let rows = link.session.query(&link.first, &values).await?;
            let snapshot = rows.first().map(|row| Snapshot(row.get("snapshot")));
            let Some(snapshot) = snapshot else { return Ok(None) };
            let notes: Option<Vec<i64>> = rows.first().and_then(|row| row.get("notes"));
            if let Some(notes) = notes {
                // What is new is read again after it.
                let items = self.options.missed(&format!("{}/{notes:?}", link.log));
                return Ok(Some(Page::missed(items, position.clone(), notes)));
            }
            let page = self.read(position, &snapshot, &rows, &link.log);
            if page.rows.is_empty() {
                self.floor.reached(&snapshot);
                self.position = Some(Position::at(snapshot.clone()));
                self.wait(&snapshot).await?;
                return Ok(None);
            }
            return Ok(Some(page));
        };
        let rows = link
            .session
            .query(&link.next, &[&batch.0.as_str(), &position.after, &seen, &limit, &tables])
            .await?;
        let page = self.read(position, batch, &rows, &link.log);
        if page.rows.is_empty() {
            // The page before was full, and the last.
            self.position = Some(page.next);
            return Ok(None);
        }
        Ok(Some(page))
    }

    fn read(&self, position: &Position, batch: &Snapshot, rows: &[Row], log: &str) -> Page {
        let is_known = |name: &Name| self.unsaved.contains(name);
        Page::read(position, batch.clone(), rows, log, self.options.page, is_known)
    }

    /// Connects, and waits until nobody else reads this feed.
    async fn take_turn(&mut self) -> Result<(), Lost> {
        if self.waiting.is_none() {
            self.waiting = Some(self.options.target.connect().await?);
        }
        let Some(session) = &self.waiting else { return Ok(()) };
        loop {
            let locked = session.query_once(LOCK, &[&self.options.name]).await?;
            if locked.first().is_some_and(|row| row.get(0)) {
                break;
            }
            Outage::over(&mut self.outage, &self.options.name);
            if !std::mem::replace(&mut self.stands_by, true) {
                tracing::info!(
                    feed = self.options.name,
                    "another reader has this change feed; this one stands by"
                );
            }
            sleep(TURN).await;
        }
        session.run(LISTEN).await?;
        let (first, next, save) =
            tokio::try_join!(session.prepare(FIRST), session.prepare(NEXT), session.prepare(SAVE))?;
        let log = session.query_once("SELECT log FROM sse_changes.settings", &[]).await?;
        let log = log.first().map(|row| row.get(0)).unwrap_or_default();
        self.link = self.waiting.take().map(|session| Link { session, log, first, next, save });
        Ok(())
    }

    /// Finds out where the feed is. Gives a page, if it has been forgotten meanwhile.
    async fn resume(&mut self) -> Result<Option<Page>, Lost> {
        let Some(link) = &self.link else { return Ok(None) };
        // Kept, should this be dropped in the middle.
        self.is_new |= register(&link.session, &self.options.name).await?;
        let rows = link.session.query_once(LOAD, &[&self.options.name]).await?;
        let Some(row) = rows.first() else {
            // Forgotten in this moment: the next look begins anew.
            return Ok(None);
        };
        let found = Position {
            seen: Snapshot(row.get(0)),
            batch: row.get::<_, Option<String>>(1).map(Snapshot),
            after: row.get(2),
        };
        self.rest.is_asleep = false;
        self.floor = Floor::default();
        self.position = Some(found.clone());
        if std::mem::take(&mut self.stands_by) {
            tracing::info!(feed = self.options.name, "this reader has the change feed now");
        }
        Outage::over(&mut self.outage, &self.options.name);
        let is_new = std::mem::take(&mut self.is_new);
        let has_lost = std::mem::replace(&mut self.has_begun, true) && is_new;
        let items = has_lost.then(|| self.options.missed(&format!("forgotten/{}", found.seen.0)));
        Ok(items.map(|items| Page::missed(items, found, Vec::new())))
    }

    async fn save(&mut self, rows: &[Name], notes: &[i64]) -> Result<(), Lost> {
        let (Some(link), Some(position)) = (&self.link, &self.position) else { return Ok(()) };
        let (seen, batch) = (position.seen.0.as_str(), position.batch.as_ref().map(|batch| batch.0.as_str()));
        let (name, after, asleep) = (&self.options.name, &position.after, &self.rest.is_asleep);
        let ids: Vec<_> = rows.iter().map(|(id, _)| *id).collect();
        let saved =
            link.session.query(&link.save, &[name, &seen, &batch, after, asleep, &ids, &notes]).await?;
        // None, if somebody has forgotten the feed: the next look begins anew.
        let Some(xid) = saved.first().and_then(xid) else {
            self.position = None;
            return Ok(());
        };
        for name in rows {
            self.unsaved.remove(name);
        }
        self.floor.saved(xid);
        if position.batch.is_none() {
            self.floor.reached(&position.seen);
        }
        Ok(())
    }

    /// There is nothing to read: waits until there may be.
    async fn wait(&mut self, snapshot: &Snapshot) -> Result<(), Lost> {
        if self.rest.is_asleep && self.rest.since == u64::MAX {
            // It was dropped while it fell asleep.
            return self.fall_asleep().await;
        }
        let most = if !self.rest.is_asleep {
            if self.rest.last.is_none_or(|last| last.elapsed() >= AWAKE) {
                return self.fall_asleep().await;
            }
            GLANCE
        } else if snapshot.is_above(self.rest.since) {
            self.sweep().await?;
            ROUND
        } else {
            HALF_ASLEEP
        };
        let wait =
            if most == ROUND { most } else { (self.rest.wait * 2).clamp(Duration::from_millis(1), most) };
        self.rest.wait = wait;
        if let Some(link) = &self.link {
            // Woken, or not: it looks.
            let _woken = timeout(wait, link.session.woken.notified()).await;
        }
        Ok(())
    }

    /// Says that it wants to be woken. Whoever has looked before that was seen has a transaction below one that begins now.
    async fn fall_asleep(&mut self) -> Result<(), Lost> {
        (self.rest.is_asleep, self.rest.since) = (true, u64::MAX);
        self.save(&[], &[]).await?;
        if let Some(link) = &self.link {
            let now = link.session.query_once("SELECT pg_current_xact_id()::text", &[]).await?;
            self.rest.since = now.first().and_then(xid).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// Deletes what every feed has read, and none has deleted, as two do that read the same at once.
    async fn sweep(&mut self) -> Result<(), Lost> {
        if self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            if let Some(link) = &self.link {
                link.session.run(SWEEP_UP).await?;
            }
            self.swept = Some(Instant::now());
        }
        Ok(())
    }
}

/// Begins the feed here, if it has not begun. Says whether it had not.
pub(super) async fn register(session: &Session, name: &str) -> Result<bool, Lost> {
    let begun = "INSERT INTO sse_changes.feeds (name, seen) VALUES ($1, pg_current_snapshot())
        ON CONFLICT (name) DO NOTHING RETURNING true";
    Ok(!session.query_once(begun, &[&name]).await?.is_empty())
}

fn xid(row: &Row) -> Option<u64> {
    row.get::<_, String>(0).parse().ok()
}
