//! What aggregation has beyond ksqlDB: DISTINCT, FILTER, all aggregates on tables, bounds of windows everywhere.

use super::*;

const SALES: &str = "CREATE STREAM sales (shop STRING KEY, item STRING, n INT) WITH (KAFKA_TOPIC='sales', VALUE_FORMAT='JSON', PARTITIONS=1);";
const PEOPLE: &str = "CREATE TABLE people (id STRING PRIMARY KEY, town STRING, age INT) WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON', PARTITIONS=1);";

fn sell(t: &mut Terminal, rows: &[(&str, &str, i32)]) {
    for (shop, item, n) in rows {
        t.done(&format!("INSERT INTO sales VALUES ('{shop}', '{item}', {n});"));
    }
}

#[test]
fn distinct_and_filtered_aggregates() {
    on_both(|t| {
        t.done(SALES);
        t.query(
            "CREATE TABLE sold AS SELECT shop, COUNT(DISTINCT item) AS items, SUM(DISTINCT n) AS ns, COUNT(*) AS sales, \
             COUNT(*) FILTER (WHERE n > 1) AS large, COUNT(DISTINCT item) FILTER (WHERE n > 1) AS large_items \
             FROM sales GROUP BY shop HAVING COUNT(DISTINCT item) FILTER (WHERE n > 1) < 3;",
        );
        sell(t, &[("a", "pen", 1), ("a", "pen", 2), ("a", "ink", 2), ("a", "ink", 3)]);
        t.await_records(
            "SOLD",
            &[
                r#"a:{"ITEMS":1,"NS":1,"SALES":1,"LARGE":0,"LARGE_ITEMS":0}"#,
                r#"a:{"ITEMS":1,"NS":3,"SALES":2,"LARGE":1,"LARGE_ITEMS":1}"#,
                r#"a:{"ITEMS":2,"NS":3,"SALES":3,"LARGE":2,"LARGE_ITEMS":2}"#,
                r#"a:{"ITEMS":2,"NS":6,"SALES":4,"LARGE":3,"LARGE_ITEMS":2}"#,
            ],
        );
        sell(t, &[("a", "cap", 9)]);
        t.await_rows("SELECT shop FROM sold;", &[]);
    });
}

#[test]
fn what_distinct_and_filter_are_not_for() {
    on_both(|t| {
        t.done(SALES);
        let mut refused = |select: &str, why: &str| {
            let told = t.fails(&format!("CREATE TABLE x AS SELECT shop, {select} AS y FROM sales GROUP BY shop;"));
            assert!(told.contains(why), "{select}: {told}");
        };
        refused("LATEST_BY_OFFSET(DISTINCT n)", "LATEST_BY_OFFSET does not take DISTINCT");
        refused("CORRELATION(DISTINCT n, n)", "CORRELATION does not take DISTINCT");
        refused("COUNT(DISTINCT)", "DISTINCT needs a value");
        refused("SUM(n) FILTER (WHERE n)", "should evaluate to boolean");
        refused("SUM(n) FILTER (WHERE COUNT(*) > 1)", "can not be nested");
        refused("COUNT(*) AS n, LEN(DISTINCT shop)", "LEN is no aggregate function");
    });
}

