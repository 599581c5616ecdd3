//! All pairs of numeric types, columns and literals, against exact arithmetic in quarters.

use proptest::prelude::*;

use super::Table;
use crate::types::Value;

const NAMES: [&str; 4] = ["I", "L", "D", "F"];

/// A number of each type, in quarters (whole numbers for INT and BIGINT).
type Row = [Option<i32>; 4];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let whole = || prop::option::of((-6i32..7).prop_map(|n| n * 4));
    let quarters = || prop::option::of(-24i32..25);
    prop::collection::vec((whole(), whole(), quarters(), quarters()), 0..8)
        .prop_map(|rows| rows.into_iter().map(|(i, l, d, f)| [i, l, d, f]).collect())
}

fn table(rows: &[Row]) -> Table {
    let column = |at: usize, make: &dyn Fn(i32) -> Value| {
        rows.iter().map(|row| row[at].map_or(Value::Null, make)).collect::<Vec<_>>()
    };
    let decimal = |quarters: i32| Value::Decimal {
        unscaled: arrow::datatypes::i256::from_i128(i128::from(quarters) * 25),
        precision: 6,
        scale: 2,
    };
    Table::default()
        .with("I", "INT", column(0, &|quarters| Value::Int(quarters / 4)))
        .with("L", "BIGINT", column(1, &|quarters| Value::Bigint(i64::from(quarters / 4))))
        .with("D", "DECIMAL(6, 2)", column(2, &decimal))
        .with("F", "DOUBLE", column(3, &|quarters| Value::Double(f64::from(quarters) / 4.0)))
}

fn holds(op: &str, a: i32, b: i32) -> bool {
    match op {
        "=" => a == b,
        "<>" => a != b,
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        _ => a >= b,
    }
}

/// The number of sixteenths in a result of any numeric type.
fn sixteenths(value: &Value) -> Option<i64> {
    match value {
        Value::Null => None,
        other => Some((other.to_string().parse::<f64>().unwrap() * 16.0) as i64),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn comparisons_of_all_pairs(rows in rows()) {
        let table = table(&rows);
        for (x, left) in NAMES.iter().enumerate() {
            for (y, right) in NAMES.iter().enumerate() {
                for op in ["=", "<>", "<", "<=", ">", ">="] {
                    let expected: Vec<_> = rows
                        .iter()
                        .map(|row| Value::Boolean(row[x].zip(row[y]).is_some_and(|(a, b)| holds(op, a, b))))
                        .collect();
                    let text = format!("{left} {op} {right}");
                    prop_assert_eq!(table.run(&text), (expected, vec![]), "{}", text);
                }
            }
        }
    }

    #[test]
    fn arithmetic_of_all_pairs(rows in rows()) {
        let table = table(&rows);
        for (x, left) in NAMES.iter().enumerate() {
            for (y, right) in NAMES.iter().enumerate() {
                for op in ["+", "-", "*"] {
                    let expected: Vec<Option<i64>> = rows
                        .iter()
                        .map(|row| {
                            let (a, b) = row[x].zip(row[y])?;
                            let (a, b) = (i64::from(a), i64::from(b));
                            Some(match op {
                                "+" => (a + b) * 4,
                                "-" => (a - b) * 4,
                                _ => a * b,
                            })
                        })
                        .collect();
                    let text = format!("{left} {op} {right}");
                    let (values, failed) = table.run(&text);
                    prop_assert_eq!(values.iter().map(sixteenths).collect::<Vec<_>>(), expected.clone(), "{}", text);
                    let nulls: Vec<_> = (0..rows.len()).filter(|row| expected[*row].is_none()).collect();
                    prop_assert_eq!(failed, nulls, "{}", text);
                }
            }
        }
    }

    #[test]
    fn casts_of_all_pairs(rows in rows()) {
        let table = table(&rows);
        for (x, from) in NAMES.iter().enumerate() {
            for (to, is_whole) in [("INT", true), ("BIGINT", true), ("DECIMAL(9, 3)", false), ("DOUBLE", false)] {
                let (values, failed) = table.run(&format!("CAST({from} AS {to})"));
                prop_assert_eq!(failed, Vec::<usize>::new());
                for (row, value) in rows.iter().zip(&values) {
                    // Whole numbers are cut towards zero.
                    let quarters = row[x].map(|quarters| if is_whole { quarters / 4 * 4 } else { quarters });
                    prop_assert_eq!(sixteenths(value), quarters.map(|quarters| i64::from(quarters) * 4));
                }
            }
        }
    }
}

#[test]
fn literals_are_values_of_every_type_that_holds_them() {
    let ty = |text: &str| super::super::to_sql_type(&crate::sql::parse_type(text).unwrap(), &|_| None).unwrap();
    for (literal, to, expected) in [
        ("7", "BIGINT", Some("7")),
        ("7", "DECIMAL(3, 1)", Some("7.0")),
        ("700", "DECIMAL(3, 1)", None),
        ("1.5", "INT", None),
        ("1.5", "DOUBLE", Some("1.5")),
        ("-1.5", "DECIMAL(4, 2)", Some("-1.50")),
        ("3000000000", "INT", None),
        ("'4.000'", "DOUBLE", Some("4.0")),
        ("'yes'", "BOOLEAN", Some("true")),
        ("'maybe'", "BOOLEAN", None),
        ("true", "STRING", Some("true")),
        ("1e3", "STRING", Some("1000.0")),
    ] {
        let ast = crate::sql::parse_expression(literal).unwrap();
        let value = crate::expr::constant(&ast, Some(&ty(to)), &|_| None);
        assert_eq!(value.ok().map(|value| value.to_string()).as_deref(), expected, "{literal} as {to}");
    }
}
