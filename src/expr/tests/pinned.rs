//! What conditions pin columns to.

use super::*;
use crate::expr::Pinned;

fn table() -> Table {
    Table::default()
        .with("S", "STRING", vec![Value::Null])
        .with("I", "INTEGER", vec![Value::Null])
        .with("L", "BIGINT", vec![Value::Null])
        .with("D", "DOUBLE", vec![Value::Null])
}

fn pinned(condition: &str) -> Option<Pinned> {
    table().check(condition).unwrap().pinned()
}

#[test]
fn equalities_pin_a_column() {
    let text = |text: &str| Value::String(text.to_owned());
    let cases: [(&str, usize, Vec<Value>); 11] = [
        ("s = 'a'", 0, vec![text("a")]),
        ("'a' = s", 0, vec![text("a")]),
        ("s IN ('a', 'b')", 0, vec![text("a"), text("b")]),
        ("s = 'a' OR s = 'b'", 0, vec![text("a"), text("b")]),
        ("l > 3 AND s = 'a'", 0, vec![text("a")]),
        ("s = 'a' AND l = 3", 0, vec![text("a")]),
        ("i = 3", 1, vec![Value::Bigint(3)]),
        ("i = 3000000000", 1, vec![Value::Bigint(3_000_000_000)]),
        ("l = 3", 2, vec![Value::Bigint(3)]),
        ("l IN (3, 4000000000)", 2, vec![Value::Bigint(3), Value::Bigint(4_000_000_000)]),
        ("NOT (s <> 'a') AND l = 7", 2, vec![Value::Bigint(7)]),
    ];
    for (condition, column, values) in cases {
        assert_eq!(pinned(condition), Some(Pinned { column, values }), "{condition}");
    }
}

#[test]
fn other_conditions_pin_nothing() {
    let conditions = [
        "s <> 'a'",
        "s > 'a'",
        "NOT (s = 'a')",
        "s NOT IN ('a')",
        "s = 'a' OR l = 3",
        "s = 'a' OR TRUE",
        "UCASE(s) = 'A'",
        "s = UCASE('a')",
        "d = 3.0",
        "l + 1 = 3",
        "CAST(s AS BIGINT) = 3",
        "s LIKE 'a'",
    ];
    for condition in conditions {
        assert_eq!(pinned(condition), None, "{condition}");
    }
}
