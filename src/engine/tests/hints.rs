//! What is refused or warned of, and where it is told to be.

use super::language::{PEOPLE, insert};
use super::*;

/// A query that would get its own rows is refused; what goes round by way of others is told of.
#[test]
fn queries_that_feed_themselves() {
    on_both(|t| {
        t.done(PEOPLE);
        let fails = t.fails("CREATE STREAM more WITH (KAFKA_TOPIC='people') AS SELECT * FROM people;");
        assert!(fails.contains("MORE would read what it writes") && fails.contains("KAFKA_TOPIC"), "{fails}");
        let fails = t.fails(
            "CREATE TABLE more WITH (KAFKA_TOPIC='people') AS SELECT id, COUNT(*) AS n FROM people GROUP BY id;",
        );
        assert!(fails.contains("would read what it writes"), "{fails}");
        assert!(t.done("CREATE STREAM there AS SELECT * FROM people;").warnings.is_empty());
        let status = t.done("INSERT INTO people SELECT * FROM there WHERE age < 0;");
        let [warning] = status.warnings.as_slice() else { panic!("{:?}", status.warnings) };
        assert!(warning.contains("in a ring") && warning.contains("THERE"), "{warning}");
    });
}

/// A test's queries that never come to rest end in an error.
#[test]
fn a_ring_of_queries_ends_a_step() {
    let mut t = Terminal::stepped();
    t.done(PEOPLE);
    let there = t.query("CREATE STREAM there AS SELECT * FROM people;");
    let back = t.done("INSERT INTO people SELECT * FROM there;").query_id.unwrap();
    insert(&mut t, "1", "miller", 20);
    let error = t.engine.settle().unwrap_err().to_string();
    assert!(error.contains("do not come to rest") && error.contains(&there) && error.contains(&back), "{error}");
}

/// `agg(*)` is the aggregate of ROWTIME.
#[test]
fn any_aggregate_takes_a_star() {
    on_both(|t| {
        t.done(PEOPLE);
        for time in [1000, 3000] {
            t.done(&format!("INSERT INTO people (rowtime, id, age) VALUES ({time}, '1', 20);"));
        }
        t.query(
            "CREATE TABLE times AS SELECT id, MAX(*) AS last, AVG(*) AS mean, COUNT(*) AS n FROM people GROUP BY id;",
        );
        t.await_rows("SELECT last, mean, n FROM times;", &["Bigint(3000) Double(2000.0) Bigint(2)"]);
        assert!(t.fails("SELECT UCASE(*) FROM people EMIT CHANGES;").contains("Only aggregates take `*`"));
    });
}

