-- Routes with at least a hundred flights.
--
-- A key may have several columns. KAFKA, the usual format of keys, holds one; JSON holds any number, so KEY_FORMAT is
-- given. HAVING looks at the aggregated row: a route appears in the table when it has a hundred flights, not before.
--
-- Input: flights
-- Output: BUSY_ROUTES, the last record of each key

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

CREATE TABLE busy_routes WITH (KEY_FORMAT='JSON') AS
  SELECT origin, dest, COUNT(*) AS flights, COUNT_DISTINCT(carrier) AS carriers
  FROM flights
  GROUP BY origin, dest
  HAVING COUNT(*) >= 100;
