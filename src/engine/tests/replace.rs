//! CREATE OR REPLACE ... AS SELECT: what may change, what goes on, what is refused.

use super::*;

fn source(t: &mut Terminal) {
    t.done(
        "CREATE STREAM s (k STRING KEY, a INT, b STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
    );
}

fn put(t: &mut Terminal, k: &str, a: i32, b: &str) {
    t.done(&format!("INSERT INTO s (k, a, b) VALUES ('{k}', {a}, '{b}');"));
}

#[test]
fn a_stateless_query_goes_on_from_its_position() {
    on_both(|t| {
        source(t);
        let id = t.query("CREATE STREAM o AS SELECT k, a FROM s WHERE a > 10 EMIT CHANGES;");
        put(t, "x", 5, "low");
        put(t, "y", 11, "high");
        t.await_records("O", &[r#"y:{"A":11}"#]);
        let again =
            t.query("CREATE OR REPLACE STREAM o AS SELECT k, a, UCASE(b) AS b FROM s WHERE a < 10 EMIT CHANGES;");
        assert_eq!(again, id);
        put(t, "z", 6, "low");
        // Nothing is computed again: x was read before the change.
        t.await_records("O", &[r#"y:{"A":11}"#, r#"z:{"A":6,"B":"LOW"}"#]);
        assert_eq!(t.listing("DESCRIBE o;").rows.len(), 3);
        t.query("CREATE OR REPLACE STREAM o AS SELECT k, a, UCASE(b) AS b FROM s EMIT CHANGES;");
        put(t, "w", 10, "mid");
        t.await_records("O", &[r#"y:{"A":11}"#, r#"z:{"A":6,"B":"LOW"}"#, r#"w:{"A":10,"B":"MID"}"#]);
        assert_eq!(t.firsts("SHOW QUERIES;"), [id]);
    });
}

#[test]
fn an_aggregate_keeps_its_state_while_its_filter_changes() {
    on_both(|t| {
        source(t);
        let id = t.query("CREATE TABLE c AS SELECT k, SUM(a) AS n FROM s WHERE a > 0 GROUP BY k EMIT CHANGES;");
        put(t, "x", 5, "");
        put(t, "x", 6, "");
        t.await_rows("SELECT * FROM c;", &[r#"String("x") Int(11)"#]);
        let replace = "CREATE OR REPLACE TABLE c AS SELECT k, SUM(a) AS n, AS_VALUE(k) AS same FROM s WHERE b = 'in' GROUP BY k EMIT CHANGES;";
        assert_eq!(t.query(replace), id);
        put(t, "x", 100, "out");
        put(t, "x", 1000, "in");
        t.await_rows("SELECT * FROM c;", &[r#"String("x") Int(1011) String("x")"#]);
    });
}

#[test]
fn a_paused_query_stays_paused() {
    on_both(|t| {
        source(t);
        let id = t.query("CREATE STREAM o AS SELECT k, a FROM s EMIT CHANGES;");
        t.done(&format!("PAUSE {id};"));
        t.query("CREATE OR REPLACE STREAM o AS SELECT k, a FROM s WHERE a > 1 EMIT CHANGES;");
        t.await_state(&id, &|state| *state == QueryState::Paused);
    });
}

#[test]
fn columns_that_the_source_got_meanwhile() {
    on_both(|t| {
        source(t);
        let id = t.query("CREATE STREAM o AS SELECT * FROM s WHERE ROWTIME > 0 EMIT CHANGES;");
        t.done("CREATE OR REPLACE STREAM s (k STRING KEY, a INT, b STRING, c INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');");
        assert_eq!(t.query("CREATE OR REPLACE STREAM o AS SELECT * FROM s WHERE ROWTIME > 0 EMIT CHANGES;"), id);
        t.done("INSERT INTO s VALUES ('x', 1, 'b', 2);");
        t.await_records("O", &[r#"x:{"A":1,"B":"b","C":2}"#]);
    });
}

#[test]
fn what_is_refused() {
    on_both(|t| {
        source(t);
        t.done("CREATE STREAM other (k STRING KEY, a INT, b STRING) WITH (KAFKA_TOPIC='other', VALUE_FORMAT='JSON', PARTITIONS=1);");
        t.done("CREATE TABLE people (k STRING PRIMARY KEY, a INT) WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON', PARTITIONS=1);");
        let cases = [
            ("STREAM", "SELECT k, a FROM s", "SELECT k, a FROM other", "source"),
            ("STREAM", "SELECT k, a, b FROM s", "SELECT k, a FROM s", "value columns may only be added"),
            ("STREAM", "SELECT k, a FROM s", "SELECT k, a + 1 AS a FROM s", "output columns"),
            ("STREAM", "SELECT k, a FROM s", "SELECT k, b, a FROM s", "value columns may only be added"),
            ("STREAM", "SELECT k, a FROM s PARTITION BY k", "SELECT a, b FROM s PARTITION BY a", "key"),
            (
                "STREAM",
                "SELECT k, EXPLODE(ARRAY[a]) AS e FROM s",
                "SELECT k, EXPLODE(ARRAY[a]) AS e FROM s WHERE a > 1",
                "table functions",
            ),
            (
                "TABLE",
                "SELECT b, COUNT(*) AS n FROM s GROUP BY b",
                "SELECT b, COUNT(a) AS n FROM s GROUP BY b",
                "aggregates",
            ),
            (
                "TABLE",
                "SELECT b, COUNT(*) AS n FROM s GROUP BY b",
                "SELECT b, COUNT(*) AS n, SUM(a) AS m FROM s GROUP BY b",
                "aggregates",
            ),
            (
                "TABLE",
                "SELECT b, COUNT(*) AS n FROM s GROUP BY b",
                "SELECT b, COUNT(*) AS n FROM s GROUP BY b HAVING COUNT(*) > 1",
                "HAVING",
            ),
            (
                "TABLE",
                "SELECT b, COUNT(*) AS n FROM s GROUP BY b",
                "SELECT UCASE(b) AS b, COUNT(*) AS n FROM s GROUP BY UCASE(b)",
                "key",
            ),
            (
                "TABLE",
                "SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY k",
                "SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 HOUR) WHERE a > 1 GROUP BY k",
                "windowed aggregations",
            ),
            (
                "TABLE",
                "SELECT a, COUNT(*) AS n FROM people GROUP BY a",
                "SELECT a, COUNT(*) AS n FROM people WHERE a > 1 GROUP BY a",
                "aggregations of tables",
            ),
        ];
        for (number, (kind, from, to, reason)) in cases.into_iter().enumerate() {
            let id = t.query(&format!("CREATE {kind} o{number} AS {from} EMIT CHANGES;"));
            let refused = t.fails(&format!("CREATE OR REPLACE {kind} o{number} AS {to} EMIT CHANGES;"));
            assert!(refused.contains(reason) && refused.contains("DROP"), "{from} / {to}: {refused}");
            // The query goes on as it was; the same text is no change, of whatever kind.
            assert_eq!(t.query(&format!("CREATE OR REPLACE {kind} o{number} AS {from} EMIT CHANGES;")), id);
        }
    });
}

#[test]
fn topics_formats_and_other_writers_are_refused() {
    on_both(|t| {
        source(t);
        t.query("CREATE STREAM o AS SELECT k, a FROM s EMIT CHANGES;");
        assert!(
            t.fails("CREATE OR REPLACE STREAM o WITH (KAFKA_TOPIC='p') AS SELECT k, a FROM s;")
                .contains("its topic would change")
        );
        assert!(
            t.fails("CREATE OR REPLACE STREAM o WITH (VALUE_FORMAT='DELIMITED') AS SELECT k, a FROM s;")
                .contains("value format")
        );
        assert!(
            t.fails("CREATE OR REPLACE STREAM o WITH (KEY_FORMAT='JSON') AS SELECT k, a FROM s;")
                .contains("key columns")
        );
        assert!(t.fails("CREATE OR REPLACE STREAM o WITH (PARTITIONS=2) AS SELECT k, a FROM s;").contains("partition"));
        assert!(t.fails("CREATE OR REPLACE STREAM o AS SELECT k, a FROM o;").contains("reads it"));
        assert!(
            t.fails("CREATE OR REPLACE STREAM o (k STRING KEY, a INT) WITH (KAFKA_TOPIC='O', VALUE_FORMAT='JSON');")
                .contains("makes it")
        );
        let other = t.query("INSERT INTO o SELECT k, a FROM s EMIT CHANGES;");
        assert!(t.fails("CREATE OR REPLACE STREAM o AS SELECT k, a FROM s WHERE a > 1;").contains(&other));
        t.done(&format!("TERMINATE {other};"));
        t.query("CREATE OR REPLACE STREAM o AS SELECT k, a FROM s WHERE a > 1;");
    });
}

#[test]
fn of_a_stream_without_a_query_a_new_query_begins() {
    on_both(|t| {
        source(t);
        let first = t.query("CREATE STREAM o AS SELECT k, a FROM s EMIT CHANGES;");
        t.done(&format!("TERMINATE {first};"));
        let second = t.query("CREATE OR REPLACE STREAM o AS SELECT k, a, b FROM s EMIT CHANGES;");
        assert_ne!(first, second);
        put(t, "x", 1, "b");
        t.await_records("O", &[r#"x:{"A":1,"B":"b"}"#]);
    });
}

#[test]
fn a_replacement_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    source(&mut t);
    let id = t.query("CREATE TABLE c AS SELECT k, SUM(a) AS n FROM s GROUP BY k EMIT CHANGES;");
    put(&mut t, "x", 1, "");
    t.await_rows("SELECT * FROM c;", &[r#"String("x") Int(1)"#]);
    t.query("CREATE OR REPLACE TABLE c AS SELECT k, SUM(a) AS n, SUM(a) * 2 AS m FROM s WHERE a < 100 GROUP BY k EMIT CHANGES;");
    drop(t);
    let mut t = Terminal::open(folder.path());
    put(&mut t, "x", 1000, "");
    put(&mut t, "x", 2, "");
    t.await_rows("SELECT * FROM c;", &[r#"String("x") Int(3) Int(6)"#]);
    assert_eq!(t.firsts("SHOW QUERIES;"), [id]);
    assert_eq!(t.engine.quarantined(), []);
}
