//! Queries in FROM, names that WITH gives, and UNION ALL: each gives what the same gives through streams and tables in between.

use std::collections::BTreeSet;

use super::*;

const SOURCES: &[&str] = &[
    "CREATE STREAM s (k STRING KEY, g STRING, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=3);",
    "CREATE STREAM r (k STRING KEY, g STRING, v BIGINT) WITH (KAFKA_TOPIC='r', VALUE_FORMAT='JSON', PARTITIONS=3);",
    "CREATE TABLE t (k STRING PRIMARY KEY, g STRING, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=3);",
    "CREATE STREAM again (k STRING KEY, v DOUBLE) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');",
    "CREATE TABLE table_again (k STRING PRIMARY KEY, v BIGINT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
];

/// A query over others; and the streams and tables in between, with the query that reads those.
struct Case {
    kind: &'static str,
    whole: &'static str,
    between: &'static [&'static str],
    last: &'static str,
}

const CASES: &[Case] = &[
    Case {
        kind: "STREAM",
        whole: "SELECT k, w + 1 AS w FROM (SELECT k, v * 2 AS w FROM s WHERE v > 1) x WHERE w < 10",
        between: &["CREATE STREAM m AS SELECT k, v * 2 AS w FROM s WHERE v > 1;"],
        last: "SELECT k, w + 1 AS w FROM m WHERE w < 10",
    },
    // An aggregate over an aggregate: changes of a table with undo.
    Case {
        kind: "TABLE",
        whole: "SELECT n, COUNT(*) AS keys, SUM(total) AS total FROM (SELECT k, COUNT(*) AS n, SUM(v) AS total FROM s GROUP BY k) GROUP BY n",
        between: &["CREATE TABLE m AS SELECT k, COUNT(*) AS n, SUM(v) AS total FROM s GROUP BY k;"],
        last: "SELECT n, COUNT(*) AS keys, SUM(total) AS total FROM m GROUP BY n",
    },
    // The inner key isn't in the outer query's sight.
    Case {
        kind: "TABLE",
        whole: "WITH counts AS (SELECT g, COUNT(*) AS n FROM s GROUP BY k, g HAVING COUNT(*) > 1) SELECT g, SUM(n) AS n FROM counts GROUP BY g",
        between: &[
            "CREATE TABLE m WITH (KEY_FORMAT='JSON') AS SELECT k, g, COUNT(*) AS n FROM s GROUP BY k, g HAVING COUNT(*) > 1;",
        ],
        last: "SELECT g, SUM(n) AS n FROM m GROUP BY g",
    },
    Case {
        kind: "TABLE",
        whole: "SELECT g, COUNT(*) AS n, SUM(v) AS v FROM (SELECT k, g, v FROM t WHERE v > 1) WHERE g <> 'a' GROUP BY g",
        between: &["CREATE TABLE m AS SELECT k, g, v FROM t WHERE v > 1;"],
        last: "SELECT g, COUNT(*) AS n, SUM(v) AS v FROM m WHERE g <> 'a' GROUP BY g",
    },
    // Three levels: each value is looked at by its group's.
    Case {
        kind: "TABLE",
        whole: "SELECT most, COUNT(*) AS n FROM (SELECT g, COUNT(*) AS most FROM (SELECT k, g, COUNT(*) AS c FROM s GROUP BY k, g) GROUP BY g) GROUP BY most",
        between: &[
            "CREATE TABLE m1 WITH (KEY_FORMAT='JSON') AS SELECT k, g, COUNT(*) AS c FROM s GROUP BY k, g;",
            "CREATE TABLE m2 AS SELECT g, COUNT(*) AS most FROM m1 GROUP BY g;",
        ],
        last: "SELECT most, COUNT(*) AS n FROM m2 GROUP BY most",
    },
    // Joins of queries: two tables that are made, and a stream with a table that is made.
    Case {
        kind: "TABLE",
        whole: "SELECT a.g AS g, n, total FROM (SELECT g, COUNT(*) AS n FROM s GROUP BY g) a JOIN (SELECT g, SUM(v) AS total FROM r GROUP BY g) b ON a.g = b.g",
        between: &[
            "CREATE TABLE m1 AS SELECT g, COUNT(*) AS n FROM s GROUP BY g;",
            "CREATE TABLE m2 AS SELECT g, SUM(v) AS total FROM r GROUP BY g;",
        ],
        last: "SELECT a.g AS g, n, total FROM m1 a JOIN m2 b ON a.g = b.g",
    },
    Case {
        kind: "TABLE",
        whole: "SELECT a.k AS k, a.n AS n, t.v AS v FROM (SELECT k, COUNT(*) AS n FROM s GROUP BY k) a LEFT JOIN t ON a.k = t.k",
        between: &["CREATE TABLE m AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"],
        last: "SELECT a.k AS k, a.n AS n, t.v AS v FROM m a LEFT JOIN t ON a.k = t.k",
    },
    Case {
        kind: "STREAM",
        whole: "SELECT x.k AS k, x.w AS w, r.v AS v FROM (SELECT k, v + 1 AS w FROM s WHERE v > 2) x JOIN r WITHIN 5 SECONDS GRACE PERIOD 1 DAY ON x.k = r.k",
        between: &["CREATE STREAM m AS SELECT k, v + 1 AS w FROM s WHERE v > 2;"],
        last: "SELECT x.k AS k, x.w AS w, r.v AS v FROM m x JOIN r WITHIN 5 SECONDS GRACE PERIOD 1 DAY ON x.k = r.k",
    },
    // A join within a query, on its right side.
    Case {
        kind: "STREAM",
        whole: "SELECT s.k AS k, s.v AS v, j.w AS w FROM s JOIN (SELECT r.k AS k, r.v + t.v AS w FROM r JOIN t ON r.k = t.k) j WITHIN 5 SECONDS GRACE PERIOD 1 DAY ON s.k = j.k",
        between: &["CREATE STREAM m AS SELECT r.k AS k, r.v + t.v AS w FROM r JOIN t ON r.k = t.k;"],
        last: "SELECT s.k AS k, s.v AS v, m.w AS w FROM s JOIN m WITHIN 5 SECONDS GRACE PERIOD 1 DAY ON s.k = m.k",
    },
    Case {
        kind: "STREAM",
        whole: "SELECT k, g, v FROM s UNION ALL SELECT k, g, v FROM r WHERE v > 2",
        between: &[
            "CREATE STREAM m (k STRING KEY, g STRING, v BIGINT) WITH (KAFKA_TOPIC='m', VALUE_FORMAT='JSON', PARTITIONS=3);",
            "INSERT INTO m SELECT k, g, v FROM s;",
            "INSERT INTO m SELECT k, g, v FROM r WHERE v > 2;",
        ],
        last: "SELECT k, g, v FROM m",
    },
    // What is united is grouped by the key that it has, and by another column.
    Case {
        kind: "TABLE",
        whole: "SELECT k, COUNT(*) AS n, SUM(v) AS v FROM (SELECT k, v FROM s UNION ALL SELECT k, v FROM r) GROUP BY k",
        between: &[
            "CREATE STREAM m (k STRING KEY, v BIGINT) WITH (KAFKA_TOPIC='m', VALUE_FORMAT='JSON', PARTITIONS=3);",
            "INSERT INTO m SELECT k, v FROM s;",
            "INSERT INTO m SELECT k, v FROM r;",
        ],
        last: "SELECT k, COUNT(*) AS n, SUM(v) AS v FROM m GROUP BY k",
    },
    Case {
        kind: "TABLE",
        whole: "WITH both AS (SELECT g, v FROM s PARTITION BY g UNION ALL SELECT g, v FROM r PARTITION BY g) SELECT g, COUNT(*) AS n, SUM(v) AS v FROM both GROUP BY g",
        between: &[
            "CREATE STREAM m (g STRING KEY, v BIGINT) WITH (KAFKA_TOPIC='m', VALUE_FORMAT='JSON', PARTITIONS=3);",
            "INSERT INTO m SELECT g, v FROM s PARTITION BY g;",
            "INSERT INTO m SELECT g, v FROM r PARTITION BY g;",
        ],
        last: "SELECT g, COUNT(*) AS n, SUM(v) AS v FROM m GROUP BY g",
    },
    // A topic that is read more than once.
    Case {
        kind: "STREAM",
        whole: "SELECT k, g, v FROM s UNION ALL SELECT k, 'more', v * 10 FROM s WHERE v > 2",
        between: &[
            "CREATE STREAM m (k STRING KEY, g STRING, v INT) WITH (KAFKA_TOPIC='m', VALUE_FORMAT='JSON', PARTITIONS=3);",
            "INSERT INTO m SELECT k, g, v FROM s;",
            "INSERT INTO m SELECT k, 'more' AS g, v * 10 AS v FROM s WHERE v > 2;",
        ],
        last: "SELECT k, g, v FROM m",
    },
    Case {
        kind: "TABLE",
        whole: "SELECT g, COUNT(*) AS n, SUM(v) AS v FROM (SELECT g, v FROM s UNION ALL SELECT k AS g, v FROM s UNION ALL SELECT k AS g, v FROM r) GROUP BY g",
        between: &[
            "CREATE STREAM m (g STRING, v BIGINT) WITH (KAFKA_TOPIC='m', VALUE_FORMAT='JSON', PARTITIONS=3);",
            "INSERT INTO m SELECT g, v FROM s PARTITION BY NULL;",
            "INSERT INTO m SELECT k AS g, v FROM s PARTITION BY NULL;",
            "INSERT INTO m SELECT k AS g, v FROM r PARTITION BY NULL;",
        ],
        last: "SELECT g, COUNT(*) AS n, SUM(v) AS v FROM m GROUP BY g",
    },
    Case {
        kind: "TABLE",
        whole: "SELECT a.g AS g, n, total FROM (SELECT g, COUNT(*) AS n FROM s GROUP BY g) a JOIN (SELECT k, SUM(v) AS total FROM s WHERE v > 2 GROUP BY k) b ON a.g = b.k",
        between: &[
            "CREATE TABLE m1 AS SELECT g, COUNT(*) AS n FROM s GROUP BY g;",
            "CREATE TABLE m2 AS SELECT k, SUM(v) AS total FROM s WHERE v > 2 GROUP BY k;",
        ],
        last: "SELECT a.g AS g, n, total FROM m1 a JOIN m2 b ON a.g = b.k",
    },
    Case {
        kind: "TABLE",
        whole: "WITH c AS (SELECT k, COUNT(*) AS n, MAX(g) AS g FROM s GROUP BY k) SELECT a.k AS k, a.n AS n, b.n AS other FROM c a LEFT JOIN c b ON a.g = b.k",
        between: &["CREATE TABLE m AS SELECT k, COUNT(*) AS n, MAX(g) AS g FROM s GROUP BY k;"],
        last: "SELECT a.k AS k, a.n AS n, b.n AS other FROM m a LEFT JOIN m b ON a.g = b.k",
    },
    // Both look at the rows that are replaced.
    Case {
        kind: "TABLE",
        whole: "SELECT a.k AS k, a.v AS v, b.g AS g FROM (SELECT k, v FROM t WHERE v > 2) a LEFT JOIN (SELECT k, g FROM t WHERE g <> 'a') b ON a.k = b.k",
        between: &[
            "CREATE TABLE m1 AS SELECT k, v FROM t WHERE v > 2;",
            "CREATE TABLE m2 AS SELECT k, g FROM t WHERE g <> 'a';",
        ],
        last: "SELECT a.k AS k, a.v AS v, b.g AS g FROM m1 a LEFT JOIN m2 b ON a.k = b.k",
    },
    // Two sources over one topic.
    Case {
        kind: "STREAM",
        whole: "SELECT k, v FROM again UNION ALL SELECT k, v FROM s WHERE v > 2",
        between: &[
            "CREATE STREAM m (k STRING KEY, v DOUBLE) WITH (KAFKA_TOPIC='m', VALUE_FORMAT='JSON', PARTITIONS=3);",
            "INSERT INTO m SELECT k, v FROM again;",
            "INSERT INTO m SELECT k, v FROM s WHERE v > 2;",
        ],
        last: "SELECT k, v FROM m",
    },
    Case {
        kind: "STREAM",
        whole: "SELECT again.k AS k, s.v AS v, again.v AS w FROM s JOIN again WITHIN 5 SECONDS GRACE PERIOD 1 DAY ON s.g = again.k",
        between: &["CREATE STREAM m AS SELECT * FROM again;"],
        last: "SELECT m.k AS k, s.v AS v, m.v AS w FROM s JOIN m WITHIN 5 SECONDS GRACE PERIOD 1 DAY ON s.g = m.k",
    },
    Case {
        kind: "TABLE",
        whole: "SELECT t.k AS k, t.v AS v, x.v AS w FROM t JOIN (SELECT k, v FROM table_again WHERE v < 5) x ON t.g = x.k",
        between: &["CREATE TABLE m AS SELECT k, v FROM table_again WHERE v < 5;"],
        last: "SELECT t.k AS k, t.v AS v, m.v AS w FROM t JOIN m ON t.g = m.k",
    },
    // A key that a query gives its rows places them for the join above it.
    Case {
        kind: "STREAM",
        whole: "SELECT x.g AS g, x.v AS v, t.v AS w FROM (SELECT g, v FROM s PARTITION BY g) x JOIN t ON x.g = t.k",
        // A topic in between would have its rows by partitions, not by their times.
        between: &[],
        last: "SELECT s.g AS g, s.v AS v, t.v AS w FROM s JOIN t ON s.g = t.k",
    },
];

