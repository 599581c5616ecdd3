-- What happens to late rows when nobody says how late they may be?
--
-- Without GRACE PERIOD a window stays open until 24 hours after its start (ksqlDB's default: a grace of 24 hours less
-- the window's size). The file's months run 1, 10, 11, 12, 2, 3, ..., 9. When October comes, time moves on by nine
-- months; when February comes, every window it would belong to is long closed. So eight months are missing from this
-- table. Nothing is lost in silence: `run` shows the number of late rows, and the processing log has each of them.
--
-- The topic is keyed by airport. So there is no repartitioning, and every row is judged against those before it in its
-- partition, in the order of the file.
--
-- Input: departures
-- Output: NO_GRACE, the last record of each key

CREATE STREAM departures (
  origin STRING KEY, carrier STRING, dep_delay INT
) WITH (KAFKA_TOPIC='departures', VALUE_FORMAT='JSON');

CREATE TABLE no_grace AS
  SELECT origin, COUNT(*) AS flights
  FROM departures
  WINDOW TUMBLING (SIZE 1 HOUR)
  GROUP BY origin;
