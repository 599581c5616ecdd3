//! Aggregates over tables through restarts: a table's topic is the changelog of its rows.

use super::*;
use crate::log::TopicSpec;

const T: &str = "CREATE TABLE t (k STRING PRIMARY KEY, g INT, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');";
const SUMS: &str = "CREATE TABLE sums AS SELECT g, SUM(v) AS s, COUNT(*) AS n FROM t GROUP BY g EMIT CHANGES;";

fn write(log: &dyn Log, value: &str, row_time: i64) {
    let mut records = Records::default();
    records.push(Some(b"a"), Some(value.as_bytes()), row_time);
    log.append(&TopicPartition { topic: "t".to_string(), partition: 0 }, &records).unwrap();
}

fn table_topic(log: &dyn Log) {
    let configs = [("cleanup.policy", "compact"), ("segment.bytes", "200"), ("min.cleanable.dirty.ratio", "0")];
    let configs = configs.map(|(name, value)| (name.to_string(), value.to_string())).into();
    log.create_topic(&TopicSpec { name: "t".to_string(), partitions: 1, replicas: None, configs }).unwrap();
}

/// A record that could not be read when it came is not read at a restart either: the row before it stays.
#[test]
fn a_bad_record_changes_no_row_at_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    table_topic(&*t.engine.log());
    t.done(T);
    t.query(SUMS);
    write(&*t.engine.log(), r#"{"g":1,"v":5}"#, 1);
    t.await_rows("SELECT * FROM sums;", &["Int(1) Int(5) Bigint(1)"]);
    write(&*t.engine.log(), r#"{"g":"bad","v":5}"#, 2);
    t.await_rows("SELECT type FROM KSQL_PROCESSING_LOG;", &[r#"String("DESERIALIZATION")"#]);
    drop(t);

    let mut t = Terminal::open(folder.path());
    write(&*t.engine.log(), r#"{"g":1,"v":7}"#, 3);
    t.await_rows("SELECT * FROM sums;", &["Int(1) Int(7) Bigint(1)"]);
}

/// While a query is paused, compaction keeps the rows that it has counted: it will take them out again.
#[test]
fn compaction_stops_at_what_a_paused_query_has_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options();
    options.log.maintain_interval = Some(Duration::from_millis(20));
    let mut t = Terminal::on(Engine::open(folder.path(), options.clone()).unwrap());
    table_topic(&*t.engine.log());
    t.done(T);
    let id = t.query(SUMS);
    write(&*t.engine.log(), r#"{"g":1,"v":5}"#, 1);
    t.await_rows("SELECT * FROM sums;", &["Int(1) Int(5) Bigint(1)"]);
    t.done(&format!("PAUSE {id};"));
    t.await_state(&id, &|state| *state == QueryState::Paused);
    let stored = |log: &dyn Log| records(log, "t").len();
    for v in 10..60 {
        write(&*t.engine.log(), &format!(r#"{{"g":1,"v":{v}}}"#), v);
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!(stored(&*t.engine.log()) > 50, "what comes after the position stays as well");
    drop(t);

    let mut t = Terminal::on(Engine::open(folder.path(), options).unwrap());
    t.done(&format!("RESUME {id};"));
    t.await_rows("SELECT * FROM sums;", &["Int(1) Int(59) Bigint(1)"]);
    // Now they may go.
    let asked = now();
    while stored(&*t.engine.log()) > 25 {
        assert!(asked.elapsed() < PATIENCE, "compaction goes on behind the query");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_emptied_topic_empties_its_table() {
    on_both(|t| {
        t.done("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
        t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
        t.done("CREATE SOURCE TABLE c2 (k STRING PRIMARY KEY, n BIGINT) WITH (KAFKA_TOPIC='C', VALUE_FORMAT='JSON');");
        t.done("INSERT INTO s VALUES ('a', 1);");
        t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(1)"#]);
        t.await_rows("SELECT * FROM c2;", &[r#"String("a") Bigint(1)"#]);
        t.engine.log().empty_topic("C").unwrap();
        assert_eq!(t.rows("SELECT * FROM c;"), Vec::<String>::new());
        assert_eq!(t.rows("SELECT * FROM c2;"), Vec::<String>::new());
        t.done("INSERT INTO s VALUES ('b', 1);");
        t.await_rows("SELECT * FROM c;", &[r#"String("b") Bigint(1)"#]);
        t.await_rows("SELECT * FROM c2;", &[r#"String("b") Bigint(1)"#]);
    });
}

#[test]
fn a_source_table_follows_the_topic_of_today() {
    let mut t = Terminal::stepped();
    t.done("CREATE SOURCE TABLE c (k STRING PRIMARY KEY, n INT) WITH (KAFKA_TOPIC='c', VALUE_FORMAT='JSON', PARTITIONS=1);");
    let log = t.engine.log();
    for keys in [&["a", "b", "c"][..], &["d", "e", "f", "g"]] {
        let mut records = Records::default();
        keys.iter().for_each(|key| records.push(Some(key.as_bytes()), Some(br#"{"N":1}"#), 0));
        log.append(&TopicPartition { topic: "c".to_string(), partition: 0 }, &records).unwrap();
        let expected: Vec<String> = keys.iter().map(|key| format!("String({key:?}) Int(1)")).collect();
        assert_eq!(t.rows("SELECT * FROM c;"), expected);
        log.delete_topic("c").unwrap();
        let spec =
            crate::log::TopicSpec { name: "c".to_string(), partitions: 1, replicas: None, configs: Default::default() };
        log.create_topic(&spec).unwrap();
    }
}

#[test]
fn a_topic_tells_who_uses_it() {
    let mut t = Terminal::stepped();
    t.done("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
    let id = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    let users = |t: &Terminal, topic: &str| t.engine.topic_users(topic).unwrap();
    assert_eq!(users(&t, "s").names, ["stream S".to_string(), format!("query {id}")]);
    assert_eq!(users(&t, "s").table, None);
    assert_eq!(users(&t, "C").names, ["table C".to_string(), format!("query {id}")]);
    assert_eq!(users(&t, "C").table, Some(("C".to_string(), id.clone())));
    assert_eq!(users(&t, "x"), Default::default());
    t.done(&format!("TERMINATE {id};"));
    assert_eq!(users(&t, "C").table, None);
    assert_eq!(users(&t, "s").names, ["stream S"]);
}

/// The first rows are looked up alone; where one of them can't be read, the next ones count.
#[test]
fn a_limit_counts_rows_that_can_be_read() {
    let mut t = Terminal::stepped();
    t.engine
        .log()
        .create_topic(&TopicSpec { name: "t".to_string(), partitions: 1, replicas: None, configs: Default::default() })
        .unwrap();
    let mut records = Records::default();
    for (key, value) in [("a", r#"{"v":1}"#), ("b", r#"{"v":"bad"}"#), ("c", r#"{"v":3}"#), ("d", r#"{"v":4}"#)] {
        records.push(Some(key.as_bytes()), Some(value.as_bytes()), 0);
    }
    t.engine.log().append(&TopicPartition { topic: "t".to_string(), partition: 0 }, &records).unwrap();
    t.done("CREATE SOURCE TABLE s (k STRING PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');");
    assert_eq!(t.rows("SELECT v FROM s LIMIT 1;"), ["Int(1)"]);
    assert_eq!(t.rows("SELECT v FROM s LIMIT 2;"), ["Int(1)", "Int(3)"]);
    assert_eq!(t.rows("SELECT v FROM s WHERE v > 1 LIMIT 1;"), ["Int(3)"]);
    assert_eq!(t.rows("SELECT v FROM s LIMIT 9;"), ["Int(1)", "Int(3)", "Int(4)"]);
}

/// The rows of a key in several windows are several rows: a filter takes none of them for the one before.
#[test]
fn a_filter_over_a_windowed_table() {
    on_both(|t| {
        t.done("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.done("SET 'cache.max.bytes.buffering' = '0';");
        t.query("CREATE TABLE w AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY k;");
        for time in [0, 1, 10_000, 10_001] {
            t.done(&format!("INSERT INTO s (ROWTIME, k, v) VALUES ({time}, 'a', 1);"));
        }
        t.await_rows("SELECT n FROM w;", &["Bigint(2)", "Bigint(2)"]);
        let stream = t.stream("SELECT k, WINDOWSTART AS at, n FROM w WHERE n > 1 EMIT CHANGES LIMIT 2;");
        let row = |start: i64| format!("String(\"a\") Bigint({start}) Bigint(2)");
        assert_eq!(next_rows(&stream, 2), [row(0), row(10_000)]);
    });
}
