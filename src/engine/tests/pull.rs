//! Queries that end and do more than pick rows of a table: each beside a plain recomputation.

use std::collections::BTreeMap;

use super::*;

const SOURCES: &str = "
    CREATE STREAM sales (id STRING KEY, place STRING, goods INT, amount INT)
      WITH (KAFKA_TOPIC='sales', VALUE_FORMAT='JSON', PARTITIONS=3);
    CREATE TABLE places (place STRING PRIMARY KEY, area STRING) WITH (KAFKA_TOPIC='places', VALUE_FORMAT='JSON', PARTITIONS=3);";

struct Sale {
    id: String,
    place: String,
    goods: i32,
    amount: Option<i32>,
}

/// Sales, and the area of each place that has one; both are written, and a table of the newest sale of each id is kept.
fn sold(t: &mut Terminal) -> (Vec<Sale>, BTreeMap<String, String>) {
    for statement in SOURCES.split_inclusive(';') {
        t.done(statement);
    }
    let random = &mut fastrand::Rng::with_seed(7);
    let sales: Vec<Sale> = (0..60)
        .map(|_| Sale {
            id: format!("s{}", random.u8(..20)),
            place: format!("p{}", random.u8(..5)),
            goods: random.i32(0..4),
            amount: (random.u8(..6) > 0).then(|| random.i32(-50..50)),
        })
        .collect();
    for Sale { id, place, goods, amount } in &sales {
        let amount = amount.map_or("NULL".to_owned(), |amount| amount.to_string());
        t.done(&format!("INSERT INTO sales VALUES ('{id}', '{place}', {goods}, {amount});"));
    }
    let areas: BTreeMap<String, String> =
        (0..4).map(|n| (format!("p{n}"), if n % 2 == 0 { "north" } else { "south" }.to_owned())).collect();
    for (place, area) in &areas {
        t.done(&format!("INSERT INTO places VALUES ('{place}', '{area}');"));
    }
    (sales, areas)
}

/// The rows of a query, in the order in which they come.
fn in_order(t: &mut Terminal, sql: &str) -> Vec<String> {
    t.stream(sql).collect().unwrap_or_else(|error| panic!("{sql}: {error}")).iter().map(shown).collect()
}

fn int(value: Option<i32>) -> String {
    value.map_or("Null".to_owned(), |value| format!("Int({value})"))
}

