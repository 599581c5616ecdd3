-- How late do flights leave when it blows?
--
-- Two streams joined within a time: each flight meets the readings of its airport's weather of the hour before it, up to its
-- own time: WITHIN (before, after). Whichever comes second makes the pair. The flights come in no order of time, so
-- both sides are kept for a year: GRACE PERIOD.
--
-- Input: flights, weather
-- Output: WINDY_DEPARTURES, the last record of each key

CREATE STREAM flights (tailnum STRING KEY, origin STRING, dep_delay INT)
  WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE STREAM weather (origin STRING KEY, wind_speed DOUBLE) WITH (KAFKA_TOPIC='weather', VALUE_FORMAT='JSON');

CREATE TABLE windy_departures AS
  SELECT f.origin, COUNT(*) AS readings, COUNT(f.dep_delay) AS departed, MAX(f.dep_delay) AS worst_delay,
         MAX(w.wind_speed) AS strongest_wind
  FROM flights f
  JOIN weather w WITHIN (1 HOUR, 0 HOURS) GRACE PERIOD 365 DAYS ON f.origin = w.origin
  WHERE w.wind_speed >= 20
  GROUP BY f.origin;
