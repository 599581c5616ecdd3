//! A table dropped and created anew over the topic that it left: pull queries see the new query's rows only.

use super::*;

const S: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";
const BIG: &str = "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s WHERE v > 10 GROUP BY k EMIT CHANGES;";

/// Leaves the rows of a table of the same name behind, and waits until the new one has its row.
fn recreate(t: &mut Terminal) {
    t.done(S);
    t.done("INSERT INTO s VALUES ('small', 1);");
    t.done("INSERT INTO s VALUES ('big', 11);");
    t.query("CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    t.await_rows("SELECT * FROM t;", &[r#"String("big") Bigint(1)"#, r#"String("small") Bigint(1)"#]);
    t.done("DROP TABLE t;");
    assert!(t.done(BIG).warnings.iter().any(|told| told.contains("they are no rows of the table")));
    t.await_records("T", &[r#"small:{"N":1}"#, r#"big:{"N":1}"#, r#"big:{"N":1}"#]);
    t.await_rows("SELECT * FROM t;", &[r#"String("big") Bigint(1)"#]);
}

#[test]
fn rows_of_the_dropped_table_are_not_the_new_ones() {
    on_both(|t| {
        recreate(t);
        // Who reads the topic sees what is there.
        let pushed = t.stream("SELECT * FROM t EMIT CHANGES LIMIT 2;").collect();
        assert_eq!(pushed.map(|rows| shown(&rows[0])).ok().as_deref(), Some(r#"String("small") Bigint(1)"#));
    });
}

#[test]
fn nor_after_a_restart_and_a_replacement() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    recreate(&mut t);
    drop(t);
    let mut t = Terminal::open(folder.path());
    assert_eq!(t.rows("SELECT * FROM t;"), [r#"String("big") Bigint(1)"#]);
    // The query goes on: what it wrote so far is its own.
    let again = BIG.replace("CREATE", "CREATE OR REPLACE").replace("v > 10", "v > 20");
    t.query(&again);
    t.done("INSERT INTO s VALUES ('big', 21);");
    t.done("INSERT INTO s VALUES ('bigger', 21);");
    let rows = [r#"String("big") Bigint(2)"#, r#"String("bigger") Bigint(1)"#];
    t.await_rows("SELECT * FROM t;", &rows);
    drop(t);
    let mut t = Terminal::open(folder.path());
    assert_eq!(t.rows("SELECT * FROM t;"), rows);
}

/// Offsets begin anew with the topic: those of the old one say nothing of it.
#[test]
fn a_topic_created_anew_holds_none_of_the_old_records() {
    on_both(|t| {
        recreate(t);
        t.done("DROP TABLE t DELETE TOPIC;");
        t.query(BIG);
        t.await_rows("SELECT * FROM t;", &[r#"String("big") Bigint(1)"#]);
    });
}

/// Records removed from the topic make the view read it anew.
#[test]
fn nor_after_records_were_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    recreate(&mut t);
    let place = TopicPartition { topic: "T".to_string(), partition: 0 };
    t.engine.log().delete_records(&place, 1).unwrap();
    assert_eq!(t.rows("SELECT * FROM t;"), [r#"String("big") Bigint(1)"#]);
}

/// A command written before it told what the topic held: the table has what its topic has.
#[test]
fn a_command_without_the_mark_is_read_from_the_beginning() {
    let old = br#"{"version":1,"statement":"DROP TABLE t;","properties":{},"query_id":"CTAS_T_1"}"#;
    let command: crate::catalog::Command = serde_json::from_slice(old).unwrap();
    assert_eq!(command.found, None);
}
