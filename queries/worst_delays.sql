-- The three longest delays of each carrier, how many planes it used, and where it left from.
--
-- Aggregates can give more than a number: TOPK gives an array, HISTOGRAM a map from value to count.
--
-- Input: flights
-- Output: WORST_DELAYS, the last record of each key

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

CREATE TABLE worst_delays AS
  SELECT carrier, TOPK(dep_delay, 3) AS worst, COUNT_DISTINCT(tailnum) AS planes, HISTOGRAM(origin) AS origins
  FROM flights
  GROUP BY carrier;
