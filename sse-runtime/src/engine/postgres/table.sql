-- An event log of sse-runtime, format 1.

-- One row. Whoever appends writes it first, which locks it: so the order of the numbers is the order of the commits.
CREATE TABLE {schema}.log (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  format integer NOT NULL,
  epoch bigint NOT NULL,
  top bigint NOT NULL,        -- the number of the newest event
  at timestamptz NOT NULL,    -- none is of a later time
  sum bigint NOT NULL,        -- what all events weigh that ever were, in bytes
  gone bigint NOT NULL,       -- every event up to this number was evicted
  swept bigint NOT NULL,      -- and its row deleted, up to this one
  forgotten bigint NOT NULL,  -- a topic without a row in "evicted" may have lost events up to this number
  topics bigint NOT NULL      -- how many rows "evicted" has
) WITH (fillfactor = 10);

CREATE TABLE {schema}.events (
  seq bigint PRIMARY KEY,
  at timestamptz NOT NULL,    -- never before that of the event before
  sum bigint NOT NULL,        -- what all before it weigh
  hash bigint NOT NULL,       -- of the topic
  topic bytea NOT NULL,
  key bytea NOT NULL,
  trace text,
  block bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX events_topic ON {schema}.events (hash, seq);

-- The newest event of each topic that was evicted.
CREATE TABLE {schema}.evicted (hash bigint NOT NULL, topic bytea NOT NULL, seq bigint NOT NULL)
  WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX evicted_topic ON {schema}.evicted (hash);
CREATE INDEX evicted_seq ON {schema}.evicted (seq);

-- The dedupe keys of the last minutes; "hash" is of topic and key.
CREATE TABLE {schema}.known (
  hash bigint NOT NULL, topic bytea NOT NULL, key bytea NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX known_key ON {schema}.known (hash);
CREATE INDEX known_at ON {schema}.known (at);

-- The last group that each node has appended: who did not hear the answer asks again, and gets the same one.
CREATE TABLE {schema}.nodes (
  node bigint PRIMARY KEY,
  turn bigint NOT NULL,
  before bigint NOT NULL,     -- the number before the group's
  numbers bigint[],           -- none if they follow one another
  at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Up to which number events are gone, also by the hands of others: the oldest and the newest have to be there. Every read
-- asks; as a function in SQL, it would be planned each time.
CREATE FUNCTION {schema}.gone(p_top bigint, p_gone bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN CASE
    WHEN p_gone >= p_top THEN p_gone
    WHEN NOT EXISTS (SELECT FROM {schema}.events WHERE seq = p_top) THEN p_top
    ELSE coalesce((SELECT seq - 1 FROM {schema}.events WHERE seq > p_gone ORDER BY seq LIMIT 1), p_top)
  END;
END $$;

-- Which log this is and where it stands. One without its row begins, with this epoch. One that has lost what a node knows
-- of goes on far above, so that no number that any node has seen is given again.
CREATE FUNCTION {schema}.settle(p_epoch bigint, p_known bigint)
RETURNS TABLE (format integer, epoch bigint, top bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_log {schema}.log%ROWTYPE;
  v_above bigint := CASE WHEN p_known > 0 THEN p_known + 4294967296 ELSE 0 END;
BEGIN
  SELECT * INTO v_log FROM {schema}.log;
  IF NOT FOUND OR v_log.format = {format} AND v_log.epoch = p_epoch
    AND (v_log.top < p_known OR v_log.gone < {schema}.gone(v_log.top, v_log.gone))
  THEN
    PERFORM pg_advisory_xact_lock({evicting});
    INSERT INTO {schema}.log
      SELECT true, {format}, p_epoch, start, clock_timestamp(), 0, start, 0, start, 0
      FROM (SELECT greatest(v_above, max(seq), 0) AS start FROM {schema}.events) found
      ON CONFLICT DO NOTHING;
    IF FOUND THEN
      DELETE FROM {schema}.evicted;
    END IF;
    SELECT * INTO v_log FROM {schema}.log FOR UPDATE;
    IF v_log.epoch = p_epoch THEN
      IF v_log.top < p_known THEN
        v_log.top := v_above;
        v_log.gone := v_above;
      ELSE
        v_log.gone := {schema}.gone(v_log.top, v_log.gone);
      END IF;
      UPDATE {schema}.log SET top = v_log.top, gone = v_log.gone, forgotten = v_log.gone, topics = 0
        WHERE gone < v_log.gone;
      IF FOUND THEN
        DELETE FROM {schema}.evicted;
      END IF;
    END IF;
  END IF;
  RETURN QUERY SELECT v_log.format, v_log.epoch, v_log.top;
END $$;

-- Appends a group. The number before it, then that of each, unless they follow one another. Null if the log is not as this
-- node knows it: `settle` it, and append again.
--
-- It takes for granted what is nearly always so, and takes it back otherwise: that is the fewest statements, and each costs
-- a lone event as much as its row does. The first one locks the log's row, so the others see all that came before.
CREATE FUNCTION {schema}.append(
  p_epoch bigint, p_known bigint, p_node bigint, p_turn bigint,
  p_hashes bigint[], p_topics bytea[], p_keys bytea[], p_traces text[], p_blocks bytea[],
  p_sums bigint[], p_weight bigint,
  p_marks bigint[], p_dedupes bytea[], p_window double precision
) RETURNS bigint[] LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_node {schema}.nodes%ROWTYPE;
  v_before bigint;
  v_at timestamptz;
  v_sum bigint;
  v_gone bigint;
  v_lost boolean;
  v_count bigint := cardinality(p_hashes);
  v_new bigint;
  v_numbers bigint[];
BEGIN
  UPDATE {schema}.log SET top = top + v_count, at = greatest(at, clock_timestamp()), sum = sum + p_weight
    WHERE epoch = p_epoch AND format = {format} AND top >= p_known
    RETURNING top - v_count, at, sum - p_weight, gone INTO v_before, v_at, v_sum, v_gone;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  UPDATE {schema}.nodes SET turn = p_turn, before = v_before, numbers = NULL, at = v_at
    WHERE node = p_node AND turn < p_turn
      AND (v_gone >= v_before OR EXISTS (SELECT FROM {schema}.events WHERE seq = v_before));
  IF NOT FOUND THEN
    v_lost := v_gone < v_before AND NOT EXISTS (SELECT FROM {schema}.events WHERE seq = v_before);
    SELECT * INTO v_node FROM {schema}.nodes WHERE node = p_node;
    IF v_lost OR v_node.turn >= p_turn THEN
      UPDATE {schema}.log SET top = v_before, sum = v_sum;
      RETURN CASE WHEN NOT v_lost THEN v_node.before || v_node.numbers END;
    END IF;
    INSERT INTO {schema}.nodes VALUES (p_node, p_turn, v_before, NULL, v_at);
  END IF;
  IF p_marks IS NULL AND v_count = 1 THEN
    INSERT INTO {schema}.events (seq, at, sum, hash, topic, key, trace, block) VALUES (
      v_before + 1, v_at, v_sum + p_sums[1], p_hashes[1], p_topics[1], p_keys[1], p_traces[1], p_blocks[1]
    );
  ELSIF p_marks IS NULL THEN
    INSERT INTO {schema}.events (seq, at, sum, hash, topic, key, trace, block)
      SELECT v_before + ord, v_at, v_sum + given.sum, hash, topic, key, trace, block
      FROM unnest(p_sums, p_hashes, p_topics, p_keys, p_traces, p_blocks)
        WITH ORDINALITY AS given (sum, hash, topic, key, trace, block, ord);
  ELSE
    WITH given AS MATERIALIZED (
      SELECT *, CASE WHEN dedupe IS NULL THEN ord ELSE min(ord) OVER (PARTITION BY topic, dedupe) END AS first
      FROM unnest(p_sums, p_hashes, p_topics, p_keys, p_traces, p_blocks, p_marks, p_dedupes)
        WITH ORDINALITY AS given (sum, hash, topic, key, trace, block, mark, dedupe, ord)
    ), looked_up AS MATERIALIZED (
      SELECT given.*, found.seq AS known, found.seq IS NULL AND ord = first AS is_new
      FROM given LEFT JOIN LATERAL (
        SELECT known.seq FROM {schema}.known
        WHERE given.dedupe IS NOT NULL AND known.hash = mark AND known.topic = given.topic
          AND known.key = given.dedupe AND known.at > v_at - p_window * interval '1 second'
        ORDER BY known.seq DESC LIMIT 1
      ) found ON true
    ), numbered AS MATERIALIZED (
      SELECT *, v_before + count(*) FILTER (WHERE is_new) OVER (ORDER BY ord) AS seq FROM looked_up
    ), appended AS (
      INSERT INTO {schema}.events (seq, at, sum, hash, topic, key, trace, block)
        SELECT seq, v_at, v_sum + numbered.sum, hash, topic, key, trace, block FROM numbered WHERE is_new
    ), noted AS (
      INSERT INTO {schema}.known (hash, topic, key, seq, at)
        SELECT mark, topic, dedupe, seq, v_at FROM numbered WHERE is_new AND dedupe IS NOT NULL
    )
    SELECT array_agg(coalesce(numbered.known, original.seq) ORDER BY numbered.ord),
        count(*) FILTER (WHERE numbered.is_new)
      INTO v_numbers, v_new
      FROM numbered JOIN numbered original ON original.ord = numbered.first;
    IF v_new = v_count THEN
      v_numbers := NULL;
    ELSE
      v_count := v_new;
      UPDATE {schema}.log
        SET top = v_before + v_count, sum = CASE WHEN v_count > 0 THEN v_sum + p_weight ELSE v_sum END;
      UPDATE {schema}.nodes SET numbers = v_numbers WHERE node = p_node;
    END IF;
  END IF;
  IF v_count > 0 THEN
    PERFORM pg_notify({channel}, p_node || ' ' || v_before + v_count);
  END IF;
  RETURN v_before || v_numbers;
END $$;

-- Deletes what is too much, `p_most` rows at most, and whether there is more of it. One node at a time.
CREATE FUNCTION {schema}.evict(
  p_epoch bigint, p_age double precision, p_events bigint, p_bytes bigint, p_topics bigint,
  p_young double precision, p_window double precision, p_most bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_log {schema}.log%ROWTYPE;
  v_now timestamptz := clock_timestamp();
  v_gone bigint;
  v_until bigint;
  v_count bigint;
  v_topics bigint := 0;
  v_too_many bigint;
  v_forgotten bigint;
  v_keys bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock({evicting}) THEN
    RETURN false;
  END IF;
  SELECT * INTO v_log FROM {schema}.log WHERE epoch = p_epoch AND format = {format};
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  -- Whoever has deleted rows by hand has not said of which topics.
  v_gone := {schema}.gone(v_log.top, v_log.gone);
  v_forgotten := v_log.forgotten;
  IF v_gone > v_log.gone THEN
    v_forgotten := greatest(v_forgotten, v_gone);
    DELETE FROM {schema}.evicted WHERE seq <= v_gone;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_topics := -v_count;
  END IF;
  SELECT max(seq), count(*) INTO v_until, v_count
  FROM (SELECT seq, at, sum FROM {schema}.events WHERE seq > v_log.swept ORDER BY seq LIMIT p_most) oldest
  WHERE seq <= v_gone OR at < v_now - p_age * interval '1 second'
    OR seq < v_log.top AND at < v_now - p_young * interval '1 second'
      AND (v_log.top - seq >= p_events OR v_log.sum - sum > p_bytes);
  IF v_until IS NOT NULL THEN
    WITH deleted AS (
      DELETE FROM {schema}.events WHERE seq > v_log.swept AND seq <= v_until RETURNING hash, topic, seq
    ), newest AS MATERIALIZED (
      SELECT hash, topic, max(seq) AS seq FROM deleted WHERE seq > v_gone GROUP BY hash, topic
    ), changed AS (
      UPDATE {schema}.evicted SET seq = newest.seq FROM newest
        WHERE evicted.hash = newest.hash AND evicted.topic = newest.topic RETURNING evicted.hash, evicted.topic
    )
    INSERT INTO {schema}.evicted (hash, topic, seq)
      SELECT hash, topic, seq FROM newest WHERE NOT EXISTS (
        SELECT FROM changed WHERE changed.hash = newest.hash AND changed.topic = newest.topic
      );
    GET DIAGNOSTICS v_too_many = ROW_COUNT;
    v_topics := v_topics + v_too_many;
    v_too_many := v_log.topics + v_topics - p_topics;
    IF v_too_many > 0 THEN
      WITH deleted AS (
        DELETE FROM {schema}.evicted WHERE seq IN (SELECT seq FROM {schema}.evicted ORDER BY seq LIMIT v_too_many)
          RETURNING seq
      )
      SELECT greatest(v_forgotten, max(seq)), v_topics - count(*) INTO v_forgotten, v_topics FROM deleted;
    END IF;
  END IF;
  IF v_until IS NOT NULL OR v_gone > v_log.gone THEN
    -- Last, so that the row is not locked for long.
    UPDATE {schema}.log SET gone = greatest(gone, v_gone, v_until), swept = greatest(swept, v_until),
        forgotten = greatest(forgotten, v_forgotten), topics = topics + v_topics
      WHERE epoch = p_epoch;
  END IF;
  DELETE FROM {schema}.known WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {schema}.known WHERE at < v_now - p_window * interval '1 second' ORDER BY at LIMIT 4 * p_most
  ));
  GET DIAGNOSTICS v_keys = ROW_COUNT;
  DELETE FROM {schema}.nodes WHERE at < v_now - interval '1 day';
  RETURN v_count = p_most OR v_keys = 4 * p_most;
END $$;
