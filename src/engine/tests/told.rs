//! What statements tell beside that they are done: what becomes of topics and rows, and how else to write it.

use super::*;

#[test]
fn a_topic_that_holds_records_already() {
    on_both(|t| {
        let s = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";
        assert_eq!(t.done(s).message, "Stream S created");
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.done("INSERT INTO s VALUES ('a', 1);");
        for made in
            ["CREATE STREAM o AS SELECT * FROM s;", "CREATE TABLE o AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"]
        {
            let kind = if made.contains("STREAM o") { "STREAM" } else { "TABLE" };
            let fresh = t.done(made);
            assert!(fresh.warnings.is_empty(), "{fresh:?}");
            t.await_records("O", &[if kind == "STREAM" { r#"a:{"V":1}"# } else { r#"a:{"N":1}"# }]);
            let dropped = t.done(&format!("DROP {kind} o;")).message;
            assert_eq!(dropped, "Source `O` (topic: O) was dropped. The topic stays, with its records.");
            let again = t.done(made);
            assert!(again.warnings.iter().any(|told| told.contains("'O' holds records already")), "{again:?}");
            let dropped = t.done(&format!("DROP {kind} o DELETE TOPIC;")).message;
            assert!(dropped.ends_with("The topic was deleted, too."), "{dropped}");
        }
        t.done("DROP STREAM s;");
        assert_eq!(t.done(s).message, "Stream S created over topic 's', which holds records already");
    });
}

#[test]
fn a_row_put_into_a_table_that_a_query_makes() {
    on_both(|t| {
        t.done("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
        let id = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;");
        assert!(t.done("INSERT INTO s VALUES ('a', 1);").warnings.is_empty());
        let told = t.done("INSERT INTO c VALUES ('b', 7);").warnings;
        assert!(matches!(told.as_slice(), [told] if told.contains(&id)), "{told:?}");
        // Nobody else writes it now.
        t.done(&format!("TERMINATE {id};"));
        assert!(t.done("INSERT INTO c VALUES ('b', 8);").warnings.is_empty());
    });
}

#[test]
fn names_that_are_not_there() {
    let mut t = Terminal::stepped();
    t.done("CREATE TABLE people (id STRING PRIMARY KEY, v INT, `town` STRING) WITH (KAFKA_TOPIC='p', VALUE_FORMAT='JSON', PARTITIONS=1);");
    for (statement, hint) in [
        ("INSERT INTO people (ID, V, TWN) VALUES ('a', 1, 'Ulm');", "Did you mean town?"),
        ("INSERT INTO people (ID, TOWN) VALUES ('a', 'Ulm');", "Did you mean `town`? Names in back-ticks"),
        ("INSERT INTO people (ID, SOMETHING) VALUES ('a', 1);", "PEOPLE has ID, V, town"),
        ("DELETE FROM people WHERE v = 1;", "DELETE FROM PEOPLE WHERE ID = '...';"),
        ("DELETE FROM people WHERE id > 'a';", "DELETE FROM PEOPLE WHERE ID = '...';"),
    ] {
        let told = t.fails(statement);
        assert!(told.contains(hint), "{statement}: {told}");
    }
}
