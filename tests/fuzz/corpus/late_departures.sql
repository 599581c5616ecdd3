-- Which flights left an hour late or more?
--
-- The simplest kind of query: each row is looked at by itself and goes on or does not. Nothing is remembered, nothing
-- moves: a row stays in the partition of its tail number, so the flights of one plane come out in the order in which
-- they went in. Rows whose DEP_DELAY is NULL (cancelled flights) fail the comparison and are dropped.
--
-- Input: flights
-- Output: LATE_DEPARTURES, every record, in order of each key

CREATE STREAM flights (
  tailnum STRING KEY, carrier STRING, flight INT, origin STRING, dest STRING,
  dep_time INT, dep_delay INT, distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE STREAM late_departures AS
  SELECT tailnum, carrier, flight, origin, dest, dep_delay,
         CASE WHEN dep_delay >= 180 THEN 'very late' ELSE 'late' END AS how
  FROM flights
  WHERE dep_delay >= 60;
