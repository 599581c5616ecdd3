//! INSERT INTO table SELECT ...: tables that several queries feed.

use super::*;

fn declare(t: &mut Terminal) {
    for name in ["a", "b", "fed"] {
        t.done(&format!("CREATE TABLE {name} (id STRING PRIMARY KEY, v BIGINT) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS=2);"));
    }
    t.done("CREATE STREAM s (id STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
}

const FED: &str = "SELECT * FROM fed;";

/// Rows and tombstones of each query go there; the last of a key counts.
#[test]
fn several_queries_feed_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    declare(&mut t);
    let first = t.query("INSERT INTO fed SELECT id, v FROM a WHERE v < 100;");
    let second = t.query("INSERT INTO fed SELECT id, SUM(v) + 1000 AS v FROM s GROUP BY id;");
    t.query("CREATE TABLE counts AS SELECT v, COUNT(*) AS n FROM fed GROUP BY v;");
    t.done("INSERT INTO a VALUES ('x', 1);");
    t.await_rows(FED, &[r#"String("x") Bigint(1)"#]);
    t.done("INSERT INTO s VALUES ('y', 2);");
    t.await_rows(FED, &[r#"String("x") Bigint(1)"#, r#"String("y") Bigint(1002)"#]);
    t.await_rows("SELECT * FROM fed WHERE id = 'y';", &[r#"String("y") Bigint(1002)"#]);
    t.done("INSERT INTO s VALUES ('x', 3);");
    t.await_rows(FED, &[r#"String("x") Bigint(1003)"#, r#"String("y") Bigint(1002)"#]);
    drop(t);

    let mut t = Terminal::open(folder.path());
    t.await_rows(FED, &[r#"String("x") Bigint(1003)"#, r#"String("y") Bigint(1002)"#]);
    t.done("INSERT INTO s VALUES ('y', 5);");
    t.await_rows(FED, &[r#"String("x") Bigint(1003)"#, r#"String("y") Bigint(1007)"#]);
    // It no longer passes: what it deletes is the key's row, whoever wrote it.
    t.done("INSERT INTO a VALUES ('x', 500);");
    t.await_rows(FED, &[r#"String("y") Bigint(1007)"#]);
    // A query over the table has taken back each row that was replaced.
    let gone = ["Bigint(1) Bigint(0)", "Bigint(1002) Bigint(0)", "Bigint(1003) Bigint(0)"];
    t.await_rows("SELECT * FROM counts;", &[&gone[..], &["Bigint(1007) Bigint(1)"]].concat());
    t.done("INSERT INTO fed VALUES ('z', 7);");
    t.await_rows(FED, &[r#"String("y") Bigint(1007)"#, r#"String("z") Bigint(7)"#]);
    t.done("DELETE FROM fed WHERE id = 'y';");
    t.await_rows(FED, &[r#"String("z") Bigint(7)"#]);
    // One that ends leaves the table to the other; without any the table is a declared one again.
    t.done(&format!("TERMINATE {first};"));
    t.await_rows(FED, &[r#"String("z") Bigint(7)"#]);
    assert!(t.fails("DROP TABLE fed;").contains(&second));
    t.done(&format!("TERMINATE {second};"));
    assert!(t.fails(FED).contains("isn't queryable"));
}

#[test]
fn a_table_takes_its_own_kind_only() {
    on_both(|t| {
        declare(t);
        t.query("CREATE TABLE made AS SELECT id, COUNT(*) AS v FROM s GROUP BY id;");
        t.done("CREATE TABLE w (id STRING PRIMARY KEY, v BIGINT) WITH (KAFKA_TOPIC='w', VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 HOUR');");
        t.done("CREATE SOURCE TABLE r (id STRING PRIMARY KEY, v BIGINT) WITH (KAFKA_TOPIC='a', VALUE_FORMAT='JSON');");
        let of = |size: &str| format!("SELECT id, COUNT(*) AS v FROM s WINDOW TUMBLING (SIZE {size}) GROUP BY id");
        for (target, query, reason) in [
            ("fed", "SELECT id, v FROM s", "FED is a table, the query gives a stream"),
            ("s", "SELECT id, v FROM a", "S is a stream, the query gives a table"),
            ("made", "SELECT id, v FROM a", "MADE is a table that CTAS_MADE_"),
            ("fed", "SELECT id, v FROM fed", "would read what it writes"),
            ("r", "SELECT id, v FROM b", "Cannot insert into read-only TABLE: R"),
            ("fed", "SELECT v, COUNT(*) AS n FROM a GROUP BY v", "Incompatible schema"),
            ("w", "SELECT id, v FROM a", "The windows of the result are not those of the table W."),
            ("fed", &of("1 HOUR"), "The windows of the result are not those of the table FED."),
            ("w", &of("2 HOURS"), "The windows of the result are not those of the table W."),
        ] {
            let told = t.fails(&format!("INSERT INTO {target} {query};"));
            assert!(told.contains(reason), "{target} {query}: {told}");
        }
        t.query(&format!("INSERT INTO w {};", of("1 HOUR")));
        t.done("INSERT INTO s (ROWTIME, id, v) VALUES (3700000, 'x', 1);");
        t.await_rows("SELECT id, v, WINDOWSTART FROM w;", &[r#"String("x") Bigint(1) Bigint(3600000)"#]);
    });
}
