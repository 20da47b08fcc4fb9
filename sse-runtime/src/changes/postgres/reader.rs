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

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Row, Statement};

use super::Options;
use super::outage::Outage;
use super::position::{Position, Snapshot};
use super::session::{Lost, Session};
use crate::changes::{Operation, RowChange};

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

/// Changes that belong together only in that they were read at once.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    next: Position,
    /// The rows of the outbox that these were.
    ids: Vec<i64>,
    /// The notes of what was missed.
    notes: Vec<i64>,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) change: RowChange,
    /// What it is called, once and for all.
    pub(super) dedupe: String,
}

#[derive(Debug)]
pub(super) struct Reader {
    options: Arc<Options>,
    /// A connection without the lock.
    waiting: Option<Session>,
    link: Option<Link>,
    outage: Option<Outage>,
    stands_by: bool,
    /// How far everything is dealt with, and how far the database knows.
    position: Option<Position>,
    saved: Option<Position>,
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
    /// The transaction that said so.
    since: u64,
    last: Option<Instant>,
    wait: Duration,
}

/// Below which number nothing is left to read, and nothing will come: what keeps the search for the first change from
/// going through all those that have been deleted.
#[derive(Debug, Default)]
struct Floor {
    id: i64,
    /// When every transaction up to the first is finished, and all of that is read, the floor is the second.
    next: Option<(u64, i64)>,
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
            saved: None,
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
        if let Some(&last) = page.ids.last() {
            let was_busy = self.rest.last.is_some_and(|last| last.elapsed() < AWAKE);
            self.rest.is_asleep &= !was_busy;
            self.rest.last = Some(Instant::now());
            self.rest.wait = Duration::ZERO;
            self.floor.next.get_or_insert((u64::MAX, last));
        }
        if let Err(lost) = self.save(&page.ids, &page.notes).await {
            self.lost(&lost).await;
        }
    }

    async fn lost(&mut self, lost: &Lost) {
        (self.link, self.waiting) = (None, None);
        Outage::note(&mut self.outage, &self.options.name, lost).pause().await;
    }

    async fn look(&mut self) -> Result<Option<Page>, Lost> {
        if self.link.is_none() {
            self.take_turn().await?;
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
                // The rows are read again after it.
                let (next, ids) = (position.clone(), Vec::new());
                let items = self.options.missed(&format!("{}/{notes:?}", link.log));
                return Ok(Some(Page { items, next, ids, notes }));
            }
            let page = page(position, snapshot.clone(), &rows, &link.log, self.options.page);
            if page.items.is_empty() {
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
        let page = page(position, batch.clone(), &rows, &link.log, self.options.page);
        if page.items.is_empty() {
            // The page before was full, and the last.
            self.position = Some(page.next);
            return Ok(None);
        }
        Ok(Some(page))
    }

    /// Connects, and waits until nobody else reads this feed.
    async fn take_turn(&mut self) -> Result<(), Lost> {
        if self.waiting.is_none() {
            self.waiting = Some(self.options.target.connect().await?);
        }
        let Some(session) = &self.waiting else { return Ok(()) };
        loop {
            let locked = session
                .query_once(
                    "SELECT pg_try_advisory_lock(hashtextextended('sse_changes ' || $1, 0))",
                    &[&self.options.name],
                )
                .await?;
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
        // The outbox is read by its numbers always: right after many changes, statistics would talk the planner out of it.
        session
            .run("LISTEN sse_changes; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET jit = off")
            .await?;
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
        let forgotten = register(&link.session, &self.options.name).await?;
        let rows = link.session.query_once(LOAD, &[&self.options.name]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let found = Position {
            seen: Snapshot(row.get(0)),
            batch: row.get::<_, Option<String>>(1).map(Snapshot),
            after: row.get(2),
        };
        self.rest.is_asleep = false;
        self.floor = Floor::default();
        if std::mem::take(&mut self.stands_by) {
            tracing::info!(feed = self.options.name, "this reader has the change feed now");
        }
        Outage::over(&mut self.outage, &self.options.name);
        if self.saved.as_ref() == Some(&found) {
            // Nobody else has read meanwhile: what was dealt with since is noted now.
            return self.save(&[], &[]).await.map(|()| None);
        }
        let had_one = self.saved.is_some();
        (self.position, self.saved) = (Some(found.clone()), Some(found.clone()));
        let lost = had_one && forgotten;
        Ok(lost.then(|| Page {
            items: self.options.missed(&format!("forgotten/{}", found.seen.0)),
            next: found,
            ids: Vec::new(),
            notes: Vec::new(),
        }))
    }

    async fn save(&mut self, ids: &[i64], notes: &[i64]) -> Result<(), Lost> {
        let (Some(link), Some(position)) = (&self.link, &self.position) else { return Ok(()) };
        let (seen, batch) = (position.seen.0.as_str(), position.batch.as_ref().map(|batch| batch.0.as_str()));
        let (name, after, asleep) = (&self.options.name, &position.after, &self.rest.is_asleep);
        let rows =
            link.session.query(&link.save, &[name, &seen, &batch, after, asleep, &ids, &notes]).await?;
        // None, if somebody has forgotten the feed: the next look begins anew.
        let Some(xid) = rows.first().and_then(xid) else {
            self.link = None;
            return Ok(());
        };
        self.saved = Some(position.clone());
        if let Some((up_to @ u64::MAX, _)) = &mut self.floor.next {
            *up_to = xid;
        }
        self.rest.since = xid;
        if self.position.as_ref().is_some_and(|position| position.batch.is_none()) {
            let seen = self.position.as_ref().map(|position| position.seen.clone());
            if let Some(seen) = seen {
                self.floor.reached(&seen);
            }
        }
        Ok(())
    }

    /// There is nothing to read: waits until there may be.
    async fn wait(&mut self, snapshot: &Snapshot) -> Result<(), Lost> {
        let most = if !self.rest.is_asleep {
            if self.rest.last.is_none_or(|last| last.elapsed() >= AWAKE) {
                self.rest.is_asleep = true;
                return self.save(&[], &[]).await;
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

impl Floor {
    /// Everything that was finished in this snapshot is read.
    fn reached(&mut self, snapshot: &Snapshot) {
        if let Some((_, id)) = self.next.take_if(|(up_to, _)| snapshot.is_above(*up_to)) {
            self.id = self.id.max(id);
        }
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

fn page(position: &Position, batch: Snapshot, rows: &[Row], log: &str, full: usize) -> Page {
    let mut page = Page { items: Vec::new(), next: position.clone(), ids: Vec::new(), notes: Vec::new() };
    for row in rows {
        let Some(id) = row.get::<_, Option<i64>>("id") else { continue };
        page.ids.push(id);
        let word: &str = row.get("op");
        // An outbox of this format has no others.
        let Some(op) = Operation::from_word(word) else { continue };
        let mut change = RowChange::new(op, row.get::<_, &str>("source"), row.get::<_, &str>("key"));
        let json = |column: &str| {
            row.get::<_, Option<String>>(column).and_then(|text| serde_json::from_str(&text).ok())
        };
        (change.row, change.old) = (json("now"), json("was"));
        change.position = u64::try_from(id).ok();
        // With its time: after a crash, the number of a change that was lost with it may come again.
        let dedupe = format!("{log}/{id}/{}", row.get::<_, i64>("at"));
        page.items.push(Item { change, dedupe });
    }
    page.next = position.after(batch, page.ids.last().copied(), page.ids.len() >= full);
    page
}

/// What is new, with the snapshot in which it is, and whether something was missed. A row, if there is nothing.
const FIRST: &str = "
    SELECT pg_current_snapshot()::text AS snapshot,
      (SELECT array_agg(id) FROM sse_changes.missed WHERE feed = $1) AS notes,
      o.id, o.at, o.source, o.op, o.key, o.now, o.was
    FROM (SELECT) one LEFT JOIN LATERAL (
      SELECT id, (extract(epoch FROM at) * 1000000)::bigint AS at, source, op, key, now::text, was::text
      FROM sse_changes.outbox
      WHERE id > $2 AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot) AND source = ANY($5)
      ORDER BY id LIMIT $4
    ) o ON true";

/// What else was new then.
const NEXT: &str = "
    SELECT id, (extract(epoch FROM at) * 1000000)::bigint AS at, source, op, key, now::text, was::text
    FROM sse_changes.outbox
    WHERE id > $2 AND pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
      AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot) AND source = ANY($5)
    ORDER BY id LIMIT $4";

const LOAD: &str = "SELECT seen::text, batch::text, after FROM sse_changes.feeds WHERE name = $1";

/// Notes the position, and deletes what no other feed wants. It skips what somebody has locked, rather than wait.
const SAVE: &str = "
    WITH unwanted AS (
      SELECT o.id FROM sse_changes.outbox o WHERE o.id = ANY($6) AND NOT EXISTS (
        SELECT FROM sse_changes.feeds f WHERE f.name <> $1 AND NOT sse_changes.has_read(f, o.id, o.xid)
      ) FOR UPDATE OF o SKIP LOCKED
    ), gone AS (
      DELETE FROM sse_changes.outbox WHERE id IN (SELECT id FROM unwanted)
    ), told AS (
      DELETE FROM sse_changes.missed WHERE id = ANY($7)
    ), awake AS (
      DELETE FROM sse_changes.sleepers WHERE name = $1 AND NOT $5
    ), asleep AS (
      INSERT INTO sse_changes.sleepers SELECT $1 WHERE $5 ON CONFLICT DO NOTHING
    )
    UPDATE sse_changes.feeds
    SET seen = $2::text::pg_snapshot, batch = $3::text::pg_snapshot, after = $4
    WHERE name = $1 RETURNING pg_current_xact_id()::text";

const SWEEP_UP: &str = "
    DELETE FROM sse_changes.outbox WHERE id IN (
      SELECT o.id FROM sse_changes.outbox o WHERE NOT EXISTS (
        SELECT FROM sse_changes.feeds f WHERE NOT sse_changes.has_read(f, o.id, o.xid)
      ) ORDER BY o.id LIMIT 10000 FOR UPDATE OF o SKIP LOCKED
    )";
