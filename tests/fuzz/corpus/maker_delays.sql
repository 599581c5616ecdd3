-- Whose planes are late?
--
-- A stream joined with a table: each flight meets the row that the table has for its plane just then. So the plane must be
-- in the table before the flight comes, and "before" is told by the records' times: the planes are written with a time
-- before all flights. A flight whose plane nobody knows gives nothing (JOIN, not LEFT JOIN). Both topics have the tail number as
-- their key and as many partitions: what belongs together lies in the partitions of the same number.
--
-- Input: flights, planes
-- Output: MAKER_DELAYS, the last record of each key

CREATE STREAM flights (tailnum STRING KEY, dep_delay INT) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE planes (tailnum STRING PRIMARY KEY, manufacturer STRING, seats INT)
  WITH (KAFKA_TOPIC='planes', VALUE_FORMAT='JSON');

CREATE TABLE maker_delays AS
  SELECT p.manufacturer, COUNT(*) AS flights, SUM(p.seats) AS seats, MAX(f.dep_delay) AS worst_delay
  FROM flights f
  JOIN planes p ON f.tailnum = p.tailnum
  GROUP BY p.manufacturer;
