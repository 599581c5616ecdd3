-- Where did each plane of JetBlue fly last?
--
-- LATEST_BY_OFFSET keeps the value of the last row of each key: last by its place in the topic, not by its time. The
-- topic is keyed by tail number, so all rows of a plane are in one partition and "last" means something. The file ends
-- with September: that, not December, is where these positions are from. A table like this answers
-- SELECT * FROM plane_position WHERE tailnum = 'N632JB'; at once, while it goes on changing.
--
-- Input: flights
-- Output: PLANE_POSITION, the last record of each key

CREATE STREAM flights (
  tailnum STRING KEY, carrier STRING, flight INT, origin STRING, dest STRING,
  dep_time INT, dep_delay INT, distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE plane_position AS
  SELECT tailnum,
         LATEST_BY_OFFSET(dest) AS airport,
         LATEST_BY_OFFSET(flight) AS flight,
         EARLIEST_BY_OFFSET(origin) AS first_seen_at,
         COUNT(*) AS flights
  FROM flights
  WHERE carrier = 'B6' AND dep_time IS NOT NULL
  GROUP BY tailnum;
