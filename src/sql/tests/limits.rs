//! Limits: deep, long and huge inputs are refused, without the stack ending, and in time that grows as they do.

use std::time::Duration;

use super::super::*;
use super::error;

/// What threads have by default.
const STACK_BYTES: usize = 2 << 20;

fn on_a_usual_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}

/// Every way to nest, by what opens and what closes a level.
const WAYS: &[(&str, &str, &str)] = &[
    ("(", "1", ")"),
    ("NOT ", "a", ""),
    ("- ", "a", ""),
    ("f(", "1", ")"),
    ("ARRAY[", "1", "]"),
    ("STRUCT(a := ", "1", ")"),
    ("MAP('k' := ", "1", ")"),
    ("CASE WHEN TRUE THEN ", "1", " END"),
    ("CASE WHEN ", "TRUE", " THEN 1 END"),
    ("CAST(", "1", " AS INT)"),
    ("x => ", "x", ""),
    ("(x, y) => (", "x", ")"),
    ("a[", "1", "]"),
    ("1 + (", "1", ")"),
    ("a BETWEEN (", "1", ") AND 2"),
    ("a IN (1, ", "1", ")"),
    ("", "a", " + 1"),
    ("", "a", " OR TRUE"),
    ("", "a", "->b"),
    ("", "a", "[1]"),
    ("", "a", " IS NULL"),
    ("", "a", " = 1"),
];

#[test]
fn half_the_limit_is_read_and_written_and_compared() {
    on_a_usual_stack(|| {
        // Some ways take two levels at a time.
        let times = NESTING_MAX / 2 - 1;
        for (open, middle, close) in WAYS {
            let text = format!("{}{middle}{}", open.repeat(times), close.repeat(times));
            let expr = parse_expression(&text).unwrap_or_else(|error| panic!("{open}{close}: {error}"));
            let written = format::expression(&expr);
            assert_eq!(parse_expression(&written).as_ref(), Ok(&expr), "{open}{close}");
        }
    });
}

#[test]
fn far_beyond_the_limit_is_an_error() {
    on_a_usual_stack(|| {
        for (open, middle, close) in WAYS {
            let text = format!("SELECT {}{middle}{} FROM s", open.repeat(10_000), close.repeat(10_000));
            let error = error(&text);
            assert!(error.what.contains("nests deeper"), "{open}{close}: {error}");
        }
        let types = format!("CREATE TYPE t AS {}INT{}", "ARRAY<".repeat(10_000), ">".repeat(10_000));
        assert!(error(&types).what.contains("nests deeper"));
        let explains = format!("{}SELECT 1 FROM s", "EXPLAIN ".repeat(10_000));
        assert!(error(&explains).what.contains("nests deeper"));
    });
}

/// A query has more of the stack than a level of anything else.
#[test]
fn queries_nest_as_deep_as_is_told() {
    on_a_usual_stack(|| {
        for open in ["SELECT * FROM (", "WITH q AS ("] {
            let close = if open.starts_with('W') { ") SELECT * FROM q" } else { ")" };
            let nested = |levels: usize| format!("{}SELECT * FROM s{};", open.repeat(levels), close.repeat(levels));
            let most = nested(QUERY_NESTING_MAX);
            assert_eq!(parse(&most).map(|statements| statements.len()), Ok(1), "{open}");
            crate::sql::layout(&most).unwrap();
            for levels in [QUERY_NESTING_MAX + 1, 10_000] {
                assert!(error(&nested(levels)).what.contains("queries nest deeper than 20 levels"), "{open}");
            }
        }
    });
}

/// Rows inside rows: the height of the whole tree is what counts.
#[test]
fn rows_within_rows_are_as_high_as_both() {
    on_a_usual_stack(|| {
        let row = " + 1".repeat(TREE_HEIGHT_MAX / 2);
        let text = format!("(((1{row}){row}){row})");
        assert!(parse_expression(&text).unwrap_err().what.contains("nests deeper"));
    });
}

#[test]
fn a_statement_too_long_is_refused() {
    let text = format!("SELECT '{}' FROM s", "x".repeat(STATEMENT_BYTES_MAX));
    assert!(error(&text).what.contains("bytes long"));
    let refused = crate::sql::layout(&format!("SELECT 1 FROM s;\n {text}")).unwrap_err();
    assert!(refused.what.contains("bytes long") && refused.at == Some(Location { line: 2, column: 2 }), "{refused}");
}

/// A place that is counted anew from the text's beginning for each statement would take minutes.
#[test]
fn many_statements_are_laid_out() {
    let text = "A;\n".repeat(20_000).replace('A', "SELECT a FROM s");
    assert_eq!(crate::sql::layout(&text).unwrap(), text);
}

/// Wide inputs are no problem: a quadratic step would take minutes.
#[test]
fn time_grows_as_the_input_does() {
    let wide = |item: &str| item.repeat(STATEMENT_BYTES_MAX / 4 / item.len());
    let texts = [
        format!("SELECT a FROM s WHERE x IN (1{})", wide(", 2")),
        format!("SELECT a{} FROM s", wide(", (b)")),
        format!("SELECT {}a FROM s", wide("/* */")),
        format!("SELECT {}a FROM s", wide(" \n")),
        format!("SELECT a FROM s WHERE {}", wide("(a,")),
        format!("SELECT {} FROM s", wide("a.")),
        format!("SELECT a FROM s GROUP BY ({}", wide("a,")),
        wide("SELECT 1 FROM s;"),
        wide("$"),
        wide("${"),
        wide("'"),
        wide("--\n"),
    ];
    for text in texts {
        let start = crate::time::now();
        let _ = parse(&text);
        let _ = substitute(&text, &Default::default());
        let _ = directives(&text);
        let _ = tokens(&text);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}: {}", start.elapsed(), &text[..40]);
    }
}