#[test]
fn groups_of_a_stream() {
    on_both(|t| {
        let (sales, _) = sold(t);
        let mut groups: BTreeMap<&str, (i64, Option<i32>)> = BTreeMap::new();
        for sale in &sales {
            let group = groups.entry(&sale.place).or_default();
            group.0 += 1;
            group.1 = group.1.max(sale.amount);
        }
        let row = |(place, (count, most)): (&&str, &(i64, Option<i32>))| {
            format!(r#"String("{place}") Bigint({count}) {}"#, int(*most))
        };
        let expected: Vec<String> = groups.iter().map(row).collect();
        let sql = "SELECT place, COUNT(*) AS n, MAX(amount) AS most FROM sales GROUP BY place";
        assert_eq!(t.rows(&format!("{sql};")), expected);
        assert_eq!(in_order(t, &format!("{sql} ORDER BY place;")), expected);
        let many: Vec<String> = groups.iter().filter(|(_, group)| group.0 > 11).map(row).collect();
        assert!(!many.is_empty() && many.len() < expected.len());
        assert_eq!(in_order(t, &format!("{sql} HAVING COUNT(*) > 11 ORDER BY 1;")), many);
        // By what isn't shown.
        let mut by_count: Vec<(i64, &str)> = groups.iter().map(|(place, group)| (-group.0, *place)).collect();
        by_count.sort_unstable();
        let expected: Vec<String> = by_count.iter().take(3).map(|(_, place)| format!(r#"String("{place}")"#)).collect();
        let sql = "SELECT place FROM sales GROUP BY place ORDER BY COUNT(*) DESC, place LIMIT 3;";
        assert_eq!(in_order(t, sql), expected);
        assert_eq!(in_order(t, "SELECT COUNT(*) AS n FROM sales;"), [format!("Bigint({})", sales.len())]);
    });
}

#[test]
fn rows_of_a_table_in_order() {
    on_both(|t| {
        let (sales, _) = sold(t);
        t.query(
            "CREATE TABLE last AS SELECT id, LATEST_BY_OFFSET(goods) AS goods, LATEST_BY_OFFSET(amount, FALSE) AS amount \
             FROM sales GROUP BY id;",
        );
        let last: BTreeMap<&str, &Sale> = sales.iter().map(|sale| (sale.id.as_str(), sale)).collect();
        let mut ordered: Vec<&Sale> = last.into_values().collect();
        // NULLs are greater than all else.
        ordered.sort_by_key(|sale| (sale.amount.is_none(), sale.amount, sale.id.clone()));
        let row = |sale: &&Sale| format!(r#"String("{}") {}"#, sale.id, int(sale.amount));
        let expected: Vec<String> = ordered.iter().map(row).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let sql = "SELECT id, amount FROM last ORDER BY amount, id;";
        t.settle();
        let asked = now();
        while in_order(t, sql) != expected {
            assert!(asked.elapsed() < PATIENCE, "{:?} instead of {expected:?}", in_order(t, sql));
        }
        let nulls_first: Vec<&str> = {
            let nulls = ordered.iter().filter(|sale| sale.amount.is_none()).count();
            assert!(nulls > 0);
            [&expected[expected.len() - nulls..], &expected[..expected.len() - nulls]].concat()
        };
        assert_eq!(in_order(t, "SELECT id, amount FROM last ORDER BY amount ASC NULLS FIRST, id;"), nulls_first);
        ordered.sort_by_key(|sale| (std::cmp::Reverse(sale.goods), sale.id.clone()));
        let expected: Vec<String> = ordered.iter().take(5).map(|sale| format!(r#"String("{}")"#, sale.id)).collect();
        assert_eq!(in_order(t, "SELECT id FROM last ORDER BY goods DESC, id LIMIT 5;"), expected);
        let odd = ordered.iter().filter(|sale| sale.goods % 2 == 1 && sale.amount.is_some());
        let mut expected: Vec<String> = odd.map(|sale| format!(r#"String("{}")"#, sale.id)).collect();
        expected.sort();
        assert_eq!(t.rows("SELECT id FROM last WHERE NOT (goods % 2 = 0) AND amount IS NOT NULL;"), expected);
    });
}

#[test]
fn joins_and_groups_of_tables() {
    on_both(|t| {
        let (sales, areas) = sold(t);
        t.query("CREATE TABLE sums AS SELECT place, COUNT(*) AS n FROM sales GROUP BY place;");
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        sales.iter().for_each(|sale| *counts.entry(&sale.place).or_default() += 1);
        let expected: Vec<String> = counts
            .iter()
            .filter_map(|(place, n)| Some(format!(r#"String("{place}") String("{}") Bigint({n})"#, areas.get(*place)?)))
            .collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        t.await_rows("SELECT sums.place, area, n FROM sums JOIN places ON sums.place = places.place;", &expected);
        let mut by_area: BTreeMap<&str, i64> = BTreeMap::new();
        areas.values().for_each(|area| *by_area.entry(area).or_default() += 1);
        let expected: Vec<String> =
            by_area.iter().map(|(area, n)| format!(r#"String("{area}") Bigint({n})"#)).collect();
        assert_eq!(in_order(t, "SELECT area, COUNT(*) AS n FROM places GROUP BY area ORDER BY area;"), expected);
        // A row that moves to another group leaves its own.
        t.done("INSERT INTO places VALUES ('p1', 'north');");
        let expected = [r#"String("north") Bigint(3)"#, r#"String("south") Bigint(1)"#];
        assert_eq!(in_order(t, "SELECT area, COUNT(*) AS n FROM places GROUP BY area ORDER BY n DESC;"), expected);
        assert_eq!(
            in_order(t, "SELECT DISTINCT area FROM places ORDER BY area DESC;"),
            [r#"String("south")"#, r#"String("north")"#]
        );
        let sql = "SELECT x.goods AS n FROM (SELECT goods FROM sales WHERE goods < 2) x UNION ALL SELECT amount FROM sales \
                   ORDER BY n NULLS FIRST;";
        let mut numbers: Vec<Option<i32>> = sales.iter().map(|sale| sale.goods).filter(|n| *n < 2).map(Some).collect();
        numbers.extend(sales.iter().map(|sale| sale.amount));
        numbers.sort_unstable();
        assert_eq!(in_order(t, sql), numbers.into_iter().map(int).collect::<Vec<_>>());
        let sql = "WITH big AS (SELECT place, amount FROM sales WHERE amount > 20) \
                   SELECT place, SUM(amount) AS total FROM big GROUP BY place ORDER BY total;";
        let mut totals: BTreeMap<&str, i32> = BTreeMap::new();
        for sale in sales.iter().filter(|sale| sale.amount > Some(20)) {
            *totals.entry(&sale.place).or_default() += sale.amount.unwrap();
        }
        let mut totals: Vec<(i32, &str)> = totals.into_iter().map(|(place, total)| (total, place)).collect();
        totals.sort_unstable();
        let expected: Vec<String> =
            totals.iter().map(|(total, place)| format!(r#"String("{place}") Int({total})"#)).collect();
        assert_eq!(in_order(t, sql), expected);
    });
}

#[test]
fn queries_that_are_sorted_or_one_group_are_explained() {
    let mut t = Terminal::stepped();
    sold(&mut t);
    let explained = t.text("EXPLAIN SELECT place FROM sales WHERE goods > 1 ORDER BY amount;");
    assert!(explained.contains("[ FILTER ]") && explained.contains("[ SOURCE ] SALES"), "{explained}");
    let explained = t.text("EXPLAIN SELECT COUNT(*) AS n FROM sales;");
    assert!(explained.contains("[ AGGREGATE ]"), "{explained}");
}

#[test]
fn what_cannot_be_sorted_says_so() {
    let mut t = Terminal::stepped();
    sold(&mut t);
    for (sql, told) in [
        ("SELECT place FROM sales ORDER BY place EMIT CHANGES;", "ORDER BY sorts the rows of a pull query"),
        ("CREATE STREAM o AS SELECT place FROM sales ORDER BY place;", "ORDER BY sorts the rows of a pull query"),
        ("SELECT place FROM sales ORDER BY 2;", "The result has the columns 1 to 1."),
        ("SELECT place FROM sales ORDER BY nothing;", "NOTHING"),
        ("SELECT DISTINCT place FROM sales ORDER BY goods;", "sorted by columns of the result"),
        ("SELECT place FROM sales PARTITION BY place;", "PARTITION BY"),
    ] {
        let refused = t.fails(sql);
        assert!(refused.contains(told), "{sql}: {refused}");
    }
}

#[test]
fn rows_that_outgrow_the_memory_end_the_query() {
    let mut t = Terminal::on(Engine::stepped(Options { memory_bytes_max: 4000, ..options() }).unwrap());
    t.done("CREATE STREAM s (k STRING KEY, v STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);");
    for n in 0..40 {
        t.done(&format!("INSERT INTO s VALUES ('{n}', '{}');", "x".repeat(100)));
    }
    let error = t.stream("SELECT v FROM s ORDER BY k;").collect().unwrap_err();
    assert!(error.to_string().contains("--memory"), "{error}");
}
