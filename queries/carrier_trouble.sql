-- Which carriers have cancelled flights, flights five hours late, or both?
--
-- Two tables joined by their keys. FULL OUTER JOIN gives a row for each key that one of them has; which of them has it isn't
-- known beforehand, so the key gets a column of its own, ROWKEY.
--
-- Input: flights
-- Output: CARRIER_TROUBLE, the last record of each key

CREATE STREAM flights (tailnum STRING KEY, carrier STRING, dep_time INT, dep_delay INT)
  WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE cancelled AS
  SELECT carrier, COUNT(*) AS flights
  FROM flights
  WHERE dep_time IS NULL
  GROUP BY carrier;

CREATE TABLE late AS
  SELECT carrier, COUNT(*) AS flights
  FROM flights
  WHERE dep_delay > 300
  GROUP BY carrier;

CREATE TABLE carrier_trouble AS
  SELECT ROWKEY AS carrier, c.flights AS cancelled, l.flights AS late
  FROM cancelled c
  FULL OUTER JOIN late l ON c.carrier = l.carrier;
