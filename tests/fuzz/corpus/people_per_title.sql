-- How many people have each job, and what do they earn?
--
-- A count per word of a column: "hello, world" of streams. To see it move, let `millpond datagen people` write into the
-- topic while this runs.
--
-- Input: people
-- Output: PEOPLE_PER_TITLE, the last record of each key

CREATE STREAM people (
  id STRING KEY, name STRING, title STRING, age INT, city STRING, salary DOUBLE
) WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON');

CREATE TABLE people_per_title AS
  SELECT title, COUNT(*) AS people, MIN(age) AS youngest, MAX(salary) AS best_paid
  FROM people
  GROUP BY title;
