-- Long flights, keyed by where they go.
--
-- PARTITION BY gives the rows of a stream another key and sends each to the partition of its new key. Two rows keep
-- their order if they come from the same partition and go to the same partition: so do the flights of one plane to one
-- place. Flights of different planes to the same place may change places. The old key becomes a column of the value.
--
-- Input: flights
-- Output: LONG_HAULS, every record, in order of each key and TAILNUM

CREATE STREAM flights (
  tailnum STRING KEY, carrier STRING, flight INT, origin STRING, dest STRING,
  dep_time INT, dep_delay INT, distance INT
) WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE STREAM long_hauls AS
  SELECT dest, tailnum, carrier, flight, origin, distance, ROWTIME AS scheduled
  FROM flights
  WHERE distance >= 2500
  PARTITION BY dest;
