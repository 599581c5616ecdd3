-- How far does each airline get, by their names?
--
-- Two joins in a row, each by another column: the flights are brought to the partition of their carrier's code, then to
-- that of their destination's. Some destinations are in no list of airports: LEFT JOIN keeps those flights, with NULL
-- for the name.
--
-- Input: flights, airlines, airports
-- Output: AIRLINE_REACH, the last record of each key

CREATE STREAM flights (tailnum STRING KEY, carrier STRING, dest STRING, distance INT)
  WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE airlines (carrier STRING PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC='airlines', VALUE_FORMAT='JSON');

CREATE TABLE airports (faa STRING PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC='airports', VALUE_FORMAT='JSON');

CREATE STREAM named_flights AS
  SELECT f.dest, l.name AS airline, p.name AS airport, f.distance AS distance
  FROM flights f
  JOIN airlines l ON f.carrier = l.carrier
  LEFT JOIN airports p ON f.dest = p.faa;

CREATE TABLE airline_reach AS
  SELECT airline, COUNT(*) AS flights, COUNT(airport) AS to_known_airports, MAX(distance) AS farthest
  FROM named_flights
  GROUP BY airline;
