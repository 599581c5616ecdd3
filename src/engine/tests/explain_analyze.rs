//! EXPLAIN ANALYZE: what passes through each operator.

use super::*;

/// The rows that went in and came out, of each line, by the operator's name, from the sink down.
fn passed(text: &str) -> Vec<(String, u64, u64)> {
    let of = |line: &str| {
        let (plan, counts) = line.rsplit_once(" | rows in ")?;
        let name = plan.split_once("[ ")?.1.split_once(" ]")?.0.to_owned();
        let mut numbers = counts.split(", ").map(|part| part.trim_start_matches("out "));
        Some((name, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    };
    text.lines().filter_map(of).collect()
}

fn expect(t: &mut Terminal, id: &str, expected: &[(&str, u64, u64)]) {
    let text = t.text(&format!("EXPLAIN ANALYZE {id};"));
    let seen = passed(&text);
    let seen: Vec<(&str, u64, u64)> = seen.iter().map(|(name, rows_in, out)| (name.as_str(), *rows_in, *out)).collect();
    assert_eq!(seen, expected, "{text}");
    assert!(text.lines().filter(|line| line.contains("> [")).all(|line| line.contains(" ms")), "{text}");
}

#[test]
fn each_operator_tells_its_rows_time_and_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done("SET 'cache.max.bytes.buffering' = '0';");
    t.done("CREATE STREAM s (k INT KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);");
    t.done("CREATE TABLE names (v INT PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC='n', VALUE_FORMAT='JSON', PARTITIONS=2);");
    t.done("INSERT INTO names VALUES (1, 'one');");
    t.done("INSERT INTO names VALUES (2, 'two');");
    let counted = t.query("CREATE TABLE c AS SELECT v, COUNT(*) AS n FROM s WHERE v < 3 GROUP BY v;");
    let named = t.query("CREATE STREAM j AS SELECT s.k AS k, names.v AS v, name FROM s JOIN names ON s.v = names.v;");
    for (k, v) in [(1, 1), (2, 1), (3, 2), (4, 7), (5, 8)] {
        t.done(&format!("INSERT INTO s VALUES ({k}, {v});"));
    }
    t.await_rows("SELECT v, n FROM c;", &["Int(1) Bigint(2)", "Int(2) Bigint(1)"]);
    t.await_rows("SELECT COUNT(*) FROM j;", &["Bigint(3)"]);
    expect(
        &mut t,
        &counted,
        &[
            ("SINK", 3, 3),
            ("PROJECT", 3, 3),
            ("AGGREGATE", 3, 3),
            ("REPARTITION", 3, 3),
            ("PROJECT", 3, 3),
            ("PROJECT", 3, 3),
            ("FILTER", 5, 3),
            ("SOURCE", 5, 5),
        ],
    );
    let text = t.text(&format!("EXPLAIN ANALYZE {counted};"));
    let has_state = |line: &&str| line.contains(", state ");
    let with_state: Vec<&str> = text.lines().filter(has_state).collect();
    assert!(with_state.len() == 1 && with_state[0].contains("AGGREGATE"), "{text}");
    let text = t.text(&format!("EXPLAIN ANALYZE {named};"));
    let joined = passed(&text).into_iter().find(|(name, ..)| name == "JOIN").unwrap();
    assert_eq!((joined.1, joined.2), (7, 3), "{text}");
    // Without ANALYZE nothing is measured, and of what doesn't run there is nothing to tell.
    assert_eq!(passed(&t.text(&format!("EXPLAIN {counted};"))), []);
    let told = t.fails("EXPLAIN ANALYZE nothing_1;");
    assert!(told.contains("Query with id:NOTHING_1 does not exist"), "{told}");
    let told = t.fails("EXPLAIN ANALYZE SELECT * FROM s;");
    assert!(told.contains("EXPLAIN ANALYZE of a statement"), "{told}");
    // SHOW QUERIES EXTENDED is EXPLAIN of all.
    let all = t.text("SHOW QUERIES EXTENDED;");
    assert!(all.contains(&format!("ID: {counted}\n")) && all.contains(&format!("ID: {named}\n")), "{all}");
    assert!(all.contains("Rows in: 5, Rows out: 3") && all.contains("Commits: "), "{all}");
}
