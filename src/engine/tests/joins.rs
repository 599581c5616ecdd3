//! Queries over several sources: what the catalog, the topics and other statements know of them.

use std::collections::BTreeMap;

use super::*;
use crate::engine::{GroupKind, Trial};
use crate::format::Format;

/// A stream of orders and a table of items, by another column than the stream's key; not as many partitions.
fn shop(t: &mut Terminal) {
    t.done("CREATE STREAM orders (id INT KEY, item STRING, n INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='DELIMITED', PARTITIONS=2);");
    t.done("CREATE TABLE items (name STRING PRIMARY KEY, price INT) WITH (KAFKA_TOPIC='items', VALUE_FORMAT='JSON', PARTITIONS=3);");
    for (name, price) in [("tea", 5), ("cup", 7)] {
        // Before all orders, whatever the clock.
        t.done(&format!("INSERT INTO items (ROWTIME, name, price) VALUES (0, '{name}', {price});"));
    }
}

/// A table's row is there for a stream's row of the same millisecond.
#[test]
fn of_one_time_the_tables_row_is_first() {
    on_both(|t| {
        t.done("CREATE STREAM s (k STRING KEY, i STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);");
        t.done(
            "CREATE TABLE u (k STRING PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='u', VALUE_FORMAT='JSON', PARTITIONS=2);",
        );
        t.done("INSERT INTO s (ROWTIME, k, i) VALUES (1000, 'x', 'a');");
        t.done("INSERT INTO u (ROWTIME, k, v) VALUES (1000, 'a', 1);");
        t.done("INSERT INTO u (ROWTIME, k, v) VALUES (1000, 'x', 2);");
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.query("CREATE STREAM by_key AS SELECT s.k, v FROM s JOIN u ON s.k = u.k;");
        t.query("CREATE STREAM by_value AS SELECT s.i, v FROM s JOIN u ON s.i = u.k;");
        t.await_records("BY_KEY", &[r#"x:{"V":2}"#]);
        t.await_records("BY_VALUE", &[r#"a:{"V":1}"#]);
    });
}

/// Each row meets itself, and is there once for each side.
#[test]
fn a_stream_that_meets_itself() {
    on_both(|t| {
        t.done("CREATE STREAM s (k STRING KEY, boss STRING, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);");
        t.done("SET 'auto.offset.reset' = 'earliest';");
        let pairs = t.query("CREATE STREAM pairs WITH (PARTITIONS=1) AS SELECT a.k, a.v, b.v FROM s a JOIN s b WITHIN 1 HOUR ON a.k = b.k;");
        t.query("CREATE STREAM bosses WITH (PARTITIONS=1) AS SELECT b.k, a.v, b.v FROM s a JOIN s b WITHIN 1 HOUR ON a.boss = b.k;");
        // The same twice, by a stream of its own.
        t.query("CREATE STREAM copy AS SELECT k, v + 100 AS v FROM s;");
        t.query("CREATE STREAM with_copy WITH (PARTITIONS=1) AS SELECT s.k, s.v, c.v FROM s JOIN copy c WITHIN 1 HOUR ON s.k = c.k;");
        assert_eq!(t.engine.catalog().query(&pairs).unwrap().sources, ["S"]);
        t.done("INSERT INTO s (ROWTIME, k, boss, v) VALUES (1000, 'x', 'y', 1);");
        t.await_records("PAIRS", &[r#"x:{"A_V":1,"B_V":1}"#]);
        t.done("INSERT INTO s (ROWTIME, k, boss, v) VALUES (2000, 'y', 'y', 2);");
        t.done("INSERT INTO s (ROWTIME, k, boss, v) VALUES (3000, 'x', 'x', 3);");
        let expected = [
            r#"x:{"A_V":1,"B_V":1}"#,
            r#"y:{"A_V":2,"B_V":2}"#,
            r#"x:{"A_V":3,"B_V":1}"#,
            r#"x:{"A_V":1,"B_V":3}"#,
            r#"x:{"A_V":3,"B_V":3}"#,
        ];
        t.await_records("PAIRS", &expected);
        let expected =
            [r#"y:{"A_V":1,"B_V":2}"#, r#"y:{"A_V":2,"B_V":2}"#, r#"x:{"A_V":3,"B_V":1}"#, r#"x:{"A_V":3,"B_V":3}"#];
        t.await_records("BOSSES", &expected);
        let expected = [
            r#"x:{"S_V":1,"C_V":101}"#,
            r#"x:{"S_V":1,"C_V":103}"#,
            r#"x:{"S_V":3,"C_V":101}"#,
            r#"x:{"S_V":3,"C_V":103}"#,
            r#"y:{"S_V":2,"C_V":102}"#,
        ];
        t.await_in_any_order("WITH_COPY", &expected);
    });
}

/// Rows of one key and window meet; a table without windows has one row for all of a key's.
#[test]
fn windowed_tables() {
    on_both(|t| {
        for name in ["a", "b"] {
            t.done(&format!("CREATE STREAM {name} (k STRING KEY, v INT) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS=2);"));
            t.query(&format!("CREATE TABLE {name}n AS SELECT k, COUNT(*) AS n FROM {name} WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY k;"));
        }
        t.done("CREATE TABLE names (k STRING PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC='names', VALUE_FORMAT='JSON', PARTITIONS=2);");
        t.done("INSERT INTO names (ROWTIME, k, name) VALUES (0, 'x', 'Ada');");
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.query("CREATE TABLE both AS SELECT an.k AS k, an.n AS a, bn.n AS b FROM an LEFT JOIN bn ON an.k = bn.k;");
        t.done("CREATE STREAM changes (k STRING KEY, n BIGINT) WITH (KAFKA_TOPIC='AN', VALUE_FORMAT='JSON', WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 SECOND');");
        t.query("CREATE STREAM named AS SELECT c.k AS k, name, n FROM changes c JOIN names ON c.k = names.k;");
        for (stream, time) in [("a", 100), ("a", 1100), ("b", 200), ("b", 2200), ("a", 300), ("b", 400)] {
            t.done(&format!("INSERT INTO {stream} (ROWTIME, k, v) VALUES ({time}, 'x', 1);"));
        }
        let rows = [
            r#"String("x") Bigint(0) Bigint(1000) Bigint(2) Bigint(2)"#,
            r#"String("x") Bigint(1000) Bigint(2000) Bigint(1) Null"#,
        ];
        t.await_rows("SELECT k, WINDOWSTART, WINDOWEND, a, b FROM both;", &rows);
        assert!(t.engine.catalog().source("NAMED").unwrap().window.is_some());
        t.done("CREATE STREAM flat AS SELECT k, CAST(WINDOWSTART AS STRING) + name AS w, n FROM named PARTITION BY k;");
        let flat = t.stream("SELECT w, n FROM flat EMIT CHANGES LIMIT 3;");
        let expected = [r#"String("0Ada") Bigint(1)"#, r#"String("1000Ada") Bigint(1)"#, r#"String("0Ada") Bigint(2)"#];
        t.settle();
        assert_eq!(next_rows(&flat, 3), expected);
    });
}

/// Of tables that are joined by what is neither one's key each pair is a row, and goes with either of them.
#[test]
fn pairs_of_two_tables() {
    on_both(|t| {
        t.done("CREATE TABLE people (id INT PRIMARY KEY, town STRING) WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON', PARTITIONS=2);");
        t.done("CREATE TABLE shops (name STRING PRIMARY KEY, place STRING) WITH (KAFKA_TOPIC='shops', VALUE_FORMAT='JSON', PARTITIONS=3);");
        let near = "CREATE TABLE near WITH (KEY_FORMAT='JSON') AS SELECT id, name, town FROM people JOIN shops ON town = place;";
        assert!(t.fails(&near.replace("WITH (KEY_FORMAT='JSON') ", "")).contains("only supports a single field"));
        t.query(near);
        t.query("CREATE TABLE counts AS SELECT town, COUNT(*) AS n FROM near GROUP BY town;");
        for (table, row) in
            [("people", "1, 'Ulm'"), ("people", "2, 'Ulm'"), ("shops", "'tea', 'Ulm'"), ("shops", "'ink', 'Ulm'")]
        {
            t.done(&format!("INSERT INTO {table} VALUES ({row});"));
        }
        let row = |id: i32, name: &str, town: &str| format!(r#"Int({id}) String("{name}") String("{town}")"#);
        let all = [row(1, "ink", "Ulm"), row(1, "tea", "Ulm"), row(2, "ink", "Ulm"), row(2, "tea", "Ulm")];
        t.await_rows("SELECT * FROM near;", &all.each_ref().map(String::as_str));
        t.await_rows("SELECT * FROM near WHERE id = 2 AND name = 'tea';", &[&all[3]]);
        t.await_rows("SELECT * FROM counts;", &[r#"String("Ulm") Bigint(4)"#]);
        t.done("INSERT INTO shops VALUES ('tea', 'Bonn');");
        t.await_rows("SELECT * FROM near;", &[&all[0], &all[2]]);
        t.done("INSERT INTO people VALUES (2, 'Bonn');");
        t.await_rows("SELECT * FROM near;", &[&all[0], &row(2, "tea", "Bonn")]);
        t.done("DELETE FROM people WHERE id = 1;");
        t.await_rows("SELECT * FROM near;", &[&row(2, "tea", "Bonn")]);
        t.await_rows("SELECT * FROM counts WHERE n > 0;", &[r#"String("Bonn") Bigint(1)"#]);
    });
}

const PRICED: &str = "CREATE STREAM priced WITH (PARTITIONS=1) AS SELECT item, o.id, n * price AS cost FROM orders o JOIN items i ON item = i.name EMIT CHANGES;";

/// Two streams with the same key and number of partitions.
fn steps(t: &mut Terminal) {
    for name in ["a", "b"] {
        t.done(&format!("CREATE STREAM {name} (id STRING KEY, v INT) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS=1);"));
    }
}

#[test]
fn a_join_has_its_names_and_what_it_inherits_from_its_sources() {
    on_both(|t| {
        shop(t);
        let id = t.query(PRICED);
        let catalog = t.engine.catalog();
        let priced = catalog.source("PRICED").unwrap();
        assert_eq!(priced.schema_text(), "`ITEM` STRING KEY, `ID` INTEGER, `COST` INTEGER");
        assert_eq!((priced.key.format, priced.value.format), (Format::Kafka, Format::Delimited));
        assert_eq!(catalog.query(&id).unwrap().sources, ["ORDERS", "ITEMS"]);
        // Rows of the stream travel to where the table's are.
        t.done("INSERT INTO orders VALUES (1, 'tea', 2);");
        t.await_records("PRICED", &["tea:1,10"]);
        t.done("INSERT INTO orders VALUES (2, 'hat', 1);");
        t.done("INSERT INTO orders VALUES (3, 'cup', 3);");
        t.await_records("PRICED", &["tea:1,10", "cup:3,21"]);
        t.query("CREATE STREAM like_orders AS SELECT item, price FROM orders JOIN items ON item = name EMIT CHANGES;");
        assert_eq!(t.engine.log().partitions("LIKE_ORDERS"), Some(2));
    });
}

#[test]
fn rows_of_a_join_for_a_reader() {
    on_both(|t| {
        steps(t);
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.done("INSERT INTO a (ROWTIME, id, v) VALUES (1000, 'x', 1);");
        t.done("INSERT INTO b (ROWTIME, id, v) VALUES (2000, 'x', 2);");
        let join = "FROM a LEFT JOIN b other WITHIN 1 HOUR GRACE PERIOD 1 HOUR ON a.id = other.id";
        let stream = t.stream(&format!(
            "SELECT other.v, a.*, ROWTIME {join} WHERE ROWTIME > '1970-01-01T00:00:01' EMIT CHANGES LIMIT 1;"
        ));
        let names: Vec<String> = stream.columns.iter().map(|column| column.name.clone()).collect();
        assert_eq!(names, ["OTHER_V", "A_ID", "A_V", "ROWTIME"]);
        let rows: Vec<String> = stream.collect().unwrap().iter().map(shown).collect();
        assert_eq!(rows, [r#"Int(2) String("x") Int(1) Bigint(2000)"#]);
        assert_eq!(t.rows(&format!("SELECT * {join};")), [r#"String("x") Int(1) String("x") Int(2)"#]);
    });
}

#[test]
fn rows_that_lie_apart_are_not_joined() {
    on_both(|t| {
        shop(t);
        t.done("CREATE STREAM names (name STRING KEY, n INT) WITH (KAFKA_TOPIC='names', VALUE_FORMAT='JSON', PARTITIONS=2);");
        let join = "SELECT n.name, price FROM names n JOIN items i ON n.name = i.name";
        for statement in [format!("CREATE STREAM o AS {join};"), format!("{join} EMIT CHANGES;")] {
            let refused = t.fails(&statement);
            let counts = "Can't join `NAMES` with `ITEMS` since the number of partitions don't match. `NAMES` partitions = 2; `ITEMS` partitions = 3.";
            assert!(refused.contains(counts) && refused.contains("PARTITIONS=2"), "{refused}");
        }
        assert_eq!(t.engine.catalog().queries().count(), 0);
        assert!(t.engine.log().partitions("O").is_none());
    });
}

#[test]
fn every_source_of_a_join_is_in_use() {
    on_both(|t| {
        shop(t);
        let id = t.query(PRICED);
        for drop in ["DROP STREAM orders;", "DROP TABLE items;"] {
            let refused = t.fails(drop);
            assert!(refused.contains(&format!("read from this source: [{id}]")), "{refused}");
        }
        t.done(&format!("TERMINATE {id};"));
        t.done("DROP TABLE items;");
        t.done("DROP STREAM orders;");
    });
}

#[test]
fn a_join_does_not_write_to_what_it_reads() {
    on_both(|t| {
        steps(t);
        t.done("CREATE STREAM c (id STRING KEY, v INT) WITH (KAFKA_TOPIC='c', VALUE_FORMAT='JSON', PARTITIONS=1);");
        let join = "SELECT a.id AS id, a.v + b.v AS v FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id";
        for sink in ["a", "b"] {
            let refused = t.fails(&format!("INSERT INTO {sink} {join};"));
            assert!(refused.contains("would read what it writes"), "{refused}");
        }
        t.query(&format!("INSERT INTO c {join};"));
        t.done("INSERT INTO a VALUES ('x', 1);");
        t.done("INSERT INTO b VALUES ('x', 20);");
        t.await_records("c", &[r#"x:{"V":21}"#]);
    });
}

/// What a join holds of its rows means something by its old plan only.
#[test]
fn a_join_is_not_replaced() {
    on_both(|t| {
        steps(t);
        t.query("CREATE STREAM o AS SELECT a.id, a.v FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id;");
        t.query("CREATE STREAM plain AS SELECT id, v FROM a;");
        for statement in [
            "CREATE OR REPLACE STREAM o AS SELECT a.id, a.v FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id;",
            "CREATE OR REPLACE STREAM o AS SELECT a.id, a.v FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id WHERE b.v > 1;",
            "CREATE OR REPLACE STREAM plain AS SELECT a.id AS id, a.v AS v FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id;",
        ] {
            let refused = t.fails(statement);
            assert!(refused.contains("Upgrades not yet supported for joins"), "{refused}");
            assert!(refused.contains("create it anew"), "{refused}");
        }
        let reads = t.fails(
            "CREATE OR REPLACE STREAM b AS SELECT a.id AS id, a.v AS v FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id;",
        );
        assert!(reads.contains("can't be replaced by a query that reads it"), "{reads}");
    });
}

#[test]
fn a_join_keeps_state_of_all_its_topics() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    shop(&mut t);
    let id = t.query(PRICED);
    t.done(&format!("PAUSE {id};"));
    let standing = t.engine.groups(Some(&id)).unwrap().pop().unwrap();
    let GroupKind::Query(query) = &standing.kind else { panic!("{:?}", standing.kind) };
    assert_eq!(query.topics, ["orders", "items"]);
    let to = BTreeMap::from([(TopicPartition { topic: "orders".to_string(), partition: 0 }, 0)]);
    let refused = t.engine.reset_group(&standing.description.name, &to, Trial::Only).unwrap_err().to_string();
    assert!(refused.contains("state"), "{refused}");
}

#[test]
fn a_plan_shows_its_joins_as_a_tree() {
    let mut t = Terminal::stepped();
    shop(&mut t);
    t.done(
        "CREATE TABLE t2 (name STRING PRIMARY KEY, w INT) WITH (KAFKA_TOPIC='t2', VALUE_FORMAT='JSON', PARTITIONS=3);",
    );
    let told = t.text("EXPLAIN SELECT id, price, w FROM orders JOIN items ON item = items.name LEFT JOIN t2 ON item = t2.name EMIT CHANGES;");
    let lines: Vec<&str> = told.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "> [ RESULT ] ID INTEGER, PRICE INTEGER, W INTEGER",
            "  > [ PROJECT ] KSQL_INTERNAL_HIDDEN_KEY_0, ID, PRICE, W",
            "    > [ JOIN ] LEFT of a stream with a table by key (STRING)",
            "      > [ JOIN ] INNER of a stream with a table by key (STRING)",
            "        > [ REPARTITION ] by KAFKA key (STRING)",
            "          > [ PROJECT ] KSQL_INTERNAL_JOIN_KEY, ORDERS_ID",
            "            > [ SOURCE ] ORDERS (topic orders), columns ID, ITEM",
            "        > [ PROJECT ] KSQL_INTERNAL_JOIN_KEY, ITEMS_PRICE",
            "          > [ SOURCE ] ITEMS (topic items), columns NAME, PRICE",
            "      > [ PROJECT ] KSQL_INTERNAL_JOIN_KEY, T2_W",
            "        > [ SOURCE ] T2 (topic t2), columns NAME, W",
        ]
    );
    steps(&mut t);
    let told = t.text("EXPLAIN SELECT * FROM a FULL JOIN b WITHIN (1 HOUR, 5 SECONDS) GRACE PERIOD 1 DAY ON a.id = b.id EMIT CHANGES;");
    assert!(
        told.contains("[ JOIN ] FULL of streams WITHIN (1 HOURS, 5 SECONDS), GRACE PERIOD 1 DAYS by key (STRING)"),
        "{told}"
    );
}

/// Only the key of its topic has windows; what is partitioned anew has another.
#[test]
fn a_windowed_stream_with_a_new_key_is_windowed_no_more() {
    let mut t = Terminal::stepped();
    t.done("CREATE STREAM w (id INT KEY, v INT) WITH (KAFKA_TOPIC='w', VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 SECOND');");
    t.query("CREATE STREAM same AS SELECT id, v FROM w;");
    t.query("CREATE STREAM other AS SELECT v, id FROM w PARTITION BY v;");
    let catalog = t.engine.catalog();
    assert!(catalog.source("SAME").unwrap().window.is_some());
    assert!(catalog.source("OTHER").unwrap().window.is_none());
}

#[test]
fn windows_above_a_join_tell_their_bounds() {
    on_both(|t| {
        steps(t);
        t.done("CREATE TABLE names (id STRING PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC='names', VALUE_FORMAT='JSON', PARTITIONS=1);");
        t.query("CREATE TABLE o AS SELECT name, SUM(v) AS s, WINDOWSTART AS since FROM a JOIN names n ON a.id = n.id WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY name HAVING WINDOWEND > 3600000;");
        t.done("INSERT INTO names (ROWTIME, id, name) VALUES (0, 'x', 'Ada');");
        for (time, v) in [(1000, 1), (3_600_000, 2), (3_601_000, 3)] {
            t.done(&format!("INSERT INTO a (ROWTIME, id, v) VALUES ({time}, 'x', {v});"));
        }
        t.await_rows("SELECT name, s, since FROM o;", &[r#"String("Ada") Int(5) Bigint(3600000)"#]);
    });
}
