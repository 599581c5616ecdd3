-- Where is each plane now, by the airport's name?
--
-- A table joined with another by a column that isn't its key (a foreign key): many planes stand at one airport. When a plane
-- moves on, its row changes; when the airport's row changes, the rows of all planes there do.
--
-- Input: flights, airports
-- Output: PLANE_PLACE, the last record of each key

CREATE STREAM flights (tailnum STRING KEY, carrier STRING, dest STRING, dep_time INT)
  WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE airports (faa STRING PRIMARY KEY, name STRING, tzone STRING)
  WITH (KAFKA_TOPIC='airports', VALUE_FORMAT='JSON');

CREATE TABLE positions AS
  SELECT tailnum, LATEST_BY_OFFSET(dest) AS airport, COUNT(*) AS flights
  FROM flights
  WHERE carrier = 'B6' AND dep_time IS NOT NULL
  GROUP BY tailnum;

CREATE TABLE plane_place AS
  SELECT s.tailnum, s.flights AS flights, p.name AS airport, p.tzone AS zone
  FROM positions s
  JOIN airports p ON s.airport = p.faa;
