//! Topics that a query reads more than once: each record comes to the left side, then to the right one, in the same round; so
//! does the result follow from the topic alone, whatever the rounds, the commits and the restarts.

use super::*;
use crate::log::embedded::EmbeddedLog;
use crate::log::partitioner::partition_for;

const PARTITIONS: u32 = 2;
/// How near in time the rows of streams must be, ms.
const WITHIN: i64 = 30;

/// A record of S (k key, g, v); a tombstone without values.
#[derive(Debug, Clone)]
struct Row {
    k: String,
    values: Option<(Option<String>, i32)>,
    time: i64,
}

impl Row {
    fn v(&self) -> i32 {
        self.values.as_ref().map_or(0, |(_, v)| *v)
    }
}

/// Rows of increasing times: they are taken in this order, whatever their partition.
fn rows(tombstones: bool) -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(7);
    let key = |random: &mut fastrand::Rng| format!("k{}", random.u8(..9));
    let mut time = 0;
    let mut row = |v: i32| {
        time += random.i64(1..9);
        let g = (random.u8(..9) > 0).then(|| key(&mut random));
        let values = (!tombstones || random.u8(..5) > 0).then_some((g, v));
        Row { k: key(&mut random), values, time }
    };
    (0..300).map(&mut row).collect()
}

