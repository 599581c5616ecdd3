-- How late does each carrier leave?
--
-- GROUP BY makes a table: one row a carrier, changed by every flight. The topic is keyed by tail number, the table by
-- carrier, so the rows are sent on to the partition of their carrier first (a repartitioning). COUNT(*) counts rows;
-- COUNT(column), AVG and MAX leave NULLs out, so flights without a delay (cancelled ones) count only in FLIGHTS.
--
-- Input: flights
-- Output: CARRIER_DELAYS, the last record of each key

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

CREATE TABLE carrier_delays AS
  SELECT
    carrier,
    COUNT(*) AS flights,
    COUNT(dep_delay) AS departed,
    AVG(dep_delay) AS mean_delay,
    MAX(dep_delay) AS worst_delay
  FROM flights
  GROUP BY carrier
  EMIT CHANGES;
