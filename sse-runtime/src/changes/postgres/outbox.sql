-- What the change feed needs in the database, once for all tables. It may be run again: what is there stays.
-- The program does it by itself, if it has the rights; an administrator may do it instead:
--
--   psql -f outbox.sql
--   SELECT sse_changes.watch('sensors_view_1s');          -- each table; a second `true` for the old rows of updates, too
--   GRANT USAGE ON SCHEMA sse_changes TO app;
--   GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sse_changes TO app;
--
-- To be rid of it: DROP SCHEMA sse_changes CASCADE, which takes the triggers along.

BEGIN;
SET LOCAL lock_timeout = '3s';
-- Two programs that start at once would else create the same things.
SELECT pg_advisory_xact_lock(hashtextextended('sse_changes', 0));

CREATE SCHEMA IF NOT EXISTS sse_changes;

CREATE TABLE IF NOT EXISTS sse_changes.settings (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version integer NOT NULL,
  -- Tells this outbox from one that was dropped, whose numbers come again.
  log text NOT NULL DEFAULT left(md5(gen_random_uuid()::text), 12),
  -- How many changes are kept for feeds that do not read them.
  keep bigint NOT NULL DEFAULT 1000000
);

CREATE TABLE IF NOT EXISTS sse_changes.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  source text NOT NULL,
  op text NOT NULL,
  key text NOT NULL,
  now jsonb,
  was jsonb
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

