-- Which part of an airport's departures has each airline?
--
-- Two aggregates of one topic, joined: each airline's flights from an airport with all flights from there (a foreign key: part of
-- the left key is the whole of the right one). The topic is read once for both, so a part is never of more flights than the whole.
--
-- Input: flights
-- Output: CARRIER_SHARE, the last record of each key

CREATE STREAM flights (tailnum STRING KEY, origin STRING, carrier STRING)
  WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE carrier_share WITH (KEY_FORMAT='JSON') AS
  WITH by_carrier AS (SELECT origin, carrier, COUNT(*) AS flights FROM flights GROUP BY origin, carrier),
  by_origin AS (SELECT origin, COUNT(*) AS flights FROM flights GROUP BY origin)
  SELECT c.origin AS origin, c.carrier AS carrier, c.flights AS flights, o.flights AS all_flights
  FROM by_carrier c
  JOIN by_origin o ON c.origin = o.origin;