fn world(rows: &[Row], sources: &[(&str, &str)], statement: &str) -> World {
    let world = World::of(Arc::new(EmbeddedLog::in_memory()), sources, PARTITIONS, statement);
    // Several batches of each partition.
    for rows in rows.chunks(70) {
        let mut parts = vec![Records::default(); PARTITIONS as usize];
        for Row { k, values, time } in rows {
            let g = |g: &Option<String>| g.as_ref().map_or("null".to_string(), |g| format!("\"{g}\""));
            let value = values.as_ref().map(|(of, v)| format!(r#"{{"g": {}, "v": {v}}}"#, g(of)));
            let part = &mut parts[partition_for(k.as_bytes(), PARTITIONS) as usize];
            part.push(Some(k.as_bytes()), value.as_deref().map(str::as_bytes), *time);
        }
        for (partition, records) in parts.iter().enumerate() {
            world.append(partition as u32, records);
        }
    }
    world
}

/// Drives the query to its end; but for the first seed it is cut into many rounds, and broken off between them.
fn drive(world: &World, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut host = Host::default();
    host.staged_bytes_max = if seed == 0 { host.staged_bytes_max } else { 200 };
    let mut run = world.open(&host).unwrap();
    loop {
        let rows = run.step().unwrap();
        if rows == 0 || random.bool() {
            run.commit().unwrap();
        }
        if rows == 0 {
            break;
        }
        if seed > 0 && random.u8(..4) == 0 {
            drop(run);
            run = world.open(&host).unwrap();
        }
    }
    assert_eq!(host.counters.rows_in.load(Ordering::Relaxed), 300, "each record counts once");
}

type Written = BTreeMap<Vec<u8>, Vec<String>>;

/// `expected`: key and value of each result, in their order.
fn check(columns: &str, statement: &str, expected: Vec<(String, String)>, fixed: fn(Vec<String>) -> Vec<String>) {
    check_all(&[("s", columns)], statement, expected, fixed);
}

/// `sources`: all over the topic of the first one.
fn check_all(
    sources: &[(&str, &str)],
    statement: &str,
    expected: Vec<(String, String)>,
    fixed: fn(Vec<String>) -> Vec<String>,
) {
    let of_keys = |written: Written| -> Written {
        let fixed = written.into_iter().map(|(key, values)| (key, fixed(values)));
        fixed.filter(|(_, values)| !values.is_empty()).collect()
    };
    let mut all = Written::new();
    for (key, value) in expected {
        all.entry(key.into_bytes()).or_default().push(value);
    }
    let all = of_keys(all);
    assert!(all.len() > 3, "{statement}");
    for seed in 0..5 {
        let tombstones = sources.iter().any(|(_, columns)| columns.contains("PRIMARY"));
        let world = world(&rows(tombstones), sources, statement);
        drive(&world, seed);
        assert_eq!(of_keys(world.written()), all, "{statement}, seed {seed}");
    }
}

const STREAM: &str = "k STRING KEY, g STRING, v INT";
const TABLE: &str = "k STRING PRIMARY KEY, g STRING, v INT";

fn as_they_are(values: Vec<String>) -> Vec<String> {
    values
}

fn in_any_order(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

fn last(values: Vec<String>) -> Vec<String> {
    values.into_iter().next_back().filter(|value| value != "null").into_iter().collect()
}

fn pair(a: i32, b: i32) -> String {
    format!(r#"{{"A":{a},"B":{b}}}"#)
}

/// The pairs of rows, in the order in which they meet: the row as the left one with the right ones before it, then as the right
/// one with the left ones up to itself.
fn pairs(rows: &[Row], meet: impl Fn(&Row, &Row) -> Option<String>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let near = |other: &&Row| row.time - other.time <= WITHIN;
        let meet = |left: &Row, right: &Row| Some((meet(left, right)?, pair(left.v(), right.v())));
        all.extend(rows[..at].iter().filter(near).filter_map(|right| meet(row, right)));
        all.extend(rows[..=at].iter().filter(near).filter_map(|left| meet(left, row)));
    }
    all
}

fn streams(on: &str) -> String {
    let within = "WITHIN 30 MILLISECONDS GRACE PERIOD 1 HOUR";
    format!("CREATE STREAM o AS SELECT y.k, x.v AS a, y.v AS b FROM s x JOIN s y {within} ON {on};")
}

#[test]
fn a_stream_by_its_key() {
    let expected = pairs(&rows(false), |left, right| (left.k == right.k).then(|| right.k.clone()));
    check(STREAM, &streams("x.k = y.k"), expected, as_they_are);
}

/// One side goes through an exchange, the other one doesn't: they are stages of their own.
#[test]
fn a_stream_by_a_value_that_is_its_key() {
    let g = |row: &Row| row.values.as_ref().and_then(|(g, _)| g.clone());
    let expected = pairs(&rows(false), |left, right| (g(left)? == right.k).then(|| right.k.clone()));
    check(STREAM, &streams("x.g = y.k"), expected, as_they_are);
}

#[test]
fn a_stream_by_the_same_value() {
    let statement = streams("x.g = y.g").replace("y.k,", "y.g,");
    let g = |row: &Row| row.values.as_ref().and_then(|(g, _)| g.clone());
    let expected = pairs(&rows(false), |left, right| g(left).filter(|of| Some(of) == g(right).as_ref()));
    check(STREAM, &statement, expected, as_they_are);
}

/// A row without a match with another row is no row without a match: it meets itself.
#[test]
fn a_stream_three_times() {
    let within = "WITHIN 30 MILLISECONDS GRACE PERIOD 1 HOUR";
    let statement = format!(
        "CREATE STREAM o AS SELECT z.k, x.v AS a, y.v AS b, z.v AS c
         FROM s x LEFT JOIN s y {within} ON x.k = y.k JOIN s z {within} ON x.g = z.k;"
    );
    let all = rows(false);
    let mut expected = Vec::new();
    let near = |one: i64, other: i64| (one - other).abs() <= WITHIN;
    for x in &all {
        for y in all.iter().filter(|y| y.k == x.k && near(x.time, y.time)) {
            let time = x.time.max(y.time);
            let g = x.values.as_ref().and_then(|(g, _)| g.clone());
            for z in all.iter().filter(|z| g.as_ref() == Some(&z.k) && near(time, z.time)) {
                expected.push((z.k.clone(), format!(r#"{{"A":{},"B":{},"C":{}}}"#, x.v(), y.v(), z.v())));
            }
        }
    }
    check(STREAM, &statement, expected, in_any_order);
}

#[test]
fn a_table_by_its_key() {
    for kind in ["INNER", "LEFT", "RIGHT", "FULL"] {
        let statement =
            format!("CREATE TABLE o AS SELECT ROWKEY AS k, x.v AS a, y.v AS b FROM s x {kind} JOIN s y ON x.k = y.k;");
        let statement = if kind == "FULL" { statement } else { statement.replace("ROWKEY AS k", "x.k") };
        let result = |pair: [Option<i32>; 2]| {
            let there = match pair {
                [Some(_), Some(_)] => true,
                [Some(_), None] => matches!(kind, "LEFT" | "FULL"),
                [None, Some(_)] => matches!(kind, "RIGHT" | "FULL"),
                [None, None] => false,
            };
            let text = |v: Option<i32>| v.map_or("null".to_string(), |v| v.to_string());
            there.then(|| format!(r#"{{"A":{},"B":{}}}"#, text(pair[0]), text(pair[1])))
        };
        let mut now: BTreeMap<String, [Option<i32>; 2]> = BTreeMap::new();
        let mut expected = Vec::new();
        for row in rows(true) {
            let pair = now.entry(row.k.clone()).or_default();
            for side in 0..2 {
                let before = result(*pair);
                let own_before = pair[side];
                pair[side] = row.values.as_ref().map(|(_, v)| *v);
                let after = result(*pair);
                // A change of a row that is part of no result, before or after, gives nothing.
                let takes_part = |own: Option<i32>, result: &Option<String>| own.is_some() && result.is_some();
                if takes_part(own_before, &before) || takes_part(pair[side], &after) {
                    expected.push((row.k.clone(), after.unwrap_or("null".to_string())));
                }
            }
        }
        check(TABLE, &statement, expected, as_they_are);
    }
}

#[test]
fn a_table_by_a_foreign_key() {
    for (kind, chain) in [("", ""), ("LEFT", ""), ("", "LEFT JOIN s z ON x.k = z.k")] {
        let statement =
            format!("CREATE TABLE o AS SELECT x.k, x.v AS a, y.v AS b FROM s x {kind} JOIN s y ON x.g = y.k {chain};");
        let mut now: BTreeMap<String, (Option<String>, i32)> = BTreeMap::new();
        for row in rows(true) {
            match row.values {
                Some(values) => drop(now.insert(row.k, values)),
                None => drop(now.remove(&row.k)),
            }
        }
        let joined = now.iter().filter_map(|(k, (g, v))| {
            let other = g.as_ref().and_then(|g| now.get(g)).map(|(_, v)| *v);
            let text = match other {
                Some(other) => pair(*v, other),
                None if kind == "LEFT" => format!(r#"{{"A":{v},"B":null}}"#),
                None => return None,
            };
            Some((k.clone(), text))
        });
        check(TABLE, &statement, joined.collect(), last);
    }
}

#[test]
fn a_table_by_what_is_no_key() {
    let statement = "CREATE TABLE o WITH (KEY_FORMAT='JSON') AS SELECT x.k, y.k, x.v AS a, y.v AS b FROM s x JOIN s y ON x.g = y.g;";
    let mut now: BTreeMap<String, (Option<String>, i32)> = BTreeMap::new();
    for row in rows(true) {
        match row.values {
            Some(values) => drop(now.insert(row.k, values)),
            None => drop(now.remove(&row.k)),
        }
    }
    let pairs = now.iter().flat_map(|x| now.iter().map(move |y| (x, y)));
    let alike = pairs.filter(|((_, (g, _)), (_, (other, _)))| g.is_some() && g == other);
    let expected = alike.map(|((x, (_, a)), (y, (_, b)))| (format!(r#"{{"X_K":"{x}","Y_K":"{y}"}}"#), pair(*a, *b)));
    check(TABLE, statement, expected.collect(), last);
}

#[test]
fn a_stream_united_with_itself() {
    let statement = "CREATE STREAM o AS SELECT k, v AS a, 0 AS b FROM s UNION ALL SELECT k, 1 AS a, v AS b FROM s;";
    let both =
        rows(false).into_iter().flat_map(|row| [pair(row.v(), 0), pair(1, row.v())].map(|pair| (row.k.clone(), pair)));
    check(STREAM, statement, both.collect(), as_they_are);
}

#[test]
fn a_stream_and_another_over_its_topic() {
    let expected = pairs(&rows(false), |left, right| (left.k == right.k).then(|| right.k.clone()));
    let statement = streams("x.k = y.k").replace("s y", "other y");
    check_all(&[("s", STREAM), ("other@s", "k STRING KEY, v BIGINT")], &statement, expected, as_they_are);
}

/// A row meets what its key had before.
#[test]
fn a_stream_and_a_table_over_its_topic() {
    let mut now: BTreeMap<String, i32> = BTreeMap::new();
    let mut expected = Vec::new();
    for row in rows(true) {
        if row.values.is_none() {
            now.remove(&row.k);
            continue;
        }
        let before = now.insert(row.k.clone(), row.v()).map_or("null".to_string(), |v| v.to_string());
        expected.push((row.k.clone(), format!(r#"{{"A":{},"B":{before}}}"#, row.v())));
    }
    let statement = "CREATE STREAM o AS SELECT s.k, s.v AS a, t.v AS b FROM s LEFT JOIN t ON s.k = t.k;";
    check_all(&[("s", STREAM), ("t@s", TABLE)], statement, expected, as_they_are);
}

/// What each of two tables over a topic replaces are its own rows, with its own filter before the join.
#[test]
fn a_table_and_another_over_its_topic() {
    let statement = "CREATE TABLE o AS SELECT x.k, x.v AS a, y.v AS b FROM (SELECT k, v FROM s WHERE v > 100) x
        JOIN (SELECT k, v FROM other WHERE g <> 'k3') y ON x.k = y.k;";
    let mut now: BTreeMap<String, (Option<String>, i32)> = BTreeMap::new();
    for row in rows(true) {
        match row.values {
            Some(values) => drop(now.insert(row.k, values)),
            None => drop(now.remove(&row.k)),
        }
    }
    let passes = |(g, v): &(Option<String>, i32)| *v > 100 && g.as_ref().is_some_and(|g| g != "k3");
    let joined = now.into_iter().filter(|(_, values)| passes(values)).map(|(k, (_, v))| (k, pair(v, v)));
    check_all(&[("s", TABLE), ("other@s", TABLE)], statement, joined.collect(), last);
}
