//! `kill -9` at random moments of a job of joins, as `kill` does it. What the input doesn't fix isn't compared: in which order
//! the rows of two queries meet. The table that a stream meets is there before it, so that what each row meets is known.

use std::collections::BTreeMap;

use crate::binary::Stored;
use crate::kill::{Mode, kills, outcome, same_finals};

const JOB: &str = "
CREATE STREAM input (id STRING KEY, city STRING, n BIGINT, v BIGINT) WITH (KAFKA_TOPIC='input', VALUE_FORMAT='JSON');
CREATE STREAM few WITH (KAFKA_TOPIC='few') AS SELECT id, city, n, v FROM input WHERE v < 200;
CREATE TABLE last WITH (KAFKA_TOPIC='last') AS
  SELECT id, LATEST_BY_OFFSET(city) AS city, COUNT(*) AS c FROM input GROUP BY id;
CREATE TABLE few_of_id WITH (KAFKA_TOPIC='few_of_id') AS SELECT id, COUNT(*) AS c FROM few GROUP BY id;
CREATE TABLE cities WITH (KAFKA_TOPIC='cities') AS SELECT city, COUNT(*) AS c, MIN(n) AS least FROM few GROUP BY city;
CREATE STREAM pairs WITH (KAFKA_TOPIC='pairs') AS SELECT i.id, i.n AS a, f.n AS b
  FROM input i JOIN few f WITHIN 2 SECONDS GRACE PERIOD 30 DAYS ON i.id = f.id;
CREATE STREAM in_city WITH (KAFKA_TOPIC='in_city') AS SELECT i.city, i.n AS a, f.n AS b
  FROM input i JOIN few f WITHIN 100 MILLISECONDS GRACE PERIOD 30 DAYS ON i.city = f.city;
CREATE TABLE towns (city STRING PRIMARY KEY, size BIGINT) WITH (KAFKA_TOPIC='towns', VALUE_FORMAT='JSON');
CREATE STREAM seen WITH (KAFKA_TOPIC='seen') AS SELECT i.city, i.n AS n, t.size AS size
  FROM input i LEFT JOIN towns t ON i.city = t.city;
CREATE TABLE both WITH (KAFKA_TOPIC='both') AS SELECT l.id, l.c AS all_of_it, w.c AS few
  FROM last l LEFT JOIN few_of_id w ON l.id = w.id;
CREATE TABLE homes WITH (KAFKA_TOPIC='homes') AS SELECT l.id, l.c AS c, t.c AS in_city, t.least AS least
  FROM last l JOIN cities t ON l.city = t.city;
";

/// A stream with itself; tables by what is neither one's key. A job of its own: each query makes a start longer, and kills come
/// soon after it.
const SELF_JOB: &str = "
CREATE STREAM input (id STRING KEY, city STRING, n BIGINT, v BIGINT) WITH (KAFKA_TOPIC='input', VALUE_FORMAT='JSON');
CREATE TABLE last WITH (KAFKA_TOPIC='last') AS SELECT id, COUNT(*) AS c FROM input GROUP BY id;
CREATE TABLE cities WITH (KAFKA_TOPIC='cities') AS SELECT city, COUNT(*) AS c FROM input GROUP BY city;
CREATE STREAM again WITH (KAFKA_TOPIC='again') AS SELECT b.id AS id, a.n AS a, b.n AS b
  FROM input a JOIN input b WITHIN 200 MILLISECONDS GRACE PERIOD 30 DAYS ON TRIM(a.id) = b.id;
CREATE TABLE alike WITH (KAFKA_TOPIC='alike', KEY_FORMAT='JSON') AS SELECT l.id AS id, t.city AS city, l.c AS c, t.c AS d
  FROM last l FULL JOIN cities t ON l.c % 5 = t.c % 5;
";

/// A topic that a query reads twice, as one source and as two.
const TWICE_JOB: &str = "
CREATE STREAM input (id STRING KEY, city STRING, n BIGINT, v BIGINT) WITH (KAFKA_TOPIC='input', VALUE_FORMAT='JSON');
CREATE STREAM amounts (id STRING KEY, v DOUBLE) WITH (KAFKA_TOPIC='input', VALUE_FORMAT='JSON');
CREATE STREAM two_ways WITH (KAFKA_TOPIC='two_ways') AS
  SELECT id, n, v FROM input WHERE v < 300 UNION ALL SELECT city AS id, n, v FROM input PARTITION BY city;
