//! Records that can't be processed and rows that come too late: where they lie, how many they are, and who is told.

use super::*;
use crate::log::TopicSpec;

/// Makes topic `s` of two partitions. `records`: partition, row time and value; their offsets count from 0.
fn topic(t: &Terminal, records: &[(u32, i64, &str)]) {
    let log = t.engine.log();
    log.create_topic(&TopicSpec { name: "s".to_string(), partitions: 2, replicas: None, configs: [].into() }).unwrap();
    for (partition, row_time, value) in records {
        let mut record = Records::default();
        record.push(None, Some(value.as_bytes()), *row_time);
        log.append(&TopicPartition { topic: "s".to_string(), partition: *partition }, &record).unwrap();
    }
}

/// The processing log: type, topic, partition, offset and time.
const PLACES: &str = "SELECT TYPE, TOPIC, PARTITION_ID, RECORD_OFFSET, RECORD_TIME FROM KSQL_PROCESSING_LOG;";

fn place(kind: &str, partition: u32, offset: i64, row_time: i64) -> String {
    format!(r#"String("{kind}") String("s") Int({partition}) Bigint({offset}) Bigint({row_time})"#)
}

fn await_places(t: &mut Terminal, mut expected: Vec<String>) {
    expected.sort();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    t.await_rows(PLACES, &expected);
}

/// A column of the only query in SHOW QUERIES.
fn shown_count(t: &mut Terminal, column: &str) -> String {
    let listing = t.listing("SHOW QUERIES;");
    let at = listing.columns.iter().position(|name| name == column).unwrap();
    listing.rows[0][at].clone()
}

const FAILING: [(u32, i64, &str); 7] = [
    (0, 10, r#"{"A":1,"B":1,"W":true}"#),
    (0, 11, "no JSON"),
    (0, 12, r#"{"A":0,"B":1,"W":false}"#),
    (0, 13, r#"{"A":0,"B":1,"W":true}"#),
    (1, 14, r#"{"A":1,"B":1,"W":false}"#),
    // Two expressions fail: one bad record.
    (1, 15, r#"{"A":0,"B":0,"W":true}"#),
    (1, 16, r#"{"A":2,"B":2,"W":true}"#),
];
const S: &str = "CREATE STREAM s (a INT, b INT, w BOOLEAN) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');";

#[test]
fn the_processing_log_has_the_place_of_every_bad_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    topic(&t, &FAILING);
    t.done("SET 'auto.offset.reset' = 'earliest';");
    t.done(S);
    // The filter takes offset 2 of partition 0 and offset 0 of partition 1 out before anything of them fails.
    t.query("CREATE STREAM o AS SELECT 10 / a AS x, 10 / b AS y FROM s WHERE w;");
    let expected = vec![
        place("DESERIALIZATION", 0, 1, 11),
        place("RECORD_PROCESSING", 0, 3, 13),
        place("RECORD_PROCESSING", 1, 1, 15),
        place("RECORD_PROCESSING", 1, 1, 15),
    ];
    await_places(&mut t, expected);
    assert_eq!(shown_count(&mut t, "Bad"), "3");
    let facts = t.listing("DESCRIBE o EXTENDED;").facts;
    let (_, written) = facts.iter().find(|(name, _)| name == "Written by").unwrap();
    assert!(written.contains("late 0, bad 3,"), "{written}");
}

/// Behind an exchange, too: rows of all groups come late, whatever partition their group is in.
#[test]
fn the_processing_log_has_the_place_of_rows_behind_an_exchange() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let in_time: Vec<String> = (0..8).map(|group| format!(r#"{{"A":{group},"W":true}}"#)).collect();
    let mut records: Vec<(u32, i64, &str)> = in_time.iter().map(|value| (0, 105, value.as_str())).collect();
    records.push((0, 105, r#"{"A":1,"W":false}"#));
    // Offsets 9 to 16: [50, 60) closed when stream time was 60.
    records.extend(in_time.iter().map(|value| (0, 50, value.as_str())));
    records.push((0, 105, r#"{"W":true}"#));
    topic(&t, &records);
    t.done("SET 'auto.offset.reset' = 'earliest';");
    t.done(S);
    t.query(
        "CREATE TABLE o AS SELECT a, COUNT(*) AS n FROM s \
         WINDOW TUMBLING (SIZE 10 MILLISECONDS, GRACE PERIOD 0 MILLISECONDS) WHERE w GROUP BY a;",
    );
    let mut expected: Vec<String> = (9..17).map(|offset| place("LATE", 0, offset, 50)).collect();
    expected.push(place("RECORD_PROCESSING", 0, 17, 105));
    await_places(&mut t, expected);
    assert_eq!((shown_count(&mut t, "Late"), shown_count(&mut t, "Bad")), ("8".to_string(), "1".to_string()));
}

/// Compaction leaves gaps between the offsets of a batch.
#[test]
fn places_are_right_where_records_are_missing_between() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options();
    options.log.maintain_interval = Some(Duration::from_millis(20));
    let mut t = Terminal::on(Engine::open(folder.path(), options).unwrap());
    let log = t.engine.log();
    let configs = [("cleanup.policy", "compact"), ("segment.bytes", "200"), ("min.cleanable.dirty.ratio", "0")];
    let configs = configs.map(|(name, value)| (name.to_string(), value.to_string())).into();
    log.create_topic(&TopicSpec { name: "s".to_string(), partitions: 1, replicas: None, configs }).unwrap();
    let s = TopicPartition { topic: "s".to_string(), partition: 0 };
    // Of 20 records of one key between others the last stays, with offset 20; what stands before and behind stays.
    let record = |key: &str, value: &str| {
        let mut record = Records::default();
        record.push(Some(key.as_bytes()), Some(value.as_bytes()), 7);
        log.append(&s, &record).unwrap();
    };
    record("first", r#"{"A":1}"#);
    (0..20).for_each(|_| record("again", r#"{"A":0}"#));
    (0..20).for_each(|number| record(&format!("other {number}"), r#"{"A":1}"#));
    let asked = now();
    while records(&*log, "s").len() > 22 {
        assert!(asked.elapsed() < PATIENCE, "{:?}", records(&*log, "s"));
        std::thread::sleep(Duration::from_millis(10));
    }
    t.done("SET 'auto.offset.reset' = 'earliest';");
    t.done("CREATE STREAM s (k STRING KEY, a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');");
    t.query("CREATE STREAM o AS SELECT k, 10 / a AS x FROM s;");
    await_places(&mut t, vec![place("RECORD_PROCESSING", 0, 20, 7)]);
}

#[test]
fn readers_are_told_of_bad_records() {
    on_both(|t| {
        topic(t, &FAILING);
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.done(S);
        let told = "3 records had errors, the first at topic s, partition 0, offset 1: ";
        // Six of the seven records are JSON.
        let (rows, told_all) = warnings(t.stream("SELECT a, 10 / a AS x FROM s;"));
        assert_eq!((rows, told_all.len()), (6, 1));
        let four = told.replace("3 records", "4 records");
        assert!(told_all[0].starts_with(&four), "{told_all:?}");
        let (rows, told_limited) =
            warnings(t.stream("SELECT 10 / a AS x, 10 / b AS y FROM s WHERE w EMIT CHANGES LIMIT 3;"));
        assert_eq!((rows, told_limited.len()), (3, 1));
        assert!(told_limited[0].starts_with(told), "{told_limited:?}");
        let (rows, none) = warnings(t.stream("SELECT * FROM s WHERE a = 2 EMIT CHANGES LIMIT 1;"));
        let only = "1 record had an error, at topic s, partition 0, offset 1: ";
        assert_eq!((rows, none.len()), (1, 1));
        assert!(none[0].starts_with(only), "{none:?}");
    });
}

#[test]
fn readers_of_tables_are_told_of_rows_that_fail() {
    on_both(|t| {
        topic(t, &[(0, 1, r#"{"A":0}"#), (0, 2, r#"{"A":2}"#)]);
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.done(S);
        t.query("CREATE TABLE o AS SELECT a, COUNT(*) AS n FROM s GROUP BY a;");
        t.await_rows("SELECT n FROM o;", &["Bigint(1)", "Bigint(1)"]);
        assert_eq!(warnings(t.stream("SELECT 10 / n AS x FROM o;")), (2, vec![]));
        let (rows, told) = warnings(t.stream("SELECT 10 / a AS x FROM o;"));
        assert_eq!((rows, told.len()), (2, 1));
        assert!(told[0].starts_with("1 record had an error, in a row made of several records: "), "{told:?}");
    });
}

/// What a row is joined by is NULL: LEFT JOIN leaves it out, and says where it lies, also when it was on its way to its partition.
#[test]
fn rows_that_a_left_join_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    topic(&t, &[(0, 10, r#"{"A":1}"#), (1, 11, r#"{"A":null}"#), (1, 12, r#"{"A":2}"#)]);
    t.done("CREATE STREAM s (a INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');");
    t.done("CREATE TABLE u (a INT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='u', VALUE_FORMAT='JSON', PARTITIONS=2);");
    t.done("SET 'auto.offset.reset' = 'earliest';");
    t.query("CREATE STREAM o WITH (PARTITIONS=1) AS SELECT s.a, v FROM s LEFT JOIN u ON s.a = u.a;");
    t.await_in_any_order("O", &["\0\0\0\u{1}:{\"V\":null}", "\0\0\0\u{2}:{\"V\":null}"]);
    let log = "SELECT TYPE, RECORD_TIME FROM KSQL_PROCESSING_LOG;";
    t.await_rows(log, &[r#"String("RECORD_PROCESSING") Bigint(11)"#]);
    assert_eq!(shown_count(&mut t, "Bad"), "1");
}
