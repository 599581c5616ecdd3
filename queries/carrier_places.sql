-- How far does each carrier reach, and how often is it an hour late?
--
-- COUNT(DISTINCT x) counts each value once, and exactly: all values of a group are kept for it. (COUNT_DISTINCT(x) keeps a
-- sketch, and is about 1 % off once there are many.) FILTER lets an aggregate see some of the rows; the others of the same
-- query see all.
--
-- Input: flights
-- Output: CARRIER_PLACES, the last record of each key

CREATE STREAM flights (
  tailnum STRING KEY, carrier STRING, flight INT, origin STRING, dest STRING,
  dep_time INT, dep_delay INT, distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE carrier_places AS
  SELECT carrier,
         COUNT(DISTINCT dest) AS places,
         COUNT(DISTINCT tailnum) AS planes,
         SUM(DISTINCT distance) AS miles,
         COUNT(*) FILTER (WHERE dep_delay > 60) AS late,
         COUNT(DISTINCT dest) FILTER (WHERE origin = 'JFK') AS places_from_jfk
  FROM flights
  GROUP BY carrier
  EMIT CHANGES;
