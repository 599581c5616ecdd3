//! Tables that keep the versions of their rows.

use super::*;

#[test]
fn a_late_row_meets_the_version_of_its_time() {
    on_both(|t| {
        let with = "KAFKA_TOPIC='items', VALUE_FORMAT='JSON', PARTITIONS=1, VERSIONS_RETENTION_MS=86400000";
        t.done(&format!("CREATE TABLE items (name STRING PRIMARY KEY, price INT) WITH ({with});"));
        t.done("CREATE STREAM orders (item STRING KEY, n INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='DELIMITED', PARTITIONS=1);");
        // The second price was from 1000 on; that from 2000 on is told before it.
        for (time, price) in [(2000, 7), (1000, 5)] {
            t.done(&format!("INSERT INTO items (ROWTIME, name, price) VALUES ({time}, 'tea', {price});"));
        }
        for (time, n) in [(2500, 1), (1500, 2), (500, 3)] {
            t.done(&format!("INSERT INTO orders (ROWTIME, item, n) VALUES ({time}, 'tea', {n});"));
        }
        t.query(
            "CREATE STREAM priced AS SELECT item, n, price FROM orders LEFT JOIN items ON item = name EMIT CHANGES;",
        );
        t.await_records("PRICED", &["tea:1,7", "tea:2,5", "tea:3,"]);
        let described = t.listing("DESCRIBE items EXTENDED;");
        let kept = described.facts.iter().find(|(fact, _)| fact == "Versions kept").map(|(_, value)| value.as_str());
        assert_eq!(kept, Some("1 DAYS"));
    });
}

/// Every change of a table that keeps versions is one, whatever else is cached; what a query in FROM makes of it has the newest.
#[test]
fn a_table_that_a_query_makes_has_all_versions() {
    on_both(|t| {
        t.done("SET 'cache.max.bytes.buffering' = '10000000';");
        t.done(
            "CREATE STREAM ev (id STRING KEY, a INT) WITH (KAFKA_TOPIC='ev', VALUE_FORMAT='DELIMITED', PARTITIONS=1);",
        );
        t.done(
            "CREATE STREAM l (id STRING KEY, n INT) WITH (KAFKA_TOPIC='l', VALUE_FORMAT='DELIMITED', PARTITIONS=1);",
        );
        for a in [1, 2, 3] {
            t.done(&format!("INSERT INTO ev (ROWTIME, id, a) VALUES ({a}000, 'x', {a}0);"));
        }
        t.query("CREATE TABLE last WITH (VERSIONS_RETENTION_MS=100000) AS SELECT id, LATEST_BY_OFFSET(a) AS a FROM ev GROUP BY id;");
        t.await_records("LAST", &["x:10", "x:20", "x:30"]);
        for n in [1, 2, 3] {
            t.done(&format!("INSERT INTO l (ROWTIME, id, n) VALUES ({n}500, 'x', {n});"));
        }
        t.query("CREATE STREAM met AS SELECT l.id, n, a FROM l LEFT JOIN last ON l.id = last.id;");
        t.await_records("MET", &["x:1,10", "x:2,20", "x:3,30"]);
        t.query(
            "CREATE STREAM newest AS SELECT l.id, n, s.a AS a
             FROM l LEFT JOIN (SELECT id, LATEST_BY_OFFSET(a) AS a FROM last GROUP BY id) s ON l.id = s.id;",
        );
        t.done("INSERT INTO l (ROWTIME, id, n) VALUES (1600, 'x', 4);");
        // Read from the beginning: in the order of times, the last row being late.
        t.await_records("NEWEST", &["x:1,10", "x:2,20", "x:3,30", "x:4,30"]);
    });
}

#[test]
fn only_tables_have_versions() {
    on_both(|t| {
        let refused = t.fails("CREATE STREAM s (k INT KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1, VERSIONS_RETENTION_MS=1);");
        assert!(refused.contains("VERSIONS_RETENTION_MS is a property of tables, and this is a stream."), "{refused}");
        let table =
            "CREATE TABLE t (k INT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1";
        let refused = t.fails(&format!("{table}, VERSIONS_RETENTION_MS=0);"));
        assert!(refused.contains("a number of milliseconds from 1 on"), "{refused}");
        // Rows that travel have no versions.
        t.done(&format!("{table}, VERSIONS_RETENTION_MS=1000);"));
        t.done("CREATE STREAM s (k INT KEY, v INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', PARTITIONS=1);");
        let refused = t.fails("CREATE STREAM o AS SELECT s.k, t.v FROM s JOIN t ON s.k = t.k EMIT CHANGES;");
        assert!(refused.contains("KEY_FORMAT"), "{refused}");
    });
}
