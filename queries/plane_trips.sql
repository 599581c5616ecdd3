-- When was a plane busy in New York, and when was it away?
--
-- WINDOW SESSION has no fixed length: a session lasts as long as the next flight of the same plane comes within the
-- gap, here 12 hours. A flight that falls between two sessions joins them: the two old rows are deleted (tombstones)
-- and the joined one is written. So the topic holds rows that were true for a while; the last record of each key counts.
-- A session with one flight starts and ends at the same moment.
--
-- Input: flights
-- Output: PLANE_TRIPS, the last record of each key

CREATE STREAM flights (
  tailnum STRING KEY,
  carrier STRING,
  flight INT,
  origin STRING,
  dest STRING,
  dep_time INT,
  dep_delay INT,
  distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE plane_trips AS
  SELECT tailnum, COUNT(*) AS flights, SUM(distance) AS miles
  FROM flights
  WINDOW SESSION (12 HOURS, GRACE PERIOD 365 DAYS)
  WHERE carrier IN ('AS', 'F9', 'HA', 'VX')
  GROUP BY tailnum;
