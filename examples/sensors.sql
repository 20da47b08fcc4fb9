CREATE TABLE IF NOT EXISTS readings (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sensor text NOT NULL,
  celsius double precision NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What each sensor has read in each second. A view would say the same; but the changes of a view cannot be seen, those of
-- a table can.
CREATE TABLE IF NOT EXISTS sensors_view_1s (
  sensor text,
  second timestamptz,
  readings bigint NOT NULL,
  lowest double precision NOT NULL,
  highest double precision NOT NULL,
  total double precision NOT NULL,
  average double precision GENERATED ALWAYS AS (total / readings) STORED,
  PRIMARY KEY (sensor, second)
);

CREATE OR REPLACE FUNCTION add_to_sensors_view_1s() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO sensors_view_1s AS v (sensor, second, readings, lowest, highest, total)
    VALUES (NEW.sensor, date_trunc('second', NEW.at), 1, NEW.celsius, NEW.celsius, NEW.celsius)
    ON CONFLICT (sensor, second) DO UPDATE SET
      readings = v.readings + 1,
      lowest = least(v.lowest, excluded.lowest),
      highest = greatest(v.highest, excluded.highest),
      total = v.total + excluded.total;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER add_to_sensors_view_1s AFTER INSERT ON readings
  FOR EACH ROW EXECUTE FUNCTION add_to_sensors_view_1s();
