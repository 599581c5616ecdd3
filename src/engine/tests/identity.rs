//! A topic that is deleted and created again under its name is another topic.

use super::*;
use crate::log::TopicSpec;

const S: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";

/// Another topic `s`, with `count` records of key `a`.
fn replace_topic(log: &dyn Log, count: i64) {
    log.delete_topic("s").unwrap();
    log.create_topic(&TopicSpec { name: "s".to_string(), partitions: 1, replicas: None, configs: Default::default() })
        .unwrap();
    let mut records = Records::default();
    (0..count).for_each(|v| records.push(Some(b"a"), Some(format!(r#"{{"V":{}}}"#, 100 + v).as_bytes()), v));
    log.append(&TopicPartition { topic: "s".to_string(), partition: 0 }, &records).unwrap();
}

/// The records of the topic that `replace_topic` made, as a query that copies them writes them.
fn copies(range: std::ops::Range<i64>) -> Vec<String> {
    range.map(|v| format!(r#"a:{{"V":{}}}"#, 100 + v)).collect()
}

fn await_copies(t: &Terminal, before: &str, count: i64) {
    let expected: Vec<String> = std::iter::once(before.to_string()).chain(copies(0..count)).collect();
    t.await_records("O", &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

fn is_failed(state: &QueryState) -> bool {
    matches!(state, QueryState::Failed(_))
}

#[test]
fn a_paused_query_without_state_reads_the_new_topic_from_its_beginning() {
    for count in [1, 5] {
        let folder = tempfile::tempdir().unwrap();
        let mut t = Terminal::open(folder.path());
        t.done(S);
        let copy = t.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
        t.done("INSERT INTO s VALUES ('b', 1);");
        t.await_records("O", &[r#"b:{"V":1}"#]);
        t.done(&format!("PAUSE {copy};"));
        t.await_state(&copy, &|state| *state == QueryState::Paused);
        replace_topic(&*t.engine.log(), count);
        t.done(&format!("RESUME {copy};"));
        await_copies(&t, r#"b:{"V":1}"#, count);
        t.await_state(&copy, &|state| *state == QueryState::Running);
    }
}

#[test]
fn a_stopped_query_without_state_reads_the_new_topic_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    t.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    t.done("INSERT INTO s VALUES ('b', 1);");
    t.await_records("O", &[r#"b:{"V":1}"#]);
    t.engine.shutdown();
    replace_topic(&*t.engine.log(), 5);
    drop(t);
    let mut t = Terminal::open(folder.path());
    t.listing("SHOW QUERIES;");
    await_copies(&t, r#"b:{"V":1}"#, 5);
}

#[test]
fn a_query_with_state_does_not_mix_two_topics() {
    for stopped in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut t = Terminal::open(folder.path());
        t.done(S);
        let create = "CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;";
        let count = t.query(create);
        t.done("INSERT INTO s VALUES ('a', 1);");
        t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(1)"#]);
        if stopped {
            t.engine.shutdown();
            replace_topic(&*t.engine.log(), 5);
            drop(t);
            t = Terminal::open(folder.path());
            t.listing("SHOW QUERIES;");
        } else {
            t.done(&format!("PAUSE {count};"));
            t.await_state(&count, &|state| *state == QueryState::Paused);
            replace_topic(&*t.engine.log(), 5);
            t.done(&format!("RESUME {count};"));
        }
        let state = t.await_state(&count, &is_failed).to_string();
        assert!(state.contains("topic 's' was deleted and created again") && state.contains("DROP"), "{state}");
        t.done("DROP TABLE c DELETE TOPIC;");
        t.query(create);
        t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(5)"#]);
    }
}

#[test]
fn a_push_query_says_that_its_topic_is_another() {
    let mut t = Terminal::stepped();
    t.done(S);
    t.done("INSERT INTO s VALUES ('b', 1);");
    let stream = t.stream("SELECT * FROM s EMIT CHANGES;");
    assert_eq!(next_rows(&stream, 1), [r#"String("b") Int(1)"#]);
    replace_topic(&*t.engine.log(), 5);
    let failed = loop {
        match stream.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Rows(_) => {}
            other => break other,
        }
    };
    match failed {
        // It may look in the moment when there is none, or fetch before it looks.
        RowEvent::Failed(error) => assert!(
            ["deleted and created again", "'s' does not exist", "not the one that the query has read so far"]
                .iter()
                .any(|said| error.what.contains(said)),
            "{error}"
        ),
        other => panic!("{other:?}"),
    }
}
