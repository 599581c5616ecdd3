//! Groups and records larger than Kafka's default for a record.

use super::*;

const S: &str = "CREATE STREAM s (k STRING KEY, v STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";
const LISTS: &str =
    "CREATE TABLE lists AS SELECT k, COUNT(*) AS n, COLLECT_LIST(v) AS vs FROM s GROUP BY k EMIT CHANGES;";

fn place() -> TopicPartition {
    TopicPartition { topic: "s".to_string(), partition: 0 }
}

/// A value of so many bytes.
fn write(log: &dyn Log, key: &str, bytes: usize) {
    let mut records = Records::default();
    records.push(Some(key.as_bytes()), Some(format!(r#"{{"V":"{}"}}"#, "v".repeat(bytes)).as_bytes()), 0);
    log.append(&place(), &records).unwrap();
}

/// Two of them are larger than a record may be by default.
const LARGE: usize = 700_000;

/// The topic of a table takes what its configs say; a group of a query's state has to go into its changelog whatever its size.
#[test]
fn a_group_beyond_the_sink_s_record_size_is_told_and_the_query_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    let id = t.query(LISTS);
    write(&*t.engine.log(), "small", 1);
    write(&*t.engine.log(), "large", LARGE);
    let lengths = "SELECT k, n, ARRAY_LENGTH(vs) FROM lists;";
    t.await_rows(lengths, &[r#"String("large") Bigint(1) Int(1)"#, r#"String("small") Bigint(1) Int(1)"#]);
    write(&*t.engine.log(), "large", LARGE);
    write(&*t.engine.log(), "large", LARGE);
    write(&*t.engine.log(), "small", 1);
    // The key of the record that was not written keeps the one before.
    t.await_rows(lengths, &[r#"String("large") Bigint(1) Int(1)"#, r#"String("small") Bigint(2) Int(2)"#]);
    let told = t.rows("SELECT type, message FROM KSQL_PROCESSING_LOG;");
    let limit = "is larger than max.message.bytes = 1048588 of topic 'LISTS': it was not written";
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.contains(limit) && told.contains("for the key large")));
    assert_eq!(t.engine.query_state(&id).unwrap(), QueryState::Running);
    // A restart knows all of the group, and gives all of it when the topic takes it.
    let changed = [("max.message.bytes".to_string(), Some("10000000".to_string()))];
    t.engine.log().alter_topic("LISTS", None, &changed).unwrap();
    drop(t);
    let mut t = Terminal::open(folder.path());
    write(&*t.engine.log(), "large", 1);
    let expected = [r#"String("large") Bigint(4) Int(4)"#, r#"String("small") Bigint(2) Int(2)"#];
    t.await_rows(lengths, &expected);
}

/// A changelog of a folder from before its records could be large is changed at the start.
#[test]
fn an_earlier_changelog_takes_large_groups_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    let id = t.query(LISTS);
    write(&*t.engine.log(), "k", 1);
    t.await_rows("SELECT n FROM lists;", &["Bigint(1)"]);
    let changelog = t.engine.log().topics().into_iter().find(|topic| topic.ends_with("-changelog")).unwrap();
    let limit = |log: &dyn Log| {
        let configs = log.describe_topic(&changelog).unwrap().configs;
        configs.into_iter().find(|config| config.name == "max.message.bytes").unwrap().value
    };
    assert_eq!(limit(&*t.engine.log()), "1073741824");
    t.engine.log().alter_topic(&changelog, None, &[("max.message.bytes".to_string(), None)]).unwrap();
    assert_eq!(limit(&*t.engine.log()), "1048588");
    drop(t);
    let t = Terminal::open(folder.path());
    t.await_state(&id, &|state| *state == QueryState::Running);
    assert_eq!(limit(&*t.engine.log()), "1073741824");
}
