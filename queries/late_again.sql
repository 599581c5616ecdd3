-- Is a plane that left late still late when it leaves New York the next time?
--
-- A stream joined with itself: each flight meets those of the same plane (the key of both sides) that leave later, but within twelve
-- hours. A flight would meet itself, too, if the times needn't differ. The topic is read once. The flights come in no
-- order of time, so they are kept for a year: GRACE PERIOD. Those without a tail number have no key and meet nobody.
--
-- Input: flights
-- Output: LATE_AGAIN, the last record of each key

CREATE STREAM flights (tailnum STRING KEY, origin STRING, dep_delay INT)
  WITH (KAFKA_TOPIC='flights', VALUE_FORMAT='JSON');

CREATE TABLE late_again AS
  SELECT b.origin AS origin, COUNT(*) AS pairs,
         SUM(CASE WHEN a.dep_delay > 60 THEN 1 ELSE 0 END) AS late,
         SUM(CASE WHEN a.dep_delay > 60 AND b.dep_delay > 60 THEN 1 ELSE 0 END) AS late_again
  FROM flights a
  JOIN flights b WITHIN (0 HOURS, 12 HOURS) GRACE PERIOD 365 DAYS ON a.tailnum = b.tailnum AND a.ROWTIME < b.ROWTIME
  GROUP BY b.origin;
