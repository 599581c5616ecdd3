-- What order does a topic keep?
--
-- Eight people say the numbers 1 to 8, all ones first, then all twos, and so on. The topic has eight partitions, and a
-- person's name decides the partition. ROWPARTITION and ROWOFFSET show where each record lies: within a partition the
-- numbers come in the order in which they were said, each with the next offset; between partitions there is no order,
-- and some partitions stay empty while others have several people. Who needs an order needs a key that holds together what
-- must stay in order.
--
-- Input: numbers
-- Output: NUMBERS_PLACED, every record, in order of each partition

CREATE STREAM numbers (person STRING KEY, number INT) WITH (KAFKA_TOPIC='numbers', VALUE_FORMAT='DELIMITED');

CREATE STREAM numbers_placed WITH (VALUE_FORMAT='JSON') AS
  SELECT person, number, ROWPARTITION AS in_partition, ROWOFFSET AS at_offset
  FROM numbers;