/// `STRUCT()` has the fields of the column that it is for, all NULL; elsewhere nobody knows which.
#[test]
fn an_empty_struct_is_a_value() {
    on_both(|t| {
        t.done("CREATE STREAM e (v STRUCT<a INT, b ARRAY<STRING>>) WITH (KAFKA_TOPIC='e', VALUE_FORMAT='JSON', PARTITIONS=1);");
        t.done("INSERT INTO e VALUES (STRUCT());");
        t.await_records("e", &[r#"null:{"V":{"A":null,"B":null}}"#]);
        let fails = t.fails("SELECT STRUCT() AS x FROM e EMIT CHANGES;");
        assert!(fails.contains("it is NULL, or empty"), "{fails}");
    });
}

#[test]
fn columns_are_named_once() {
    on_both(|t| {
        t.done(PEOPLE);
        let fails = t.fails("INSERT INTO people (id, id) VALUES ('1', '2');");
        assert!(fails.contains("`ID` is named twice"), "{fails}");
        let headers = "ARRAY<STRUCT<key STRING, value BYTES>> HEADERS";
        let with = "WITH (KAFKA_TOPIC='h', VALUE_FORMAT='JSON', PARTITIONS=1)";
        for (columns, words) in [
            (format!("a {headers}, b {headers}"), "already contains a HEADERS column: `A`"),
            (format!("a {headers}, b BYTES HEADER('x')"), "already contains a HEADERS column: `A`"),
            (format!("a BYTES HEADER('x'), b {headers}"), "already contains a HEADER('x') column: `A`"),
            ("a BYTES HEADER('x'), b BYTES HEADER('x')".to_string(), "already contains a HEADER('x') column: `A`"),
        ] {
            let fails = t.fails(&format!("CREATE STREAM h (v INT, {columns}) {with};"));
            assert!(fails.contains(words), "{columns}: {fails}");
        }
        t.done(&format!("CREATE STREAM h (v INT, a BYTES HEADER('x'), b BYTES HEADER('y')) {with};"));
    });
}

/// Mistakes are told of at their places, and misspelt names before what else would follow from them.
#[test]
fn mistakes_are_told_of_where_they_are() {
    let mut t = Terminal::stepped();
    t.done(PEOPLE);
    t.query("CREATE STREAM known AS SELECT * FROM people;");
    for (statement, column, what, hint) in [
        ("SELECT id, COUNT(*) AS n FROM people GROUP BY id HAVING n > 1 EMIT CHANGES;", 57, "'N' cannot", "COUNT(*)"),
        ("SELECT UCASE(job) AS j, COUNT(*) FROM people GROUP BY j EMIT CHANGES;", 55, "'J' cannot", "UCASE(JOB)"),
        ("CREATE STREAM x AS SELECT id, agge FROM people;", 31, "'AGGE' cannot be resolved", "AGE"),
        ("CREATE STREAM x AS SELECT idd, age FROM people;", 27, "'IDD' cannot be resolved", "ID"),
        ("CREATE TABLE x AS SELECT idd, COUNT(*) AS n FROM people GROUP BY id;", 26, "'IDD' cannot", "ID"),
        (
            "CREATE TABLE x AS SELECT id, age, COUNT(*) AS n FROM people GROUP BY id, age;",
            70,
            "KAFKA",
            "KEY_FORMAT='JSON'",
        ),
        (
            "SELECT id, COUNT(*) FROM people WINDOW TUMBLING (SIZE 0 DAYS) GROUP BY id EMIT CHANGES;",
            33,
            "longer than zero",
            "",
        ),
        (
            "SELECT id, COUNT(*) FROM people WINDOW HOPPING (SIZE 1 DAY, ADVANCE BY 2 DAYS) GROUP BY id EMIT CHANGES;",
            33,
            "ADVANCE BY must be",
            "",
        ),
        (
            "SELECT id, COUNT(*) FROM people WINDOW TUMBLING (SIZE 2 DAYS, RETENTION 1 DAY) GROUP BY id EMIT CHANGES;",
            33,
            "RETENTION of",
            "",
        ),
        ("SELECT id FROM people WINDOW TUMBLING (SIZE 1 DAY) EMIT CHANGES;", 23, "requires a GROUP BY", ""),
        ("SELECT id, COUNT(*) FROM people GROUP BY id EMIT FINAL;", 8, "EMIT FINAL is only", ""),
        ("CREATE STREAM x AS SELECT * FROM people LIMIT 1;", 15, "LIMIT", ""),
        ("CREATE STREAM x WITH (TIMESTAMP='nots') AS SELECT * FROM people;", 23, "'NOTS'", ""),
        (
            "CREATE STREAM x (a INT) WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON', PARTITIONS=7);",
            74,
            "7 partitions",
            "",
        ),
        ("TERMINATE csas_known_2;", 11, "Unknown queryId", "CSAS_KNOWN_1"),
        ("SELECT NOW() FROM people EMIT CHANGES;", 8, "NOW", "UNIX_TIMESTAMP"),
    ] {
        let error = t.run(statement).err().unwrap_or_else(|| panic!("{statement}"));
        assert_eq!(error.at.map(|at| (at.line, at.column)), Some((1, column)), "{statement}: {error}");
        assert!(error.what.contains(what), "{statement}: {error}");
        assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{statement}: {error}");
    }
}

#[test]
fn a_unit_of_time_is_no_column() {
    on_both(|t| {
        t.done(
            "CREATE STREAM days (k STRING KEY, day DATE) WITH (KAFKA_TOPIC='days', VALUE_FORMAT='JSON', PARTITIONS=1);",
        );
        t.done("INSERT INTO days VALUES ('a', '2020-02-28');");
        let later = "DATEADD(DAYS, 2, day)";
        let sql = format!("SELECT {later} AS d, COUNT(*) AS n FROM days WHERE {later} > day GROUP BY {later};");
        assert_eq!(t.rows(&sql).len(), 1);
        let refused = t.fails("SELECT DATEADD(WEEKS, 2, day) AS d FROM days EMIT CHANGES;");
        assert!(refused.contains("Column 'WEEKS' cannot be resolved"), "{refused}");
    });
}