/// Writes random rows. `delete`: takes some of the table's away, too; that has the time of the clock, so that a stream's row
/// may find what is newer.
fn write(terminal: &mut Terminal, random: &mut fastrand::Rng, rows: usize, time: &mut i64, delete: bool) {
    for _ in 0..rows {
        *time += random.i64(0..2000);
        let pick = |random: &mut fastrand::Rng| ["a", "b", "c", "d", "e"][random.usize(0..5)];
        let (source, k, g, v) = (["s", "r", "t"][random.usize(0..3)], pick(random), pick(random), random.i64(0..7));
        match delete && source == "t" && random.u8(0..4) == 0 {
            true => terminal.done(&format!("DELETE FROM t WHERE k = '{k}';")),
            false => {
                terminal.done(&format!("INSERT INTO {source} (ROWTIME, k, g, v) VALUES ({time}, '{k}', '{g}', {v});"))
            }
        };
    }
}

/// What a stream holds, whatever the order; of a table the rows that it has.
fn result(terminal: &mut Terminal, name: &str) -> Vec<String> {
    terminal.rows(&format!("SELECT * FROM {name};"))
}

fn create(case: &Case, name: &str, query: &str) -> String {
    format!("CREATE {} {name} WITH (VALUE_FORMAT='JSON') AS {query} EMIT CHANGES;", case.kind)
}

