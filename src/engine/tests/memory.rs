//! The memory budget.

use super::*;

#[test]
fn a_query_that_outgrows_its_memory_stops_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: 8 << 20, ..options() };
    let mut t = Terminal::on(Engine::open(folder.path(), options).unwrap());
    t.done("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
    let large = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    t.done("CREATE STREAM other (k STRING KEY, v INT) WITH (KAFKA_TOPIC='other', VALUE_FORMAT='JSON', PARTITIONS=1);");
    let small = t.query("CREATE TABLE few AS SELECT v, COUNT(*) AS n FROM other GROUP BY v EMIT CHANGES;");
    let mut records = Records::default();
    for key in 0..40_000 {
        records.push(Some(format!("key {key:0200}").as_bytes()), Some(br#"{"V":1}"#), key);
    }
    let place = TopicPartition { topic: "s".to_string(), partition: 0 };
    t.engine.log().append(&place, &records).unwrap();
    let state = t.await_state(&large, &|state| matches!(state, QueryState::Failed(_)));
    assert!(state.to_string().contains("the memory for all queries together, 8 MB, is not enough"), "{state}");
    assert!(state.to_string().contains("--memory"), "{state}");
    t.done("INSERT INTO other VALUES ('one', 1);");
    t.await_rows("SELECT * FROM few;", &["Int(1) Bigint(1)"]);
    assert_eq!(t.engine.query_state(&small), Some(QueryState::Running));
    assert!(t.listing("SHOW QUERIES;").rows.iter().any(|row| row[0] == large && row[1].starts_with("FAILED")));
}

/// What one query holds, another can't have: here a push query, whose error its reader gets.
#[test]
fn a_push_query_that_outgrows_the_memory_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: 4 << 20, ..options() };
    let mut t = Terminal::on(Engine::open(folder.path(), options).unwrap());
    t.done("SET 'auto.offset.reset' = 'earliest';");
    t.done("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
    fill(&t, "s", 20_000);
    let stream = t.stream("SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    let failed = loop {
        match stream.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Rows(_) => {}
            RowEvent::Failed(error) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert!(failed.to_string().contains("--memory"), "{failed}");
    // It holds nothing any more.
    let asked = now();
    while t.engine.inner.memory.taken() > 0 {
        assert!(asked.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The rows of a table that no query makes are read when somebody asks for them.
#[test]
fn a_followed_table_that_outgrows_the_memory_is_an_error_of_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: 4 << 20, ..options() };
    let mut t = Terminal::on(Engine::open(folder.path(), options).unwrap());
    t.done(
        "CREATE SOURCE TABLE s (k STRING PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    );
    fill(&t, "s", 100);
    assert_eq!(t.rows("SELECT * FROM s;").len(), 100);
    let before = t.engine.inner.memory.taken();
    assert!(before > 100 * 200);
    fill(&t, "s", 20_000);
    for _ in 0..2 {
        assert!(t.fails("SELECT * FROM s;").contains("--memory"));
        assert_eq!(t.engine.inner.memory.taken(), 0);
    }
    t.engine.log().empty_topic("s").unwrap();
    fill(&t, "s", 100);
    assert_eq!(t.rows("SELECT * FROM s;").len(), 100);
}

/// So many records with keys of 200 bytes.
fn fill(t: &Terminal, topic: &str, keys: i64) {
    let mut records = Records::default();
    for key in 0..keys {
        records.push(Some(format!("{key:0200}").as_bytes()), Some(br#"{"V":1}"#), key);
    }
    t.engine.log().append(&TopicPartition { topic: topic.to_string(), partition: 0 }, &records).unwrap();
}
