-- One row for each airport and day, and only when the day is over.
--
-- EMIT FINAL holds a window's row back until the window is closed: until a row comes that is newer than the window's end
-- and its grace. Each day gives one record that never changes again: good for a mail or a bill. The price: the last two
-- days of the input are never closed, since no newer row comes, and a grace short enough to close anything drops the
-- months that come too late (see no_grace.sql).
--
-- Input: departures
-- Output: DAILY_FINAL, every record, in order of each key

CREATE STREAM departures (origin STRING KEY, carrier STRING, dep_delay INT)
  WITH (KAFKA_TOPIC='departures', VALUE_FORMAT='JSON');

CREATE TABLE daily_final AS
  SELECT origin, COUNT(*) AS flights, AVG(dep_delay) AS mean_delay
  FROM departures
  WINDOW TUMBLING (SIZE 1 DAY, GRACE PERIOD 1 DAY)
  GROUP BY origin
  EMIT FINAL;
