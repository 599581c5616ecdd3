-- How many flights of each carrier left JFK in each hour, and how late?
--
-- WINDOW TUMBLING cuts time into hours that don't overlap. A row belongs to the hour of its own time (ROWTIME), not to
-- the hour in which it is read: the same input gives the same answer tomorrow.
--
-- A window is open until GRACE PERIOD after its end, by the newest row time seen so far. The file's months run 1, 10,
-- 11, 12, 2, 3, ...: most rows come long after newer ones, so the grace must cover a year. no_grace.sql shows what
-- happens otherwise.
--
-- An hour whose flights were all cancelled has no delay at all: MAX of no value is NULL, AVG of no value is 0.0, as in
-- ksqlDB.
--
-- Input: flights
-- Output: CARRIER_HOURS, the last record of each key

CREATE STREAM flights (
  tailnum STRING KEY, carrier STRING, flight INT, origin STRING, dest STRING,
  dep_time INT, dep_delay INT, distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE carrier_hours AS
  SELECT carrier, COUNT(*) AS flights, AVG(dep_delay) AS mean_delay, MAX(dep_delay) AS worst_delay
  FROM flights
  WINDOW TUMBLING (SIZE 1 HOUR, GRACE PERIOD 365 DAYS)
  WHERE origin = 'JFK'
  GROUP BY carrier;
