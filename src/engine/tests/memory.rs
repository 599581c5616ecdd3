//! The memory budget.

use super::*;

#[test]
fn a_query_that_outgrows_its_memory_stops_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: 8 << 20, ..options() };
    let mut t = Terminal::on(Engine::open(folder.path(), options).unwrap());
    t.done("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
    let large = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    let small = t.query("CREATE TABLE few AS SELECT v, COUNT(*) AS n FROM s GROUP BY v EMIT CHANGES;");
    let mut records = Records::default();
    for key in 0..40_000 {
        records.push(Some(format!("key {key:0200}").as_bytes()), Some(br#"{"V":1}"#), key);
    }
    let place = TopicPartition { topic: "s".to_string(), partition: 0 };
    t.engine.log().append(&place, &records).unwrap();
    let state = t.await_state(&large, &|state| matches!(state, QueryState::Failed(_)));
    assert!(state.to_string().contains("more than the") && state.to_string().contains("--memory"), "{state}");
    t.await_rows("SELECT * FROM few;", &["Int(1) Bigint(40000)"]);
    t.done("INSERT INTO s VALUES ('one more', 1);");
    t.await_rows("SELECT * FROM few;", &["Int(1) Bigint(40001)"]);
    assert_eq!(t.engine.query_state(&small), Some(QueryState::Running));
    assert!(t.listing("SHOW QUERIES;").rows.iter().any(|row| row[0] == large && row[1].starts_with("FAILED")));
}
