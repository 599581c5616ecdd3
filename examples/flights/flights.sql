-- The main job: six questions to the flights that left New York City, all answered while the rows go by.
-- Each is explained by itself in queries/.

CREATE STREAM flights (
  tailnum STRING KEY,
  carrier STRING,
  flight INT,
  origin STRING,
  dest STRING,
  dep_time INT,
  dep_delay INT,
  arr_delay INT,
  distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

-- Which flights left an hour late or more?
CREATE STREAM late_departures AS
  SELECT tailnum, carrier, flight, origin, dest, dep_delay
  FROM flights
  WHERE dep_delay >= 60;

-- How late is each carrier?
CREATE TABLE carrier_delays AS
  SELECT
    carrier,
    COUNT(*) AS flights,
    COUNT(dep_time) AS departed,
    AVG(dep_delay) AS mean_delay,
    MAX(dep_delay) AS worst_delay,
    MIN(arr_delay) AS best_arrival
  FROM flights
  GROUP BY carrier;

-- And in each hour? The grace covers the file's disorder: its months run 1, 10, 11, 12, 2, ...
CREATE TABLE carrier_hours AS
  SELECT carrier, COUNT(*) AS flights, AVG(dep_delay) AS mean_delay, MAX(dep_delay) AS worst_delay
  FROM flights
  WINDOW TUMBLING (SIZE 1 HOUR, GRACE PERIOD 365 DAYS)
  GROUP BY carrier;

-- How busy is each airport over three hours, looked at anew every hour?
CREATE TABLE origin_waves AS
  SELECT origin, COUNT(*) AS flights, SUM(distance) AS miles
  FROM flights
  WINDOW HOPPING (SIZE 3 HOURS, ADVANCE BY 1 HOUR, GRACE PERIOD 365 DAYS)
  GROUP BY origin;

-- Where did each plane fly last?
CREATE TABLE plane_position AS
  SELECT tailnum, LATEST_BY_OFFSET(dest) AS airport, LATEST_BY_OFFSET(flight) AS flight, COUNT(*) AS flights
  FROM flights
  WHERE dep_time IS NOT NULL
  GROUP BY tailnum;

-- When was each plane around, with no more than half a day between two flights?
CREATE TABLE plane_trips AS
  SELECT tailnum, COUNT(*) AS flights, SUM(distance) AS miles
  FROM flights
  WINDOW SESSION (12 HOURS, GRACE PERIOD 365 DAYS)
  GROUP BY tailnum;