/// All rows are there before the queries begin: what a row of a stream finds in a table is fixed then.
fn over_all_rows(case: &Case, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut terminal = Terminal::stepped();
    SOURCES.iter().for_each(|source| drop(terminal.done(source)));
    terminal.done("SET 'auto.offset.reset' = 'earliest';");
    if random.bool() {
        terminal.done("SET 'cache.max.bytes.buffering' = '100000';");
    }
    let (mut time, delete) = (0, case.kind == "TABLE");
    write(&mut terminal, &mut random, 60, &mut time, delete);
    terminal.done(&create(case, "o1", case.whole));
    case.between.iter().for_each(|statement| drop(terminal.run(statement).unwrap()));
    // The tables in between are whole before they are read by what comes last.
    terminal.settle();
    terminal.done(&create(case, "o2", case.last));
    for _ in 0..3 {
        terminal.settle();
        let (one, other) = (result(&mut terminal, "o1"), result(&mut terminal, "o2"));
        assert_eq!(one, other, "{}, seed {seed}", case.whole);
        // A stream's row meets what its table has when it comes: by the time in one query, by arrival in several.
        if case.whole.contains("JOIN t ON") && case.kind == "STREAM" {
            break;
        }
        write(&mut terminal, &mut random, 20, &mut time, delete);
    }
}