#[test]
fn all_aggregates_on_a_table() {
    on_both(|t| {
        t.done(PEOPLE);
        t.query(
            "CREATE TABLE towns AS SELECT town, MIN(age) AS low, MAX(age) AS high, TOPK(age, 2) AS top, \
             TOPKDISTINCT(age, 2) AS tops, COLLECT_SET(age) AS ages, LATEST_BY_OFFSET(age) AS latest, \
             EARLIEST_BY_OFFSET(age, 2) AS earliest, COUNT(DISTINCT age) AS n FROM people GROUP BY town;",
        );
        for (id, town, age) in [("ann", "ulm", 30), ("bob", "ulm", 40), ("cid", "ulm", 40)] {
            t.done(&format!("INSERT INTO people VALUES ('{id}', '{town}', {age});"));
        }
        let row = |low: i32, high: i32, top: &str, tops: &str, ages: &str, latest: i32, earliest: &str, n: i32| {
            format!(
                r#"ulm:{{"LOW":{low},"HIGH":{high},"TOP":{top},"TOPS":{tops},"AGES":{ages},"LATEST":{latest},"EARLIEST":{earliest},"N":{n}}}"#
            )
        };
        let mut expected = vec![
            row(30, 30, "[30]", "[30]", "[30]", 30, "[30]", 1),
            row(30, 40, "[40,30]", "[40,30]", "[30,40]", 40, "[30,40]", 2),
            row(30, 40, "[40,40]", "[40,30]", "[30,40]", 40, "[30,40]", 2),
        ];
        // One of two equal ones goes, then the last.
        t.done("INSERT INTO people VALUES ('bob', 'ulm', 20);");
        expected.push(row(20, 40, "[40,30]", "[40,30]", "[30,40,20]", 20, "[30,40]", 3));
        t.done("INSERT INTO people VALUES ('cid', 'ulm', 10);");
        expected.push(row(10, 30, "[30,20]", "[30,20]", "[30,20,10]", 10, "[30,20]", 3));
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        t.await_records("TOWNS", &expected);
        let refused = t.fails("CREATE TABLE x AS SELECT town, COUNT_DISTINCT(age) AS n FROM people GROUP BY town;");
        assert!(refused.contains("COUNT(DISTINCT x) is exact"), "{refused}");
    });
}

