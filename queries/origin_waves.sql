-- How busy is each airport over three hours, looked at anew every hour?
--
-- WINDOW HOPPING makes windows that overlap: each is three hours long and a new one starts every hour, so every flight
-- counts in three of them. A moving sum without a moving part: WINDOWSTART tells the windows apart.
--
-- Input: flights
-- Output: ORIGIN_WAVES, the last record of each key

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

CREATE TABLE origin_waves AS
  SELECT origin, COUNT(*) AS flights, SUM(distance) AS miles
  FROM flights
  WINDOW HOPPING (SIZE 3 HOURS, ADVANCE BY 1 HOUR, GRACE PERIOD 365 DAYS)
  GROUP BY origin;