CREATE TABLE IF NOT EXISTS sse_changes.feeds (
  name text PRIMARY KEY,
  -- Every change of a transaction that is finished in this snapshot was read.
  seen pg_snapshot NOT NULL,
  -- And of those that are finished in this one, the changes up to this id.
  batch pg_snapshot,
  after bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- The feeds whose readers want to be woken; the others look by themselves. Every statement that writes looks here, so it is a
-- table of its own, which seldom changes.
CREATE TABLE IF NOT EXISTS sse_changes.sleepers (name text PRIMARY KEY);

-- What a feed will not read any more.
CREATE TABLE IF NOT EXISTS sse_changes.missed (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  feed text NOT NULL,
  changes bigint NOT NULL
);

-- Whether a feed has read a change.
CREATE OR REPLACE FUNCTION sse_changes.has_read(feed sse_changes.feeds, change_id bigint, change_xid xid8)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT pg_visible_in_snapshot(change_xid, feed.seen)
      OR feed.batch IS NOT NULL AND change_id <= feed.after AND pg_visible_in_snapshot(change_xid, feed.batch)
$$;

-- Keeps the outbox from growing without end while nobody reads it. Called by whoever wrote every thousandth change.
CREATE OR REPLACE FUNCTION sse_changes.bound(newest bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
  -- Elsewhere, to delete what somebody else has deleted would be an error of the transaction that writes.
  IF current_setting('transaction_isolation') <> 'read committed' THEN RETURN; END IF;
  WITH excess AS (
    SELECT id FROM sse_changes.outbox
    WHERE id <= newest - (SELECT keep FROM sse_changes.settings) ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM sse_changes.outbox WHERE id = ANY(ARRAY(SELECT id FROM excess)) RETURNING id, xid
  )
  INSERT INTO sse_changes.missed (feed, changes)
    SELECT f.name, count(*) FROM sse_changes.feeds f, gone
    WHERE NOT sse_changes.has_read(f, gone.id, gone.xid) GROUP BY f.name;
END $$;

-- Writes down what happened to one row. Its arguments: the table's name, `old` or nothing, the columns of the key.
CREATE OR REPLACE FUNCTION sse_changes.capture() RETURNS trigger
-- In UTC, whoever writes: a time in a key has to be the same text always.
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  now jsonb; now_key text;
  was jsonb; was_key text;
  n bigint;
BEGIN
  IF TG_OP = 'UPDATE' AND OLD *= NEW THEN RETURN NULL; END IF;
  IF TG_OP <> 'DELETE' THEN
    now := to_jsonb(NEW);
    now_key := CASE WHEN TG_NARGS = 3 THEN now ->> TG_ARGV[2]
      ELSE (SELECT jsonb_agg(now -> c ORDER BY i)::text FROM unnest(TG_ARGV[2:]) WITH ORDINALITY k (c, i)) END;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    was := to_jsonb(OLD);
    was_key := CASE WHEN TG_NARGS = 3 THEN was ->> TG_ARGV[2]
      ELSE (SELECT jsonb_agg(was -> c ORDER BY i)::text FROM unnest(TG_ARGV[2:]) WITH ORDINALITY k (c, i)) END;
  END IF;
  IF was_key = now_key THEN
    INSERT INTO sse_changes.outbox (source, op, key, now, was)
      VALUES (TG_ARGV[0], 'update', now_key, now, CASE WHEN TG_ARGV[1] = 'old' THEN was END) RETURNING id INTO n;
  ELSE
    -- Also where an update gives a row another key: to everybody else that is another row.
    IF was IS NOT NULL THEN
      INSERT INTO sse_changes.outbox (source, op, key, was)
        VALUES (TG_ARGV[0], 'delete', was_key, was) RETURNING id INTO n;
    END IF;
    IF now IS NOT NULL THEN
      INSERT INTO sse_changes.outbox (source, op, key, now)
        VALUES (TG_ARGV[0], 'insert', now_key, now) RETURNING id INTO n;
    END IF;
  END IF;
  IF n % 1000 = 0 THEN PERFORM sse_changes.bound(n); END IF;
  RETURN NULL;
END $$;

-- After each statement: wakes the readers that sleep. To notify always would be simpler, and would make all transactions of
-- the server commit one after the other.
CREATE OR REPLACE FUNCTION sse_changes.wake() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO sse_changes.outbox (source, op, key) VALUES (TG_ARGV[0], 'truncate', '');
  END IF;
  -- Other transactions see who slept when they began.
  IF current_setting('transaction_isolation') <> 'read committed'
     OR EXISTS (SELECT FROM sse_changes.sleepers) THEN
    PERFORM pg_notify('sse_changes', '');
  END IF;
  RETURN NULL;
END $$;

-- Has the changes of a table written down. Its triggers come first by their names: so a change is written down before other
-- triggers of the row make more of it.
CREATE OR REPLACE FUNCTION sse_changes.watch(target regclass, old_rows boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  label text; columns text; arguments text; found text;
BEGIN
  SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname INTO label
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = target;
  SELECT string_agg(quote_literal(a.attname), ', ' ORDER BY k.i) INTO columns
    FROM pg_index x CROSS JOIN unnest(x.indkey) WITH ORDINALITY k (n, i)
    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.n
    WHERE x.indrelid = target AND x.indisprimary;
  IF columns IS NULL THEN
    RAISE EXCEPTION '% has no primary key, by which its rows could be told apart', target;
  END IF;
  arguments := concat_ws(', ', quote_literal(label), quote_literal(CASE WHEN old_rows THEN 'old' ELSE '' END), columns);
  SELECT pg_get_triggerdef(t.oid) INTO found FROM pg_trigger t WHERE t.tgrelid = target AND t.tgname = '!sse_changes';
  IF found LIKE '%capture(' || replace(arguments, '\', '\\') || ')' THEN RETURN; END IF;
  EXECUTE format('CREATE OR REPLACE TRIGGER "!sse_changes" AFTER INSERT OR UPDATE OR DELETE ON %s '
    'FOR EACH ROW EXECUTE FUNCTION sse_changes.capture(%s)', target, arguments);
  EXECUTE format('CREATE OR REPLACE TRIGGER "!sse_changes_wake" AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s '
    'FOR EACH STATEMENT EXECUTE FUNCTION sse_changes.wake(%L)', target, label);
END $$;

INSERT INTO sse_changes.settings (version) VALUES (1) ON CONFLICT (one) DO UPDATE SET version = excluded.version;
COMMIT;
