//! What a reader says to the database.

/// Asks for the lock of a feed, which ends with the connection.
pub(super) const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('sse_changes ' || $1, 0))";

/// The outbox is read by its numbers always: right after many changes, statistics would talk the planner out of it.
pub(super) const LISTEN: &str = "LISTEN sse_changes;
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET jit = off";

/// What is new, with the snapshot in which it is, and whether something was missed. A row, if there is nothing.
pub(super) const FIRST: &str = "
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
pub(super) const NEXT: &str = "
    SELECT id, (extract(epoch FROM at) * 1000000)::bigint AS at, source, op, key, now::text, was::text
    FROM sse_changes.outbox
    WHERE id > $2 AND pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
      AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot) AND source = ANY($5)
    ORDER BY id LIMIT $4";

pub(super) const LOAD: &str = "SELECT seen::text, batch::text, after FROM sse_changes.feeds WHERE name = $1";

/// Notes the position, and deletes what no other feed wants. It skips what somebody has locked, rather than wait. What is to be
/// deleted is an array, which is looked up; a list that is joined with a table which was empty a moment ago is gone through
/// for each row of it.
pub(super) const SAVE: &str = "
    WITH unwanted AS (
      SELECT o.id FROM sse_changes.outbox o WHERE o.id = ANY($6) AND NOT EXISTS (
        SELECT FROM sse_changes.feeds f WHERE f.name <> $1 AND NOT sse_changes.has_read(f, o.id, o.xid)
      ) FOR UPDATE OF o SKIP LOCKED
    ), gone AS (
      DELETE FROM sse_changes.outbox WHERE id = ANY(ARRAY(SELECT id FROM unwanted))
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

pub(super) const SWEEP_UP: &str = "
    DELETE FROM sse_changes.outbox WHERE id = ANY(ARRAY(
      SELECT o.id FROM sse_changes.outbox o WHERE NOT EXISTS (
        SELECT FROM sse_changes.feeds f WHERE NOT sse_changes.has_read(f, o.id, o.xid)
      ) ORDER BY o.id LIMIT 10000 FOR UPDATE OF o SKIP LOCKED
    ))";
