-- One stream of what went wrong, fed by two queries, and a table that counts it.
--
-- INSERT INTO ... SELECT is the way to bring several queries into one stream (a UNION). The third query reads what the
-- first two write: queries form chains, and each commits what it has done together with how far it has read.
--
-- Input: flights
-- Output: ALERT_COUNTS, the last record of each key

CREATE STREAM flights (
  tailnum STRING KEY, carrier STRING, flight INT, origin STRING, dest STRING,
  dep_time INT, dep_delay INT, distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE STREAM alerts AS
  SELECT tailnum, 'five hours late' AS what, carrier, flight
  FROM flights
  WHERE dep_delay > 300;

INSERT INTO alerts
  SELECT tailnum, 'cancelled' AS what, carrier, flight
  FROM flights
  WHERE dep_time IS NULL;

CREATE TABLE alert_counts WITH (KEY_FORMAT='JSON') AS
  SELECT what, carrier, COUNT(*) AS flights
  FROM alerts
  GROUP BY what, carrier;
