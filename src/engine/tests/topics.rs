//! The topics that statements make: partitions, replicas, retention; and records that they don't keep.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::log::TopicSpec;

const DAY_MS: i64 = 86_400_000;

/// A stream over a topic whose retention is as given.
fn over(t: &mut Terminal, name: &str, configs: &[(&str, &str)]) {
    let configs: BTreeMap<_, _> = configs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    t.engine.log().create_topic(&TopicSpec { name: name.to_string(), partitions: 3, replicas: None, configs }).unwrap();
    t.done(&format!("CREATE STREAM {name} (k STRING KEY, v INT) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON');"));
}

/// Partitions, cleanup.policy and retention.ms.
fn made(t: &Terminal, topic: &str) -> (usize, String, String) {
    let topic = t.engine.log().describe_topic(topic).unwrap();
    let config = |name: &str| topic.configs.iter().find(|config| config.name == name).unwrap().value.clone();
    (topic.partitions.len(), config("cleanup.policy"), config("retention.ms"))
}

fn expected(partitions: usize, policy: &str, retention_ms: i64) -> (usize, String, String) {
    (partitions, policy.to_string(), retention_ms.to_string())
}

#[test]
fn a_sink_has_what_its_source_has_unless_it_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    over(&mut t, "kept", &[]);
    over(&mut t, "a_week", &[("retention.ms", "604800000")]);
    // Its time is not in force.
    over(&mut t, "compacted", &[("retention.ms", "1000"), ("cleanup.policy", "compact")]);
    let windowed = "SELECT k, COUNT(*) AS n FROM {} WINDOW TUMBLING (SIZE 1 HOUR, RETENTION 30 DAYS) GROUP BY k;";
    for (statement, topic, like) in [
        ("CREATE STREAM a AS SELECT * FROM kept;", "A", expected(3, "delete", -1)),
        ("CREATE STREAM b AS SELECT * FROM a_week;", "B", expected(3, "delete", 7 * DAY_MS)),
        (
            "CREATE STREAM c WITH (PARTITIONS=2, RETENTION_MS=5000) AS SELECT * FROM a_week;",
            "C",
            expected(2, "delete", 5000),
        ),
        ("CREATE STREAM d WITH (RETENTION_MS=-1) AS SELECT * FROM a_week;", "D", expected(3, "delete", -1)),
        ("CREATE STREAM e AS SELECT * FROM compacted;", "E", expected(3, "delete", -1)),
        ("CREATE TABLE f AS SELECT k, COUNT(*) AS n FROM a_week GROUP BY k;", "F", expected(3, "compact", -1)),
        (
            &format!("CREATE TABLE g AS {}", windowed.replace("{}", "a_week")),
            "G",
            expected(3, "compact,delete", 30 * DAY_MS),
        ),
        (&format!("CREATE TABLE h AS {}", windowed.replace("{}", "kept")), "H", expected(3, "compact", -1)),
        (
            &format!("CREATE TABLE i WITH (RETENTION_MS={}) AS {}", 90 * DAY_MS, windowed.replace("{}", "kept")),
            "I",
            expected(3, "compact,delete", 90 * DAY_MS),
        ),
    ] {
        t.query(statement);
        assert_eq!(made(&t, topic), like, "{statement}");
    }
    assert!(
        t.fails("CREATE TABLE j WITH (RETENTION_MS=5) AS SELECT k, COUNT(*) AS n FROM kept GROUP BY k;")
            .contains("Non-windowed tables do not support retention")
    );
}

/// A key's records would be in two partitions of the table's topic.
#[test]
fn a_table_whose_topic_gets_partitions_is_not_written_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    over(&mut t, "s", &[]);
    let table = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;");
    let stream = t.query("CREATE STREAM o AS SELECT * FROM s;");
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(1)"#]);
    t.engine.shutdown();
    for topic in ["C", "O"] {
        t.engine.log().alter_topic(topic, Some(8), &[]).unwrap();
    }
    drop(t);
    let mut t = Terminal::open(folder.path());
    t.listing("SHOW QUERIES;");
    let state = t.await_state(&table, &|state| matches!(state, QueryState::Failed(_))).to_string();
    for text in ["topic 'C' has 8 partitions now", "placed among 3", "DROP TABLE C"] {
        assert!(state.contains(text), "{text}: {state}");
    }
    t.await_state(&stream, &|state| *state == QueryState::Running);
    t.done("DROP TABLE c DELETE TOPIC;");
    t.query("CREATE TABLE c WITH (PARTITIONS=8) AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;");
    t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(1)"#]);
}

#[test]
fn replicas_are_a_clusters() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let status = t.done(
        "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, REPLICAS=3);",
    );
    assert!(status.warnings[0].contains("REPLICAS = 3 is for a Kafka cluster"), "{:?}", status.warnings);
    // It isn't looked at where the topic is there, either.
    let status = t.done("CREATE STREAM o WITH (REPLICAS=2, KAFKA_TOPIC='s2') AS SELECT * FROM s;");
    assert_eq!(status.warnings.len(), 1);
    let status = t.done("CREATE STREAM p WITH (REPLICAS=1) AS SELECT * FROM s;");
    assert_eq!(status.warnings, Vec::<String>::new());
    let spec = TopicSpec { name: "x".into(), partitions: 1, replicas: Some(2), configs: BTreeMap::new() };
    let error = t.engine.log().create_topic(&spec).unwrap_err().to_string();
    assert!(error.contains("INVALID_REPLICATION_FACTOR"), "{error}");
}

#[test]
fn records_that_their_topic_does_not_keep_are_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut options = options();
    options.tell = Some(Arc::new({
        let told = told.clone();
        move |text: &str| told.lock().push(text.to_owned())
    }));
    let mut t = Terminal::on(Engine::open(folder.path(), options).unwrap());
    over(&mut t, "s", &[]);
    let id = t.query("CREATE STREAM o WITH (RETENTION_MS=3600000, PARTITIONS=1) AS SELECT * FROM s;");
    t.query("CREATE STREAM p WITH (PARTITIONS=1) AS SELECT * FROM s;");
    t.done("INSERT INTO s (k, v) VALUES ('k', 1);");
    t.await_records("O", &[r#"k:{"V":1}"#]);
    assert_eq!(*told.lock(), Vec::<String>::new());
    for v in [2, 3] {
        t.done(&format!("INSERT INTO s (ROWTIME, k, v) VALUES (1500000000000, 'k', {v});"));
    }
    let all = [r#"k:{"V":1}"#, r#"k:{"V":2}"#, r#"k:{"V":3}"#];
    t.await_records("O", &all);
    t.await_records("P", &all);
    let lines = told.lock().clone();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains(&format!("query {id} writes records of 2017-07-14T02:40:00.000 to topic 'O'")),
        "{lines:?}"
    );
    let facts = t.listing(&format!("DESCRIBE {id};")).facts;
    assert!(facts.contains(&("Warning".to_string(), lines[0].clone())), "{facts:?}");
}
