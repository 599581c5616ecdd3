-- Which routes are flown at all?
--
-- SELECT DISTINCT lets each row through once, the first time that it comes: a stream of news. It remembers all rows that it
-- has seen, also through restarts; WINDOW TUMBLING (SIZE 1 DAY) would let each through once a day. Which of the first
-- flights of a route comes first isn't fixed, where several partitions have one.
--
-- Input: flights
-- Output: ROUTES, every record, in order of each key and DEST

CREATE STREAM flights (
  tailnum STRING KEY, carrier STRING, flight INT, origin STRING, dest STRING,
  dep_time INT, dep_delay INT, distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE STREAM routes AS
  SELECT DISTINCT origin, dest, distance
  FROM flights
  PARTITION BY origin
  EMIT CHANGES;
