//! ksqlDB's oddities, and what they are where a setting puts them right.

use super::*;

fn expect(rules: Rules, cases: &[(&str, &str, &str)]) {
    for (text, odd, right) in cases {
        assert_eq!(one(text), *odd, "{text}");
        assert_eq!(one_under(rules, text), *right, "{text}");
    }
}

#[test]
fn functions_put_right() {
    let rules = Rules { log_of_ten: true, initcap_blanks: true, ..Rules::default() };
    expect(
        rules,
        &[
            ("LOG(1000)", "6.907755278982137", "3.0"),
            ("LOG(0)", "-Infinity", "-Infinity"),
            ("LOG(2, 8)", "3.0", "3.0"),
            ("INITCAP('  the fox')", "The Fox", "  The Fox"),
            ("UCASE(INITCAP(' a'))", "A", " A"),
        ],
    );
}

#[test]
fn booleans_of_text() {
    let rules = Rules { exact_booleans: true, ..Rules::default() };
    expect(
        rules,
        &[
            ("CAST('t' AS BOOLEAN)", "true", "failed, null"),
            ("CAST('Ye' AS BOOLEAN)", "true", "failed, null"),
            ("CAST('maybe' AS BOOLEAN)", "false", "failed, null"),
            ("CAST(' True ' AS BOOLEAN)", "true", "true"),
            ("CAST('FALSE' AS BOOLEAN)", "false", "false"),
            ("CAST(CAST(NULL AS STRING) AS BOOLEAN)", "null", "null"),
            ("TRANSFORM(ARRAY['true', 'false'], x => CAST(x AS BOOLEAN))", "[true, false]", "[true, false]"),
        ],
    );
    let nested = Table { rules, ..Table::default() }.check("CAST(ARRAY['t'] AS ARRAY<BOOLEAN>)").unwrap_err();
    assert!(nested.hint.unwrap().contains("TRANSFORM"));
}

#[test]
fn decimal_divisions() {
    let rules = Rules { rounded_division: true, ..Rules::default() };
    expect(
        rules,
        &[
            // DECIMAL(2, 1) by DECIMAL(2, 1): six digits behind the point.
            ("1.0 / 3.0", "failed, null", "0.333333"),
            ("2.0 / 3.0", "failed, null", "0.666667"),
            ("-2.0 / 3.0", "failed, null", "-0.666667"),
            ("1.0 / 4.0", "0.250000", "0.250000"),
            ("1.0 / 0.0", "failed, null", "failed, null"),
            ("7 / 2", "3", "3"),
        ],
    );
}

type Truth = Option<bool>;

fn and(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn not(a: Truth) -> Truth {
    a.map(|a| !a)
}

fn or(a: Truth, b: Truth) -> Truth {
    not(and(not(a), not(b)))
}

/// All pairs of NULL, 1, 2, 3 against standard SQL's rules, written down once more.
#[test]
fn comparisons_with_null() {
    let values = [None, Some(1), Some(2), Some(3)];
    let pairs: Vec<(Option<i32>, Option<i32>)> = values.iter().flat_map(|a| values.map(|b| (*a, b))).collect();
    let table = Table { rules: Rules { unknown_comparisons: true, ..Rules::default() }, ..Table::default() }
        .with("A", "INT", ints(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>()))
        .with("B", "INT", ints(&pairs.iter().map(|pair| pair.1).collect::<Vec<_>>()));
    let both = |a: Option<i32>, b: Option<i32>| a.zip(b);
    let equal = move |a, b| both(a, b).map(|(a, b)| a == b);
    let less = move |a, b| both(a, b).map(|(a, b)| a < b);
    type Rule = Box<dyn Fn(Option<i32>, Option<i32>) -> Truth>;
    let cases: Vec<(&str, Rule)> = vec![
        ("A = B", Box::new(equal)),
        ("A <> B", Box::new(move |a, b| not(equal(a, b)))),
        ("NOT (A = B)", Box::new(move |a, b| not(equal(a, b)))),
        ("A < B", Box::new(less)),
        ("A = B AND B < 3", Box::new(move |a, b| and(equal(a, b), less(b, Some(3))))),
        ("B < 3 AND A = B", Box::new(move |a, b| and(less(b, Some(3)), equal(a, b)))),
        ("A = B OR B < 3", Box::new(move |a, b| or(equal(a, b), less(b, Some(3))))),
        (
            "NOT (A = 1 OR NOT (B = 2 AND A < B))",
            Box::new(move |a, b| not(or(equal(a, Some(1)), not(and(equal(b, Some(2)), less(a, b)))))),
        ),
        ("2 BETWEEN A AND B", Box::new(move |a, b| and(not(less(Some(2), a)), not(less(b, Some(2)))))),
        ("2 NOT BETWEEN A AND B", Box::new(move |a, b| not(and(not(less(Some(2), a)), not(less(b, Some(2))))))),
        ("A IN (B, 3)", Box::new(move |a, b| or(equal(a, b), equal(a, Some(3))))),
        ("A NOT IN (B, 3)", Box::new(move |a, b| not(or(equal(a, b), equal(a, Some(3)))))),
        ("(A = B) IS NULL", Box::new(move |a, b| Some(equal(a, b).is_none()))),
        ("A IS NOT DISTINCT FROM B", Box::new(|a, b| Some(a == b))),
        ("CASE WHEN A = B THEN 1 = 1 WHEN NOT (A = B) THEN 1 = 2 END", Box::new(equal)),
        ("CAST(NULL AS INT) = 1", Box::new(|_, _| None)),
    ];
    for (text, expected) in cases {
        let (values, failed) = table.run(text);
        let expected: Vec<Truth> = pairs.iter().map(|(a, b)| expected(*a, *b)).collect();
        assert_eq!(values, booleans(&expected), "{text}");
        assert_eq!(failed, Vec::<usize>::new(), "{text}");
    }
    // What fails stays a failure.
    assert_eq!(table.run("1 / (A - A) = 1 OR A = 1").1, (0..16).collect::<Vec<_>>());
    assert_eq!(table.run("ARRAY[A = B]").0[0], Value::Array(vec![Value::Null]));
}
