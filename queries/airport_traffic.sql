-- How many flights leave and reach each airport, and how late was the worst?
--
-- A topic that one query reads twice: UNION ALL of what a flight is at its origin, and at its destination if it got there. The
-- topic is read once for both, so both come of the same flights at any time.
--
-- Input: flights
-- Output: AIRPORT_TRAFFIC, the last record of each key

CREATE STREAM flights (tailnum STRING KEY, origin STRING, dest STRING, dep_delay INT, arr_delay INT)
  WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE airport_traffic AS
  SELECT airport, COUNT(*) AS flights, SUM(leaving) AS leaving, MAX(delay) AS worst_delay
  FROM (
    SELECT origin AS airport, 1 AS leaving, dep_delay AS delay
    FROM flights
    UNION ALL
    SELECT dest AS airport, 0 AS leaving, arr_delay AS delay
    FROM flights
    WHERE arr_delay IS NOT NULL
  )
  GROUP BY airport;