#[test]
fn a_query_over_queries_gives_what_it_gives_through_streams_and_tables() {
    for case in CASES {
        (0..4).for_each(|seed| over_all_rows(case, seed));
    }
}

/// The threads engine on a folder that is closed and opened in between, against a stepped one that isn't.
#[test]
fn queries_over_queries_go_on_after_a_restart() {
    for (number, case) in CASES.iter().enumerate().filter(|(_, case)| case.kind == "TABLE") {
        let mut random = fastrand::Rng::with_seed(number as u64);
        let folder = tempfile::tempdir().unwrap();
        let mut time = 0;
        let mut whole = Terminal::stepped();
        let mut t = Terminal::open(folder.path());
        for terminal in [&mut whole, &mut t] {
            SOURCES.iter().for_each(|source| drop(terminal.done(source)));
            terminal.done("SET 'auto.offset.reset' = 'earliest';");
            terminal.done(&create(case, "o", case.whole));
        }
        for _ in 0..3 {
            let (seed, before) = (random.u64(..), time);
            let mut again = before;
            write(&mut whole, &mut fastrand::Rng::with_seed(seed), 15, &mut time, true);
            write(&mut t, &mut fastrand::Rng::with_seed(seed), 15, &mut again, true);
            whole.settle();
            let expected = result(&mut whole, "o");
            t.await_rows("SELECT * FROM o;", &expected.iter().map(String::as_str).collect::<Vec<_>>());
            drop(t);
            t = Terminal::open(folder.path());
            assert_eq!(result(&mut t, "o"), expected, "{}", case.whole);
        }
    }
}

