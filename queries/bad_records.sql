-- What happens to records that can't be read?
--
-- The topic has broken JSON, a word where a number should be, an array where an object should be, a record without its
-- time. Such records are counted (`run` shows them as bad), written to the processing log with their place and the
-- reason, and the query goes on. A field that is missing is NULL, a field that nobody asked for is left alone, and a
-- number in quotes is a number: those are no errors. After a run, see what was refused with
--   millpond -e "SELECT * FROM KSQL_PROCESSING_LOG;"
--
-- Input: broken
-- Output: READABLE, every record, in order of each partition

CREATE STREAM broken (flight INT, carrier STRING, dep_delay INT, at BIGINT)
  WITH (KAFKA_TOPIC='broken', VALUE_FORMAT='JSON', TIMESTAMP='at');

CREATE STREAM readable AS
  SELECT flight, carrier, dep_delay
  FROM broken;