#[test]
fn distinct_rows_of_a_stream() {
    on_both(|t| {
        t.done(SALES);
        t.query("CREATE STREAM kinds AS SELECT DISTINCT shop, item FROM sales WHERE n > 0;");
        sell(
            t,
            &[("a", "pen", 1), ("a", "pen", 2), ("a", "ink", 0), ("b", "pen", 1), ("a", "ink", 1), ("a", "pen", 3)],
        );
        t.done("INSERT INTO sales (shop, n) VALUES ('b', 1);");
        t.done("INSERT INTO sales (shop, n) VALUES ('b', 1);");
        sell(t, &[("c", "pen", 1)]);
        let expected = [
            r#"a:{"ITEM":"pen"}"#,
            r#"b:{"ITEM":"pen"}"#,
            r#"a:{"ITEM":"ink"}"#,
            r#"b:{"ITEM":null}"#,
            r#"c:{"ITEM":"pen"}"#,
        ];
        t.await_records("KINDS", &expected);
        let stream = t.stream("SELECT DISTINCT item FROM sales EMIT CHANGES LIMIT 3;");
        assert_eq!(next_rows(&stream, 3), [r#"String("pen")"#, r#"String("ink")"#, "Null"]);
    });
}

#[test]
fn distinct_rows_of_each_window() {
    on_both(|t| {
        t.done(SALES);
        t.query("CREATE STREAM kinds AS SELECT DISTINCT shop, item FROM sales WINDOW TUMBLING (SIZE 10 SECONDS);");
        for (time, item) in
            [(1000, "pen"), (2000, "pen"), (9999, "pen"), (10_000, "pen"), (12_000, "ink"), (19_000, "pen")]
        {
            t.done(&format!("INSERT INTO sales (ROWTIME, shop, item) VALUES ({time}, 'a', '{item}');"));
        }
        t.await_records("KINDS", &[r#"a:{"ITEM":"pen"}"#, r#"a:{"ITEM":"pen"}"#, r#"a:{"ITEM":"ink"}"#]);
        let hopping = "WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS)";
        let told = t.fails(&format!("CREATE STREAM x AS SELECT DISTINCT shop, item FROM sales {hopping};"));
        assert!(told.contains("TUMBLING"), "{told}");
    });
}

#[test]
fn what_has_no_distinct_rows() {
    on_both(|t| {
        t.done(PEOPLE);
        t.done("CREATE STREAM maps (m MAP<STRING, INT>) WITH (KAFKA_TOPIC='maps', VALUE_FORMAT='JSON', PARTITIONS=1);");
        for (select, hint) in [
            ("CREATE TABLE x AS SELECT DISTINCT id, town FROM people;", "HAVING COUNT(*) > 0"),
            ("CREATE TABLE x AS SELECT DISTINCT town, COUNT(*) AS n FROM people GROUP BY town;", "once already"),
            ("CREATE STREAM x AS SELECT DISTINCT m FROM maps;", "TO_JSON_STRING"),
        ] {
            let told = t.fails(select);
            assert!(told.contains("not supported") && told.contains(hint), "{told}");
        }
    });
}

/// What a query remembers outlives the process.
#[test]
fn distinct_rows_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(SALES);
    t.done(PEOPLE);
    t.query("CREATE STREAM kinds AS SELECT DISTINCT shop, item FROM sales;");
    t.query("CREATE TABLE sold AS SELECT shop, COUNT(DISTINCT item) AS items FROM sales GROUP BY shop;");
    t.query("CREATE TABLE towns AS SELECT town, MAX(age) AS high, LATEST_BY_OFFSET(age) AS latest FROM people GROUP BY town;");
    sell(&mut t, &[("a", "pen", 1), ("a", "ink", 1)]);
    t.await_records("KINDS", &[r#"a:{"ITEM":"pen"}"#, r#"a:{"ITEM":"ink"}"#]);
    t.await_records("SOLD", &[r#"a:{"ITEMS":1}"#, r#"a:{"ITEMS":2}"#]);
    t.done("INSERT INTO people VALUES ('ann', 'ulm', 30);");
    t.done("INSERT INTO people VALUES ('bob', 'ulm', 40);");
    let of_people = [r#"ulm:{"HIGH":30,"LATEST":30}"#, r#"ulm:{"HIGH":40,"LATEST":40}"#];
    t.await_records("TOWNS", &of_people);
    drop(t);
    let mut t = Terminal::open(folder.path());
    sell(&mut t, &[("a", "pen", 1), ("a", "cap", 1)]);
    t.await_records("KINDS", &[r#"a:{"ITEM":"pen"}"#, r#"a:{"ITEM":"ink"}"#, r#"a:{"ITEM":"cap"}"#]);
    let sold = [1, 2, 2, 3].map(|items| format!(r#"a:{{"ITEMS":{items}}}"#));
    t.await_records("SOLD", &sold.each_ref().map(String::as_str));
    t.done("INSERT INTO people VALUES ('bob', 'ulm', 20);");
    t.await_records("TOWNS", &[of_people[0], of_people[1], r#"ulm:{"HIGH":30,"LATEST":20}"#]);
}

#[test]
fn bounds_of_windows_are_columns() {
    on_both(|t| {
        t.done(SALES);
        for (time, n) in [(1000, 1), (6000, 1), (7000, 0), (8000, 1), (9000, 1), (12_000, 1)] {
            t.done(&format!("INSERT INTO sales (ROWTIME, shop, n) VALUES ({time}, 'a', {n});"));
        }
        // Of the windows [0, 10), [5, 15) and [10, 20) only the second is asked for, and only its first two rows pass HAVING.
        let stream = t.stream(
            "SELECT sales.WINDOWSTART / 1000 AS second, WINDOWEND - WINDOWSTART AS size, COUNT(*) AS n FROM sales \
             WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS) \
             WHERE n > 0 AND WINDOWSTART >= '1970-01-01T00:00:05' AND WINDOWEND < 20000 \
             GROUP BY shop, WINDOWSTART HAVING WINDOWSTART + COUNT(*) < 5003 EMIT CHANGES LIMIT 2;",
        );
        let seen = ["Bigint(5) Bigint(10000) Bigint(1)", "Bigint(5) Bigint(10000) Bigint(2)"];
        assert_eq!(next_rows(&stream, 2), seen);
        t.query(
            "CREATE TABLE sold AS SELECT shop, COUNT(*) AS n FROM sales WINDOW TUMBLING (SIZE 5 SECONDS) \
             WHERE WINDOWSTART > 5000 GROUP BY shop;",
        );
        t.await_rows("SELECT shop, WINDOWSTART, n FROM sold;", &[r#"String("a") Bigint(10000) Bigint(1)"#]);
        let window = "WINDOW TUMBLING (SIZE 10 SECONDS)";
        let told = t.fails(&format!(
            "CREATE TABLE x AS SELECT shop, COUNT(*) AS n FROM sales {window} WHERE n > WINDOWSTART GROUP BY shop;"
        ));
        assert!(told.contains("say it in HAVING"), "{told}");
        let told =
            t.fails(&format!("CREATE TABLE x AS SELECT COUNT(*) AS n FROM sales {window} GROUP BY WINDOWSTART;"));
        assert!(told.contains("the window's bounds alone"), "{told}");
    });
}
