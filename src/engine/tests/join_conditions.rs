//! Joins with more conditions than the equality that leads: what doesn't meet all of them is no match.

use super::*;

const SHOP: [&str; 2] = [
    "CREATE TABLE orders (id INT PRIMARY KEY, item STRING, n INT) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=2);",
    "CREATE TABLE items (name STRING PRIMARY KEY, stock INT) WITH (KAFKA_TOPIC='items', VALUE_FORMAT='JSON', PARTITIONS=3);",
];

#[test]
fn streams() {
    on_both(|t| {
        for name in ["a", "b"] {
            t.done(&format!("CREATE STREAM {name} (id STRING KEY, v INT) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS=1);"));
        }
        t.query("CREATE STREAM o AS SELECT a.id AS id, a.v AS av, b.v AS bv FROM a LEFT JOIN b WITHIN 1 HOUR ON a.v < b.v AND a.id = b.id;");
        let mut expected: Vec<&str> = Vec::new();
        let writes: [(&str, &str, &[&str]); 6] = [
            ("a", "1000, 'x', 5", &[r#"x:{"AV":5,"BV":null}"#]),
            ("b", "2000, 'x', 3", &[]),
            ("b", "3000, 'x', NULL", &[]),
            ("b", "4000, 'x', 9", &[r#"x:{"AV":5,"BV":9}"#]),
            ("a", "5000, 'x', 1", &[r#"x:{"AV":1,"BV":3}"#, r#"x:{"AV":1,"BV":9}"#]),
            ("a", "6000, 'x', 9", &[r#"x:{"AV":9,"BV":null}"#]),
        ];
        for (stream, row, given) in writes {
            t.done(&format!("INSERT INTO {stream} (ROWTIME, id, v) VALUES ({row});"));
            expected.extend(given);
            t.await_records("O", &expected);
        }
    });
}

/// Whether a kept row matches is asked again of new ones after a restart.
#[test]
fn a_stream_and_a_table_through_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done("CREATE STREAM bids (id INT KEY, item STRING, n INT) WITH (KAFKA_TOPIC='bids', VALUE_FORMAT='JSON', PARTITIONS=1);");
    t.done(SHOP[1]);
    t.done("INSERT INTO items VALUES ('tea', 5);");
    let join =
        "SELECT item, id, n, stock FROM bids LEFT JOIN items ON n <= stock AND item = name AND (id < 9 OR n = 1)";
    t.query(&format!("CREATE STREAM o WITH (PARTITIONS=1) AS {join};"));
    let told = t.text(&format!("EXPLAIN {join} EMIT CHANGES;"));
    assert!(told.contains("[ JOIN ] LEFT of a stream with a table by key (STRING), and by other conditions"), "{told}");
    t.done("INSERT INTO bids VALUES (1, 'tea', 5);");
    t.await_records("O", &[r#"tea:{"ID":1,"N":5,"STOCK":5}"#]);
    t.done("INSERT INTO bids VALUES (2, 'tea', 6);");
    let mut expected = vec![r#"tea:{"ID":1,"N":5,"STOCK":5}"#, r#"tea:{"ID":2,"N":6,"STOCK":null}"#];
    t.await_records("O", &expected);
    drop(t);

    let mut t = Terminal::open(folder.path());
    for (row, given) in [
        ("3, 'tea', 4", r#"tea:{"ID":3,"N":4,"STOCK":5}"#),
        ("4, 'tea', 7", r#"tea:{"ID":4,"N":7,"STOCK":null}"#),
        ("10, 'tea', 2", r#"tea:{"ID":10,"N":2,"STOCK":null}"#),
        ("11, 'tea', 1", r#"tea:{"ID":11,"N":1,"STOCK":5}"#),
    ] {
        t.done(&format!("INSERT INTO bids VALUES ({row});"));
        expected.push(given);
        t.await_records("O", &expected);
    }
}

/// A change of either row may make a match of a pair, or none.
#[test]
fn tables() {
    for (kind, steps) in [
        (
            "INNER",
            [
                ("t1", "'x', 5", None),
                ("t2", "'x', 5", None),
                ("t2", "'x', 4", Some(r#"x:{"V":5,"W":4}"#)),
                ("t1", "'x', 3", Some("x:null")),
                ("t1", "'x', 9", Some(r#"x:{"V":9,"W":4}"#)),
            ],
        ),
        (
            "LEFT",
            [
                ("t1", "'x', 5", Some(r#"x:{"V":5,"W":null}"#)),
                // Not part of the result, neither before nor after.
                ("t2", "'x', 5", None),
                ("t2", "'x', 4", Some(r#"x:{"V":5,"W":4}"#)),
                ("t1", "'x', 3", Some(r#"x:{"V":3,"W":null}"#)),
                ("t1", "'x', 9", Some(r#"x:{"V":9,"W":4}"#)),
            ],
        ),
    ] {
        on_both(|t| {
            for (name, column) in [("t1", "v"), ("t2", "w")] {
                t.done(&format!("CREATE TABLE {name} (id STRING PRIMARY KEY, {column} INT) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS=1);"));
            }
            t.query(&format!(
                "CREATE TABLE o AS SELECT t1.id AS id, v, w FROM t1 {kind} JOIN t2 ON t1.id = t2.id AND v > w;"
            ));
            let mut expected: Vec<&str> = Vec::new();
            for (table, row, given) in steps {
                t.done(&format!("INSERT INTO {table} VALUES ({row});"));
                expected.extend(given);
                t.await_records("O", &expected);
            }
        });
    }
}

/// The right row's changes are asked of all left rows that have its key, also of those restored.
#[test]
fn tables_by_a_foreign_key_through_a_restart() {
    for kind in ["INNER", "LEFT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut t = Terminal::open(folder.path());
        SHOP.iter().for_each(|statement| drop(t.done(statement)));
        t.query(&format!("CREATE TABLE o AS SELECT o.id AS id, n, stock FROM orders o {kind} JOIN items i ON item = name AND n <= stock;"));
        let alone = |row: &'static str| (kind == "LEFT").then_some(row);
        let rows = |rows: &[Option<&'static str>]| rows.iter().copied().flatten().collect::<Vec<&str>>();
        t.done("INSERT INTO items VALUES ('tea', 5);");
        t.done("INSERT INTO orders VALUES (1, 'tea', 5);");
        t.done("INSERT INTO orders VALUES (2, 'tea', 6);");
        let after = rows(&[Some("Int(1) Int(5) Int(5)"), alone("Int(2) Int(6) Null")]);
        t.await_rows("SELECT * FROM o;", &after);
        drop(t);

        let mut t = Terminal::open(folder.path());
        t.done("INSERT INTO items VALUES ('tea', 6);");
        t.await_rows("SELECT * FROM o;", &["Int(1) Int(5) Int(6)", "Int(2) Int(6) Int(6)"]);
        t.done("INSERT INTO items VALUES ('tea', 4);");
        t.await_rows("SELECT * FROM o;", &rows(&[alone("Int(1) Int(5) Null"), alone("Int(2) Int(6) Null")]));
        t.done("INSERT INTO orders VALUES (2, 'tea', 3);");
        t.await_rows("SELECT * FROM o;", &rows(&[alone("Int(1) Int(5) Null"), Some("Int(2) Int(3) Int(4)")]));
    }
}
