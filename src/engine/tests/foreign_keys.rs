//! Foreign key joins in chains, against a plain recomputation.

use std::collections::BTreeMap;

use super::*;

/// The rows of the tables `a (id, v, f)`, `b (id, w, g)` and `c (id, x)`; all columns are texts.
#[derive(Default)]
struct Tables {
    a: BTreeMap<String, [Option<String>; 2]>,
    b: BTreeMap<String, [Option<String>; 2]>,
    c: BTreeMap<String, [Option<String>; 2]>,
}

/// By which columns rows meet: `b`'s key is `a`'s key or `f`; `c`'s key is `a`'s key, `f` or `g`.
#[derive(Debug, Clone, Copy)]
struct Chain {
    b_by: &'static str,
    c_by: &'static str,
    left: [bool; 2],
    /// Of `c`: v < x.
    conditional: bool,
}

impl Chain {
    fn sql(&self) -> String {
        let kind = |left: bool| if left { "LEFT" } else { "INNER" };
        let condition = if self.conditional { " AND v < x" } else { "" };
        format!(
            "CREATE TABLE o AS SELECT a.id AS id, v, w, x FROM a {} JOIN b ON {} = b.id {} JOIN c ON {} = c.id{condition};",
            kind(self.left[0]),
            self.b_by,
            kind(self.left[1]),
            self.c_by,
        )
    }

    /// The rows of the result as text, sorted.
    fn rows(&self, tables: &Tables) -> Vec<String> {
        let shown = |value: Option<&String>| value.map_or("Null".to_string(), |text| format!("String({text:?})"));
        let mut rows = Vec::new();
        for (id, [v, f]) in &tables.a {
            let key = |by: &str, g: Option<&String>| match by {
                "a.id" => Some(id.clone()),
                "f" => f.clone(),
                _ => g.cloned(),
            };
            let b = key(self.b_by, None).and_then(|key| tables.b.get(&key));
            if b.is_none() && !self.left[0] {
                continue;
            }
            let g = b.and_then(|[_, g]| g.as_ref());
            let c = key(self.c_by, g).and_then(|key| tables.c.get(&key));
            let x = c.and_then(|[x, _]| x.as_ref());
            let met = c.is_some() && (!self.conditional || v.as_ref().zip(x).is_some_and(|(v, x)| v < x));
            if !met && !self.left[1] {
                continue;
            }
            let w = b.and_then(|[w, _]| w.as_ref());
            rows.push(format!("String({id:?}) {} {} {}", shown(v.as_ref()), shown(w), shown(x.filter(|_| met))));
        }
        rows.sort();
        rows
    }
}

/// Changes a row of a table, or deletes one.
fn change(t: &mut Terminal, tables: &mut Tables, random: &mut fastrand::Rng) {
    let table = random.usize(0..3);
    let key = format!("k{}", random.u8(0..4));
    let (name, rows) =
        [("a", &mut tables.a), ("b", &mut tables.b), ("c", &mut tables.c)].into_iter().nth(table).unwrap();
    if random.u8(0..4) == 0 {
        t.done(&format!("DELETE FROM {name} WHERE id = '{key}';"));
        rows.remove(&key);
        return;
    }
    let value = Some(format!("{:02}", random.u8(0..100)));
    let foreign = (random.u8(0..6) > 0).then(|| format!("k{}", random.u8(0..4)));
    let text = |value: &Option<String>| value.as_ref().map_or("NULL".to_string(), |text| format!("'{text}'"));
    let values = match name {
        "c" => text(&value),
        _ => format!("{}, {}", text(&value), text(&foreign)),
    };
    t.done(&format!("INSERT INTO {name} VALUES ('{key}', {values});"));
    rows.insert(key, [value, foreign]);
}

fn declare(t: &mut Terminal, chain: &Chain) {
    // Only tables that meet by their keys have as many partitions.
    let partitions = [2, if chain.b_by == "a.id" { 2 } else { 3 }, if chain.c_by == "a.id" { 2 } else { 5 }];
    for ((name, columns), partitions) in
        [("a", "v STRING, f STRING"), ("b", "w STRING, g STRING"), ("c", "x STRING")].into_iter().zip(partitions)
    {
        t.done(&format!("CREATE TABLE {name} (id STRING PRIMARY KEY, {columns}) WITH (KAFKA_TOPIC='{name}', VALUE_FORMAT='JSON', PARTITIONS={partitions});"));
    }
    t.query(&chain.sql());
}

fn chains() -> Vec<Chain> {
    let mut chains = Vec::new();
    for (b_by, c_by) in [("a.id", "f"), ("a.id", "g"), ("f", "g"), ("f", "f"), ("f", "a.id")] {
        for (left, conditional) in
            [([false, false], false), ([true, true], true), ([true, false], false), ([false, true], true)]
        {
            chains.push(Chain { b_by, c_by, left, conditional });
        }
    }
    chains
}

#[test]
fn chains_equal_a_plain_recomputation() {
    for (seed, chain) in chains().iter().enumerate() {
        let mut random = fastrand::Rng::with_seed(seed as u64);
        let (mut t, mut tables) = (Terminal::stepped(), Tables::default());
        declare(&mut t, chain);
        let mut seen = 0;
        for step in 0..60 {
            for _ in 0..random.usize(1..4) {
                change(&mut t, &mut tables, &mut random);
            }
            t.settle();
            let expected = chain.rows(&tables);
            seen += expected.len();
            assert_eq!(t.rows("SELECT * FROM o;"), expected, "{chain:?} step {step}");
        }
        assert!(seen > 20, "{chain:?}: {seen}");
    }
}

#[test]
fn chains_go_on_after_a_restart() {
    for (b_by, c_by) in [("a.id", "g"), ("f", "g")] {
        let chain = Chain { b_by, c_by, left: [true, true], conditional: true };
        let folder = tempfile::tempdir().unwrap();
        let (mut random, mut tables) = (fastrand::Rng::with_seed(5), Tables::default());
        for life in 0..3 {
            let mut t = Terminal::open(folder.path());
            if life == 0 {
                declare(&mut t, &chain);
            }
            for _ in 0..4 {
                for _ in 0..8 {
                    change(&mut t, &mut tables, &mut random);
                }
                let expected = chain.rows(&tables);
                t.await_rows("SELECT * FROM o;", &expected.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
    }
}