CREATE TABLE sums WITH (KAFKA_TOPIC='sums') AS SELECT id, COUNT(*) AS c, SUM(v) AS v
  FROM (SELECT id, v FROM amounts UNION ALL SELECT city AS id, v FROM input) GROUP BY id;
CREATE TABLE shares WITH (KAFKA_TOPIC='shares') AS SELECT a.id AS id, a.c AS c, b.c AS few
  FROM (SELECT id, COUNT(*) AS c FROM input GROUP BY id) a
  LEFT JOIN (SELECT id, COUNT(*) AS c FROM amounts WHERE v < 200 GROUP BY id) b ON a.id = b.id;
";

/// Each row as often.
const ROWS: [&str; 3] = ["pairs", "in_city", "seen"];
const TABLES: [&str; 2] = ["both", "homes"];

/// This file's job.
const JOINS: Mode = Mode {
    name: "joins",
    job: JOB,
    topics: &["pairs", "in_city", "seen", "both", "homes"],
    caching: false,
    guarantee: "exactly_once_v2",
    kills: 0,
};

#[test]
fn kills_of_joins_with_caching_change_no_final_value() {
    let mode = Mode { name: "joins with caching", caching: true, kills: kills().div_ceil(4), ..JOINS };
    let (disturbed, undisturbed) = outcome(mode);
    for topic in TABLES {
        same_finals(topic, &disturbed[topic], &undisturbed[topic]);
    }
}

#[test]
fn kills_of_joins_change_no_row() {
    let mode = Mode { kills: kills().div_ceil(2), ..JOINS };
    let (disturbed, undisturbed) = outcome(mode);
    for topic in ROWS {
        let (found, expected) = (times(&disturbed[topic]), times(&undisturbed[topic]));
        assert!(expected.len() > 100, "{topic}: {} different rows", expected.len());
        for (row, times) in &expected {
            let found = found.get(row).copied().unwrap_or(0);
            assert_eq!(found, *times, "{topic}: {row} is there {found} times");
        }
        let more = found.keys().find(|row| !expected.contains_key(*row));
        assert_eq!(more, None, "{topic}");
    }
    let met = |row: &&String| row.contains(r#"\"SIZE\":103"#);
    assert!(times(&undisturbed["seen"]).keys().any(|row| met(&row)), "rows of the stream meet the table's");
    for topic in TABLES {
        same_finals(topic, &disturbed[topic], &undisturbed[topic]);
    }
}

#[test]
fn kills_of_self_joins_change_no_row() {
    let mode =
        Mode { name: "self joins", job: SELF_JOB, topics: &["again", "alike"], kills: kills().div_ceil(4), ..JOINS };
    let (disturbed, undisturbed) = outcome(mode);
    let (found, expected) = (times(&disturbed["again"]), times(&undisturbed["again"]));
    assert!(expected.len() > 100, "{} different rows", expected.len());
    assert_eq!(found, expected);
    same_finals("alike", &disturbed["alike"], &undisturbed["alike"]);
}

#[test]
fn kills_while_a_topic_is_read_twice_change_no_row() {
    let topics = &["two_ways", "sums", "shares"];
    let mode = Mode { name: "topics read twice", job: TWICE_JOB, topics, kills: kills().div_ceil(4), ..JOINS };
    let (disturbed, undisturbed) = outcome(mode);
    let (found, expected) = (times(&disturbed["two_ways"]), times(&undisturbed["two_ways"]));
    assert!(expected.len() > 100, "{} different rows", expected.len());
    assert_eq!(found, expected);
    for topic in ["sums", "shares"] {
        same_finals(topic, &disturbed[topic], &undisturbed[topic]);
    }
}

/// How often each row is there.
fn times(partitions: &[Vec<Stored>]) -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    for (partition, record) in
        partitions.iter().enumerate().flat_map(|(at, records)| records.iter().map(move |r| (at, r)))
    {
        let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let row = format!("{partition} {:?} {:?} {}", text(&record.key), text(&record.value), record.timestamp);
        *times.entry(row).or_insert(0) += 1;
    }
    times
}