/// Windows of the inner query are columns of the outer one.
#[test]
fn windows_of_an_inner_query_are_groups_of_the_outer() {
    on_both(|t| {
        t.done(SOURCES[0]);
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.query(
            "CREATE TABLE by_window AS SELECT w, SUM(n) AS rows, COUNT(*) AS names FROM (SELECT g, WINDOWSTART AS w, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY g) GROUP BY w EMIT CHANGES;",
        );
        for (time, g) in [(1000, "a"), (2000, "b"), (3000, "a"), (12000, "c"), (4000, "b"), (5000, "b")] {
            t.done(&format!("INSERT INTO s (ROWTIME, k, g, v) VALUES ({time}, 'x', '{g}', 1);"));
        }
        t.await_rows(
            "SELECT * FROM by_window;",
            &["Bigint(0) Bigint(5) Bigint(2)", "Bigint(10000) Bigint(1) Bigint(1)"],
        );
    });
}

#[test]
fn rows_of_queries_over_queries_for_a_reader() {
    on_both(|t| {
        SOURCES.iter().for_each(|source| drop(t.done(source)));
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.done("INSERT INTO s (ROWTIME, k, g, v) VALUES (1, 'x', 'a', 1);");
        t.done("INSERT INTO r (ROWTIME, k, g, v) VALUES (2, 'y', 'b', 20);");
        let stream = t.stream(
            "WITH more AS (SELECT v, k AS name FROM r) SELECT v, k FROM s UNION ALL SELECT * FROM more EMIT CHANGES LIMIT 2;",
        );
        let columns: Vec<String> =
            stream.columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
        assert_eq!(columns, ["V BIGINT", "K STRING"]);
        // Their partitions give them side by side.
        let rows: BTreeSet<String> = next_rows(&stream, 2).into_iter().collect();
        assert_eq!(rows, BTreeSet::from([r#"Bigint(1) String("x")"#, r#"Bigint(20) String("y")"#].map(str::to_owned)));
        // The columns of a query in their order; times of its rows.
        let stream = t.stream("SELECT *, ROWTIME FROM (SELECT v, k FROM s) EMIT CHANGES LIMIT 1;");
        assert_eq!(next_rows(&stream, 1), [r#"Int(1) String("x") Bigint(1)"#]);
        let stream = t.stream("SELECT SUM(n) FROM (SELECT COUNT(*) AS n FROM s GROUP BY g) EMIT CHANGES LIMIT 1;");
        assert_eq!(next_rows(&stream, 1), ["Bigint(1)"]);
    });
}

#[test]
fn what_they_read_is_in_use_and_what_cannot_be_is_told() {
    let mut t = Terminal::stepped();
    SOURCES.iter().for_each(|source| drop(t.done(source)));
    t.done(
        "CREATE STREAM narrow (k STRING KEY, v INT) WITH (KAFKA_TOPIC='narrow', VALUE_FORMAT='JSON', PARTITIONS=1);",
    );
    let id = t
        .query("CREATE STREAM o AS SELECT k, v FROM (SELECT k, v FROM s UNION ALL SELECT k, v FROM r) x EMIT CHANGES;");
    assert_eq!(t.engine.catalog().query(&id).unwrap().sources, ["S", "R"]);
    assert!(t.fails("DROP STREAM r;").contains(&format!("read from this source: [{id}]")));
    let told = t.text(&format!("EXPLAIN {id};"));
    assert!(told.contains("UNION ALL") && told.contains("[ SOURCE ] R"), "{told}");

    t.done("CREATE TABLE key_values (k STRING PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');");
    t.done("SET 'auto.offset.reset' = 'latest';");
    let refused = [
        ("CREATE STREAM p AS SELECT v FROM (SELECT v FROM s) x;", "line 1:"),
        ("CREATE STREAM p AS SELECT v FROM (SELECT v, k FROM s) x;", "Key missing"),
        ("SELECT v FROM (SELECT v FROM s) x WHERE x.k = 'a' EMIT CHANGES;", "Column 'X.K' cannot be resolved"),
        ("SELECT v FROM (SELECT v FROM s LIMIT 1) EMIT CHANGES;", "LIMIT in a query that another one reads"),
        ("SELECT v, n FROM (SELECT k, v FROM s) JOIN t ON k = t.k EMIT CHANGES;", "needs a name"),
        ("SELECT s.v FROM s JOIN key_values x ON s.k = x.k EMIT CHANGES;", "reads topic 's' as stream S and as table"),
        ("SELECT v FROM s UNION ALL SELECT g FROM r EMIT CHANGES;", "can't unite INTEGER and STRING"),
        ("SELECT v FROM s UNION ALL SELECT g, v FROM r EMIT CHANGES;", "the first one has 1, number 2 has 2"),
        ("SELECT v FROM s UNION ALL SELECT v FROM t EMIT CHANGES;", "UNION ALL of tables is not supported"),
        ("SELECT v FROM s UNION ALL SELECT v FROM narrow EMIT CHANGES;", "WITH (PARTITIONS=3) AS SELECT * FROM NARROW"),
        (
            "WITH a AS (SELECT v FROM s), a AS (SELECT v FROM r) SELECT v FROM a EMIT CHANGES;",
            "gives the name 'A' twice",
        ),
        ("WITH counts AS (SELECT v FROM s) SELECT v FROM count EMIT CHANGES;", "Did you mean COUNTS"),
        (
            "SELECT ROWTIME FROM (SELECT k, COUNT(*) AS n FROM s GROUP BY k) EMIT CHANGES;",
            "ROWTIME of a query that gives a table",
        ),
        ("SELECT v, v AS v FROM (SELECT v AS a, v AS a FROM s) EMIT CHANGES;", "Duplicate column name"),
    ];
    for (statement, what) in refused {
        let error = t.fails(statement);
        assert!(error.contains(what), "{statement}: {error}");
    }
    // No query is half made.
    assert_eq!(t.engine.catalog().queries().count(), 1);
}

/// Each has its own columns, its own times, and its own bad records.
#[test]
fn two_sources_over_one_topic_read_it_each_in_its_way() {
    on_both(|t| {
        t.done(SOURCES[0]);
        t.done(
            "CREATE STREAM other (k STRING KEY, g INT, v BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', TIMESTAMP='v');",
        );
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.query(
            "CREATE STREAM o AS SELECT k, 0 AS g, v, ROWTIME AS time FROM s UNION ALL SELECT k, g, v, ROWTIME AS time FROM other EMIT CHANGES;",
        );
        for (time, k, g, v) in [(1000, "a", "no number", 7), (2000, "b", "5", 8), (500, "c", "6", 9)] {
            t.done(&format!("INSERT INTO s (ROWTIME, k, g, v) VALUES ({time}, '{k}', '{g}', {v});"));
        }
        let row = |k: &str, g: i32, v: i64, time: i64| format!("String({k:?}) Int({g}) Bigint({v}) Bigint({time})");
        let expected =
            [row("a", 0, 7, 1000), row("b", 0, 8, 2000), row("b", 5, 8, 8), row("c", 0, 9, 500), row("c", 6, 9, 9)];
        t.await_rows("SELECT * FROM o;", &expected.each_ref().map(String::as_str));
    });
}

/// Names of its own topics are as many as its parts.
#[test]
fn parts_of_nested_queries_have_names_of_their_own() {
    let mut t = Terminal::stepped();
    SOURCES.iter().for_each(|source| drop(t.done(source)));
    for (number, case) in CASES.iter().enumerate() {
        // What is in between isn't there: only the whole.
        let id = t.query(&create(case, &format!("o{number}"), case.whole));
        let plan = t.engine.inner.sinks.read()[&id].analyzed.plan.clone();
        let names: Vec<String> = plan.changelog_names().into_iter().flatten().collect();
        let exchanges: Vec<String> = plan.exchange_names().into_iter().flatten().collect();
        assert_eq!(exchanges.len(), plan.stages.len() - 1, "{}", case.whole);
        for names in [names, exchanges] {
            let distinct: BTreeSet<&String> = names.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{}: {names:?}", case.whole);
        }
    }
}
